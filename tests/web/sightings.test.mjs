import assert from "node:assert/strict";
import { test } from "node:test";

import { KEPT, stepSightings } from "../../web/sightings.js";
import { endSighting, NO_SIGHTINGS } from "../../web/state.js";

/** A drawn frame; `index` is the stable label, `p` the frame's own probability of it. */
function frame(media_s, index, { p = 0.8, since_s = media_s, source = "reef", utc = "" } = {}) {
  const stable = { index, probability: p, since_s };
  return { source, frame: Math.round(media_s * 10), media_s, utc, top: index === null ? [] : [[index, p]], stable };
}

const run = (frames, start = NO_SIGHTINGS) =>
  frames.reduce((sightings, each) => stepSightings(sightings, each, `class ${each.stable.index}`), start);

test("nothing known makes no sighting", () => {
  assert.equal(run([frame(0, null), frame(1, null)]), NO_SIGHTINGS);
});

test("a label that lasts is one sighting from its first frame to its latest", () => {
  const { entries, total } = run([frame(1, 2), frame(1.5, 2, { since_s: 1 }), frame(2, 2, { since_s: 1 })]);
  assert.equal(total, 1);
  assert.equal(entries.length, 1);
  assert.deepEqual([entries[0].start_s, entries[0].end_s, entries[0].ongoing], [1, 2, true]);
  assert.equal(entries[0].label, "class 2");
});

test("the peak is the frame with the highest probability of the label", () => {
  const { entries } = run([
    frame(1, 2, { p: 0.7 }),
    frame(2, 2, { p: 0.9, since_s: 1 }),
    frame(3, 2, { p: 0.8, since_s: 1 }),
  ]);
  assert.deepEqual([entries[0].peak_s, entries[0].peak_frame, entries[0].peak_probability], [2, 20, 0.9]);
});

test("a frame whose five best do not hold the label is no peak", () => {
  const odd = { ...frame(1, 2), top: [[0, 0.9]] };
  const { entries } = run([odd, frame(1.1, 2, { p: 0.3, since_s: 1 })]);
  assert.deepEqual([entries[0].peak_s, entries[0].peak_probability], [1.1, 0.3]);
});

test("another label ends one sighting and begins the next, newest first", () => {
  const { entries } = run([frame(1, 2), frame(2, 2, { since_s: 1 }), frame(2.1, 5)]);
  assert.deepEqual(entries.map(({ index, ongoing }) => [index, ongoing]), [[5, true], [2, false]]);
  assert.equal(entries[1].end_s, 2);
});

test("an animal lost for less than two seconds is the same sighting, for longer another", () => {
  const short = run([frame(1, 2), frame(1.1, null), frame(2.9, 2)]);
  assert.equal(short.total, 1);
  assert.equal(short.entries[0].end_s, 2.9);
  const long = run([frame(1, 2), frame(1.1, null), frame(3.2, null), frame(3.3, 2)]);
  assert.equal(long.total, 2);
});

test("a pause of any length is bridged when the server says that the label stayed", () => {
  const { entries, total } = run([frame(10, 2), frame(70, 2, { since_s: 10 })]);
  assert.equal(total, 1);
  assert.equal(entries[0].end_s, 70);
});

test("a pause in which the label went and came back makes two", () => {
  assert.equal(run([frame(10, 2), frame(70, 2, { since_s: 60 })]).total, 2);
});

test("a viewer who joins late still learns when it began", () => {
  const { entries } = run([frame(30, 2, { since_s: 12, utc: "2026-05-17T09:00:30.000Z" })]);
  assert.equal(entries[0].start_s, 12);
  assert.equal(entries[0].start_utc, "2026-05-17T09:00:12.000Z");
});

test("a step back in time is a new sighting: the source began again", () => {
  assert.equal(run([frame(100, 2), frame(0.5, 2)]).total, 2);
});

test("the same label on another source is another sighting", () => {
  const { entries } = run([frame(1, 2), frame(1.1, 2, { source: "pier", since_s: 1 })]);
  assert.deepEqual(entries.map(({ source, ongoing }) => [source, ongoing]), [["pier", true], ["reef", false]]);
});

test("ending closes the open one and nothing else", () => {
  const open = run([frame(1, 2)]);
  const ended = endSighting(open);
  assert.equal(ended.entries[0].ongoing, false);
  assert.equal(endSighting(ended), ended);
  assert.equal(endSighting(NO_SIGHTINGS), NO_SIGHTINGS);
});

test("the latest hundred are kept and all are counted", () => {
  const { entries, total } = run(Array.from({ length: 250 }, (_, i) => frame(i, i % 3)));
  assert.equal(entries.length, KEPT);
  assert.equal(total, 250);
  assert.equal(entries[0].id, 250);
  assert.equal(new Set(entries.map(({ id }) => id)).size, KEPT);
});

test("what went in is never changed", () => {
  const before = run([frame(1, 2)]);
  const copy = structuredClone(before);
  stepSightings(before, frame(2, 2, { since_s: 1, p: 0.99 }), "class 2");
  assert.deepEqual(before, copy);
});
