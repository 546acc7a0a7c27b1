// Stepping through the past with decoding and animation frames under the test's control.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Replay } from "../../web/replay.js";

const settled = () => new Promise((resolve) => setImmediate(resolve)); // every pending promise has run by then

function setUp(count = 5) {
  const rig = { decodes: [], drawn: [], callbacks: [], bitmaps: [] };
  rig.replay = new Replay({
    decode: (message) =>
      new Promise((resolve, reject) => {
        const bitmap = { closed: 0, close: () => bitmap.closed++ };
        rig.bitmaps.push(bitmap);
        rig.decodes.push({ message, finish: () => resolve(bitmap), fail: () => reject(new Error("torn")) });
      }),
    nextFrame: (callback) => rig.callbacks.push(callback),
    cancelFrame: () => {},
    draw: (message) => rig.drawn.push(message.id),
    unreadable: (message) => rig.drawn.push(`unreadable ${message.id}`),
  });
  rig.receive = (id) => {
    const message = { id, receivedMs: 50 * id, jpeg: new Uint8Array(10), cam: new Uint8Array(4) };
    rig.replay.add(message);
    return message;
  };
  rig.show = async () => {
    for (const { finish } of rig.decodes.splice(0)) finish();
    await settled();
    for (const callback of rig.callbacks.splice(0)) callback();
  };
  for (let id = 0; id < count; id++) rig.replay.drawn(rig.receive(id));
  return rig;
}

test("live there is no place, and steps lead nowhere", () => {
  const { replay, decodes } = setUp();
  replay.step(-1);
  replay.seek(0);
  assert.equal(replay.place, null);
  assert.equal(decodes.length, 0);
});

test("a pause holds the picture that was drawn last, not the newest that came", () => {
  const rig = setUp(5);
  rig.receive(5);
  rig.replay.hold();
  assert.deepEqual(rig.replay.place, { at: 4, count: 6 });
});

test("a step back shows the picture before, and steps stop at both ends", async () => {
  const rig = setUp(3);
  rig.replay.hold();
  rig.replay.step(-1);
  await rig.show();
  rig.replay.step(-1);
  rig.replay.step(-1);
  await rig.show();
  rig.replay.step(9);
  await rig.show();
  rig.replay.step(1);
  await rig.show();
  assert.deepEqual(rig.drawn, [1, 0, 2]);
});

test("of the pictures wished for while one is decoded only the last is drawn, and every bitmap is freed", async () => {
  const rig = setUp(40);
  rig.replay.hold();
  for (let i = 0; i < 30; i++) rig.replay.step(-1);
  assert.equal(rig.replay.place.at, 9);
  await rig.show();
  await rig.show();
  assert.equal(rig.drawn.at(-1), 9);
  assert.ok(rig.drawn.length <= 2);
  assert.ok(rig.bitmaps.every(({ closed }) => closed === 1));
});

test("what comes during a pause can be stepped to and does not move the place", async () => {
  const rig = setUp(3);
  rig.replay.hold();
  rig.replay.step(-1);
  rig.receive(3);
  assert.deepEqual(rig.replay.place, { at: 1, count: 4 });
  rig.replay.seek(3);
  await rig.show();
  await rig.show();
  assert.deepEqual(rig.drawn.at(-1), 3);
});

test("going on shows the newest there is, in case nothing newer comes", async () => {
  const rig = setUp(3);
  rig.replay.hold();
  rig.replay.seek(0);
  await rig.show();
  rig.replay.release();
  assert.equal(rig.replay.place, null);
  await rig.show();
  assert.deepEqual(rig.drawn, [0, 2]);
});

test("going on from where the pause began draws nothing again", async () => {
  const rig = setUp(3);
  rig.replay.hold();
  rig.replay.release();
  await rig.show();
  assert.deepEqual(rig.drawn, []);
});

test("another source forgets everything, also a picture that is being decoded", async () => {
  const rig = setUp(3);
  rig.replay.hold();
  rig.replay.step(-1);
  rig.replay.clear();
  await rig.show();
  assert.deepEqual(rig.drawn, []);
  assert.equal(rig.replay.place, null);
  rig.replay.hold();
  assert.equal(rig.replay.place, null);
});

test("a picture that cannot be decoded is told, and the next step works", async () => {
  const rig = setUp(3);
  rig.replay.hold();
  rig.replay.step(-1);
  rig.decodes.splice(0)[0].fail();
  await settled();
  rig.replay.step(-1);
  await rig.show();
  assert.deepEqual(rig.drawn, ["unreadable 1", 0]);
});
