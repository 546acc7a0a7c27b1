// Decoding and drawing under a test's control: nothing resolves and no frame comes until told.

import assert from "node:assert/strict";
import { test } from "node:test";

import { NewestFrame } from "../../web/newest.js";

function setUp() {
  const rig = { decodes: [], frames: new Map(), drawn: [], unreadable: [], bitmaps: [] };
  let nextId = 1;
  rig.newest = new NewestFrame({
    decode: (message) =>
      new Promise((resolve, reject) => {
        const bitmap = { of: message, closed: 0, close: () => bitmap.closed++ };
        rig.decodes.push({
          message,
          finish: () => {
            rig.bitmaps.push(bitmap);
            resolve(bitmap);
            return settled();
          },
          empty: () => (resolve(null), settled()),
          fail: (error) => (reject(error), settled()),
        });
      }),
    nextFrame: (callback) => (rig.frames.set(nextId, callback), nextId++),
    cancelFrame: (id) => rig.frames.delete(id),
    draw: (message, bitmap) => rig.drawn.push({ message, closedYet: bitmap?.closed ?? null }),
    unreadable: (message, error) => rig.unreadable.push({ message, error }),
  });
  rig.animate = () => {
    const callbacks = [...rig.frames.values()];
    rig.frames.clear();
    for (const callback of callbacks) callback();
  };
  return rig;
}

const settled = () => new Promise((resolve) => setImmediate(resolve)); // every pending promise has run by then

test("a picture is decoded, drawn once on the next animation frame, and freed", async () => {
  const rig = setUp();
  rig.newest.push("a");
  await rig.decodes[0].finish();
  assert.deepEqual(rig.drawn, []);
  rig.animate();
  rig.animate();
  assert.deepEqual(rig.drawn, [{ message: "a", closedYet: 0 }]);
  assert.equal(rig.bitmaps[0].closed, 1);
});

test("of those that arrive during a decode only the newest is decoded", async () => {
  const rig = setUp();
  for (const message of ["a", "b", "c", "d"]) rig.newest.push(message);
  assert.deepEqual(rig.decodes.map(({ message }) => message), ["a"]);
  await rig.decodes[0].finish();
  assert.deepEqual(rig.decodes.map(({ message }) => message), ["a", "d"]);
});

test("one that was decoded but not yet drawn is freed for a newer one", async () => {
  const rig = setUp();
  rig.newest.push("a");
  await rig.decodes[0].finish();
  rig.newest.push("b");
  await rig.decodes[1].finish();
  rig.animate();
  assert.deepEqual(rig.drawn.map(({ message }) => message), ["b"]);
  assert.deepEqual(rig.bitmaps.map(({ closed }) => closed), [1, 1]);
});

test("a hidden tab, which gets no animation frames, draws nothing and holds one bitmap", async () => {
  const rig = setUp();
  for (let i = 0; i < 20; i++) {
    rig.newest.push(i);
    await rig.decodes.at(-1).finish();
  }
  assert.deepEqual(rig.drawn, []);
  assert.equal(rig.bitmaps.filter(({ closed }) => closed === 0).length, 1);
});

test("a pause draws nothing and decodes nothing; going on draws the newest", async () => {
  const rig = setUp();
  rig.newest.push("a");
  await rig.decodes[0].finish();
  rig.newest.pause();
  rig.animate();
  rig.newest.push("b");
  rig.newest.push("c");
  assert.deepEqual([rig.drawn, rig.decodes.length], [[], 1]);
  rig.newest.resume();
  await rig.decodes[1].finish();
  rig.animate();
  assert.deepEqual(rig.drawn.map(({ message }) => message), ["c"]);
});

test("a pause during a decode keeps the picture for later", async () => {
  const rig = setUp();
  rig.newest.push("a");
  rig.newest.pause();
  await rig.decodes[0].finish();
  rig.animate();
  assert.deepEqual(rig.drawn, []);
  rig.newest.resume();
  rig.animate();
  assert.deepEqual(rig.drawn.map(({ message }) => message), ["a"]);
});

test("after clear nothing of before is drawn, not even a decode still under way", async () => {
  const rig = setUp();
  rig.newest.push("a");
  await rig.decodes[0].finish();
  rig.newest.push("b");
  rig.newest.clear();
  rig.newest.push("c");
  await rig.decodes[1].finish();
  rig.animate();
  assert.deepEqual(rig.drawn, []);
  await rig.decodes[2].finish();
  rig.animate();
  assert.deepEqual(rig.drawn.map(({ message }) => message), ["c"]);
  assert.deepEqual(rig.bitmaps.map(({ closed }) => closed), [1, 1, 1]);
});

test("an unreadable picture is reported and the next one comes through", async () => {
  const rig = setUp();
  rig.newest.push("broken");
  rig.newest.push("b");
  await rig.decodes[0].fail(new Error("not a JPEG"));
  assert.equal(rig.unreadable[0].message, "broken");
  await rig.decodes[1].finish();
  rig.animate();
  assert.deepEqual(rig.drawn.map(({ message }) => message), ["b"]);
});

test("a message without a picture is drawn as well", async () => {
  const rig = setUp();
  rig.newest.push("a");
  await rig.decodes[0].empty();
  rig.animate();
  assert.deepEqual(rig.drawn, [{ message: "a", closedYet: null }]);
});
