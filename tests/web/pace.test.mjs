import assert from "node:assert/strict";
import { test } from "node:test";

import { addTick, pictureRate, WINDOW_MS } from "../../web/pace.js";

const even = (count, stepMs) => Array.from({ length: count }, (_, i) => 1000 + i * stepMs);

test("n ticks are n - 1 intervals", () => {
  const ticks = even(11, 100);
  assert.equal(pictureRate(ticks, ticks.at(-1)), 10);
});

test("nothing is claimed before two pictures were drawn", () => {
  assert.equal(pictureRate([], 0), null);
  assert.equal(pictureRate([1000], 1010), null);
});

test("a stop pulls the rate down at once and to zero in the end", () => {
  const ticks = even(20, 50);
  const last = ticks.at(-1);
  assert.ok(Math.abs(pictureRate(ticks, last + 50) - 20) < 1e-9);
  assert.ok(pictureRate(ticks, last + 1000) < 11);
  assert.equal(pictureRate(ticks, last + WINDOW_MS), 0);
});

test("the list does not grow beyond its window", () => {
  let ticks = [];
  for (let ms = 0; ms < 60_000; ms += 20) ticks = addTick(ticks, ms);
  assert.equal(ticks.length, WINDOW_MS / 20);
});
