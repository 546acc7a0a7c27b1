import assert from "node:assert/strict";
import { test } from "node:test";

import { COLOURS, colourTable } from "../../web/colourmap.js";

for (const [name, first, last] of [
  ["inferno", [0, 0, 4], [252, 255, 164]],
  ["viridis", [68, 1, 84], [253, 231, 37]],
  ["cividis", [0, 34, 78], [254, 232, 56]],
]) {
  test(`${name} has 256 colours`, () => {
    const table = colourTable(name);
    assert.equal(table.length, 768);
    assert.deepEqual([[...table.subarray(0, 3)], [...table.subarray(765)]], [first, last]);
  });

  test(`${name} gets lighter from each colour to the next, so that brighter always means more`, () => {
    const table = colourTable(name);
    const lightness = (i) => 0.2126 * table[3 * i] + 0.7152 * table[3 * i + 1] + 0.0722 * table[3 * i + 2];
    for (let i = 4; i < 256; i++) assert.ok(lightness(i) > lightness(i - 4), `${i}`);
  });
}

test("inferno is what everyone starts with, as the overlay video has it", () => {
  assert.deepEqual(COLOURS, ["inferno", "viridis", "cividis"]);
});
