import assert from "node:assert/strict";
import { test } from "node:test";

import { carriedOver, classRows, MOST_PROBABLE, pressed, ROWS } from "../../web/explained.js";

const TOP = [[7, 0.5], [3, 0.2], [9, 0.1], [1, 0.05], [4, 0.03]];

test("the most probable have a row each, in order, and nothing else has", () => {
  const { rows, extra } = classRows(TOP, MOST_PROBABLE);
  assert.deepEqual(rows.map(({ index }) => index), [7, 3, 9, 1, 4]);
  assert.equal(rows[1].share, 0.2);
  assert.equal(extra, null);
  assert.equal(classRows([...TOP, [0, 0.01]], MOST_PROBABLE).rows.length, ROWS);
});

test("a chosen class that is among them needs no other row, wherever it moves to", () => {
  for (const top of [TOP, [...TOP].reverse()]) assert.equal(classRows(top, 9).extra, null);
});

test("a chosen class that dropped out keeps a row, with what can be said of its probability", () => {
  const { rows, extra } = classRows(TOP, 22);
  assert.equal(rows.length, 5);
  assert.deepEqual(extra, { index: 22, below: 0.03 });
});

test("a chosen class can be seen, and given back, before the first picture", () => {
  assert.deepEqual(classRows([], 2), { rows: [], extra: { index: 2, below: null } });
  assert.deepEqual(classRows([], MOST_PROBABLE), { rows: [], extra: null });
});

test("pressed once a class is chosen, pressed again it is given back", () => {
  assert.equal(pressed(MOST_PROBABLE, 3), 3);
  assert.equal(pressed(3, 4), 4);
  assert.equal(pressed(3, 3), MOST_PROBABLE);
  assert.equal(pressed(3, MOST_PROBABLE), MOST_PROBABLE);
});

test("another model's classes are found by name, or the choice is given back", () => {
  assert.equal(carriedOver(1, ["Eel", "Seal"], ["Crab", "Eel", "Seal"]), 2);
  assert.equal(carriedOver(1, ["Eel", "Seal"], ["Crab", "Eel"]), MOST_PROBABLE);
  assert.equal(carriedOver(MOST_PROBABLE, ["Eel"], ["Crab"]), MOST_PROBABLE);
});
