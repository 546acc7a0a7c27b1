// The heat map's pixels: values against OpenCV, opacity, alignment, and its words.

import assert from "node:assert/strict";
import { test } from "node:test";

import { COLOURS, colourTable } from "../../web/colourmap.js";
import { enlarge, heatPixels, whereStrongest } from "../../web/heatmap.js";

const INFERNO = colourTable(COLOURS[0]);
const alphas = ({ pixels }) => pixels.filter((_, i) => i % 4 === 3);

test("an empty map is transparent everywhere", () => {
  assert.ok(alphas(heatPixels(new Uint8Array(196), 14, 14, 1, INFERNO)).every((alpha) => alpha === 0));
});

test("a full map has the chosen opacity and the brightest colour everywhere", () => {
  const { pixels, width, height } = heatPixels(new Uint8Array(196).fill(255), 14, 14, 0.6, INFERNO);
  assert.deepEqual([width, height], [224, 224]);
  for (let i = 0; i < pixels.length; i += 4) {
    assert.deepEqual([...pixels.subarray(i, i + 4)], [...INFERNO.subarray(765), 153]);
  }
});

test("opacity 0 hides even a full map", () => {
  assert.ok(alphas(heatPixels(new Uint8Array(64).fill(255), 8, 8, 0, INFERNO)).every((alpha) => alpha === 0));
});

test("alpha is the value times the opacity", () => {
  for (const value of [1, 50, 128, 254]) {
    const [alpha] = alphas(heatPixels(new Uint8Array(4).fill(value), 2, 2, 0.5, INFERNO));
    assert.ok(Math.abs(alpha - value * 0.5) <= 0.5, `${value}: ${alpha}`);
  }
});

test("it enlarges as OpenCV's INTER_CUBIC does", () => {
  // np.clip(np.rint(cv2.resize(cam.astype(np.float32), (64, 48), interpolation=cv2.INTER_CUBIC)), 0, 255)
  const cam = Uint8Array.from([0, 40, 255, 10, 0, 0, 128, 200, 90, 0, 0, 0]);
  const { values, width, height } = enlarge(cam, 3, 4);
  assert.deepEqual([width, height], [64, 48]);
  const row = (y) => Array.from({ length: 13 }, (_, i) => values[y * 64 + 5 * i]);
  const column = (x) => Array.from({ length: 10 }, (_, i) => values[5 * i * 64 + x]);
  near(row(0), [0, 0, 2, 1, 13, 65, 157, 242, 255, 202, 94, 0, 0]);
  near(row(20), [0, 0, 0, 0, 0, 21, 71, 123, 169, 189, 187, 183, 185]);
  near(row(47), [109, 107, 86, 54, 21, 0, 0, 0, 0, 0, 0, 0, 0]);
  near(column(33), [212, 210, 183, 146, 103, 56, 26, 8, 0, 0]);
});

function near(received, expected) {
  received.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) <= 1, `${received} is not ${expected}`));
}

test("one hot cell stays where it is: symmetric about the middle of its own part of the picture", () => {
  const cam = new Uint8Array(49);
  cam[2 * 7 + 4] = 255; // row 2, column 4
  const { values, width } = enlarge(cam, 7, 7);
  let [sum, x, y] = [0, 0, 0];
  values.forEach((value, i) => {
    sum += value;
    x += value * ((i % width) + 0.5);
    y += value * (Math.floor(i / width) + 0.5);
  });
  assert.ok(Math.abs(x / sum - 4.5 * 16) < 0.01);
  assert.ok(Math.abs(y / sum - 2.5 * 16) < 0.01);
});

test("the map holds its outermost values up to the border", () => {
  const { values } = enlarge(Uint8Array.from([200, 200, 200, 200]), 2, 2);
  assert.ok(values.every((value) => value === 200));
});

test("a grid that is not square and one of a single cell work", () => {
  const { width, height } = heatPixels(new Uint8Array(6), 2, 3, 1, INFERNO);
  assert.deepEqual([width, height], [48, 32]);
  assert.ok(enlarge(Uint8Array.from([7]), 1, 1).values.every((value) => value === 7));
});

test("a fine grid does not grow beyond what a frame's time allows", () => {
  assert.deepEqual([heatPixels(new Uint8Array(65_536), 256, 256, 1, INFERNO).width], [512]);
});

test("words say where the map is strongest", () => {
  const at = (row, column) => {
    const cam = new Uint8Array(196);
    cam[row * 14 + column] = 255;
    return whereStrongest(cam, 14, 14);
  };
  assert.equal(at(0, 0), "upper-left");
  assert.equal(at(13, 13), "lower-right");
  assert.equal(at(7, 7), "centre");
  assert.equal(at(7, 0), "left");
  assert.equal(at(0, 7), "upper");
  assert.equal(at(13, 6), "lower");
  assert.equal(whereStrongest(new Uint8Array(196), 14, 14), null);
});
