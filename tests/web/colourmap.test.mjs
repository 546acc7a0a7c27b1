import assert from "node:assert/strict";
import { test } from "node:test";

import { INFERNO, INFERNO_HEX } from "../../web/colourmap.js";

test("the table has 256 colours, from almost black to pale yellow", () => {
  assert.equal(INFERNO.length, 768);
  assert.equal(INFERNO_HEX.replace(/\s/g, "").length, 1536);
  assert.deepEqual([...INFERNO.subarray(0, 3)], [0, 0, 4]);
  assert.deepEqual([...INFERNO.subarray(765)], [252, 255, 164]);
});

test("it gets lighter from each colour to the next, so that brighter always means more", () => {
  const lightness = (i) => 0.2126 * INFERNO[3 * i] + 0.7152 * INFERNO[3 * i + 1] + 0.0722 * INFERNO[3 * i + 2];
  for (let i = 4; i < 256; i++) assert.ok(lightness(i) > lightness(i - 4), `${i}`);
});
