import assert from "node:assert/strict";
import { test } from "node:test";

import { isNeutral, NEUTRAL } from "../../web/eye.js";
import { applyLook, glide, lookOf, measure, needsMeasuring } from "../../web/look.js";

/** RGBA pixels, one per triple. */
const pixels = (...triples) => Uint8ClampedArray.from(triples.flatMap((rgb) => [...rgb, 255]));
const seen = (settings, ...triples) => {
  const data = pixels(...triples);
  applyLook(data, lookOf({ ...NEUTRAL, ...settings }, measure(pixels(...triples))));
  return triples.map((_, i) => [...data.slice(4 * i, 4 * i + 3)]);
};
const HAZY = Array.from({ length: 100 }, (_, i) => [60 + i, 100 + i, 120 + i]); // a veil, more of it in blue
const range = (list, c) => Math.max(...list.map((rgb) => rgb[c])) - Math.min(...list.map((rgb) => rgb[c]));

test("neutral settings change no pixel", () => {
  assert.deepEqual(seen(NEUTRAL, ...HAZY), HAZY);
  assert.ok(isNeutral(NEUTRAL));
});

test("contrast spreads around the middle and keeps the middle", () => {
  const [[dark], [middle], [light]] = seen({ contrast: 0.5 }, [80, 80, 80], [127, 127, 127], [170, 170, 170]);
  assert.ok(dark < 80 && light > 170);
  assert.ok(Math.abs(middle - 127) <= 1);
});

test("haze removal takes the veil away: the darkest becomes black, the lightest white, nothing else is clipped", () => {
  const clear = seen({ haze: 1 }, ...HAZY);
  for (const c of [0, 1, 2]) {
    assert.ok(Math.min(...clear.map((rgb) => rgb[c])) < 8);
    assert.ok(range(clear, c) > range(HAZY, c));
  }
  assert.ok(Math.max(...clear.flat()) > 240);
  assert.ok(range(seen({ haze: 0.5 }, ...HAZY), 0) < range(clear, 0));
});

test("white balance makes a blue cast grey, and half of it half way", () => {
  const cast = Array.from({ length: 20 }, (_, i) => [60 + i, 110 + i, 150 + i]);
  const apart = (list) => list[10][2] - list[10][0];
  assert.ok(Math.abs(apart(seen({ balance: 1 }, ...cast))) < 8);
  const half = apart(seen({ balance: 0.5 }, ...cast));
  assert.ok(half > 20 && half < 70);
});

test("a channel that is all but missing is not blown up without bound, nor is a plain picture", () => {
  const [[red]] = seen({ balance: 1 }, [2, 120, 140], [2, 122, 141]);
  assert.ok(red <= 6);
  for (const plain of [[0, 0, 0], [255, 255, 255], [90, 90, 90]]) {
    for (const { slope, offset } of lookOf({ contrast: 1, haze: 1, balance: 1 }, measure(pixels(plain, plain)))) {
      assert.ok(Number.isFinite(slope) && Number.isFinite(offset) && slope > 0);
    }
  }
});

test("the look is always rising: what was lighter stays lighter", () => {
  for (const contrast of [0, 1]) {
    for (const haze of [0, 1]) {
      for (const balance of [0, 1]) {
        const look = lookOf({ contrast, haze, balance }, measure(pixels(...HAZY)));
        for (const { slope } of look) assert.ok(slope > 0);
      }
    }
  }
});

test("nothing is measured where nothing needs it, and the look is there all the same", () => {
  assert.equal(needsMeasuring({ ...NEUTRAL, contrast: 1 }), false);
  assert.equal(needsMeasuring({ ...NEUTRAL, haze: 0.1 }), true);
  assert.equal(lookOf({ ...NEUTRAL, contrast: 1 }, null)[0].slope, 2.5);
  assert.equal(lookOf({ contrast: 0, haze: 1, balance: 1 }, null).length, 3); // before the first picture
});

test("one lamp in the picture is not its white, and one speck not its black", () => {
  const grey = Array.from({ length: 1000 }, (_, i) => [100 + (i % 50), 100 + (i % 50), 100 + (i % 50)]);
  const { low, high } = measure(pixels([255, 255, 255], [0, 0, 0], ...grey));
  assert.ok(low[0] > 0.3 && high[0] < 0.7);
});

test("a new measurement is glided to", () => {
  const at = (value) => ({ low: [value, 0, 0], high: [value, 0, 0], mean: [value, 0, 0] });
  assert.equal(glide(at(0.2), at(0.6), 0.25).mean[0].toFixed(3), "0.300");
  assert.equal(glide(at(0.2), at(0.6), 1).low[0], 0.6);
});
