// The row that belongs to a moment of the video, from bytes as dives/track.py writes them.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { lastUpTo, parseChunk, Track } from "../../web/dives-track.js";

const vectors = JSON.parse(readFileSync(new URL("../vectors/track.json", import.meta.url)));
const bytes = Uint8Array.from(Buffer.from(vectors.data, "base64")).buffer;

/** A track over the vectors; `asked` lists what was read, `gate` holds the reading back. */
function track({ gate = Promise.resolve(), fail = false, everyS = null } = {}) {
  const asked = [];
  const read = async (from, length) => {
    asked.push([from, length]);
    await gate;
    if (fail) throw new Error("no network");
    return bytes.slice(from, from + length);
  };
  return { asked, track: new Track(vectors.index, read, everyS) };
}

test("the bytes that Python wrote are the rows that it wrote", async () => {
  const { track: made } = track();
  for (const expected of vectors.rows) {
    await made.load(expected.media_s);
    const row = made.at(expected.media_s);
    assert.equal(row.mediaS, expected.media_s);
    assert.equal(row.stable, expected.stable);
    assert.deepEqual(row.top.map(([label]) => label), expected.top);
    assert.ok(Math.abs(row.unknown - expected.unknown) < 1e-4);
    row.top.forEach(([, share], i) => assert.ok(Math.abs(share - expected.shares[i]) < 1e-4));
    assert.deepEqual([...row.cam], expected.cam);
  }
});

test("between two rows the earlier one holds, and a stamp in another rounding is the same stamp", async () => {
  const { track: made } = track();
  await made.load(0);
  const [first, second] = vectors.rows;
  assert.equal(made.at((first.media_s + second.media_s) / 2).mediaS, first.media_s);
  assert.equal(made.at(second.media_s - 0.0005).mediaS, second.media_s);
});

test("before the first row, and long after the last, there is none", async () => {
  const { track: made } = track();
  await made.load(1e6);
  assert.equal(made.at(-1), null);
  assert.equal(made.at(1e6), null);
});

test("what is not here yet is undefined, is fetched once, and is there afterwards", async () => {
  let open;
  const { track: made, asked } = track({ gate: new Promise((resolve) => (open = resolve)) });
  assert.equal(made.at(0), undefined);
  const both = [made.load(0), made.load(0)];
  assert.equal(made.at(0), undefined);
  open();
  await Promise.all(both);
  assert.notEqual(made.at(0), undefined);
  assert.equal(asked.filter(([from]) => from === 0).length, 1);
});

test("what could not be fetched can be asked for again", async () => {
  const { track: made, asked } = track({ fail: true });
  await assert.rejects(made.load(0));
  await assert.rejects(made.load(0));
  assert.equal(asked.length, 2);
});

test("a step goes to the next row, over the edge of a chunk too", async () => {
  const { track: made } = track();
  await made.load(0);
  await made.load(1e6);
  const times = vectors.rows.map(({ media_s: s }) => s);
  times.slice(0, -1).forEach((time, i) => assert.equal(made.step(time, 1), times[i + 1]));
  times.slice(1).forEach((time, i) => assert.equal(made.step(time, -1), times[i]));
  assert.equal(made.step(times[0], -1), null);
});

test("too few bytes for the rows are an error, not another row's values", () => {
  assert.throws(() => parseChunk(new ArrayBuffer(16), 10, 5, 8), RangeError);
});

test("the last value up to a limit is found wherever it lies", () => {
  const values = [0, 1, 1, 4];
  for (const [limit, expected] of [[-1, -1], [0, 0], [0.5, 0], [1, 2], [3, 2], [4, 3], [9, 3]]) assert.equal(lastUpTo(values, limit), expected);
  assert.equal(lastUpTo([], 1), -1);
});
