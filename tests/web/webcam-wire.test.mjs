// What this page sends of its own camera, by the vectors that the server's tests read as well.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import "./english.mjs";
import { scaled } from "../../web/film.js";
import { INITIAL, reduce } from "../../web/state.js";
import { decodeText, encodeFrame, WireError } from "../../web/wire.js";
import { connectionWords } from "../../web/words.js";
import { hashFor, sourceInHash, sourceName, webcamUrl } from "../../web/address.js";

const cases = JSON.parse(readFileSync(new URL("../vectors/webcam.json", import.meta.url), "utf8"));

for (const { name, message_base64, seq, t, jpeg_base64 } of cases.filter(({ error }) => error === undefined)) {
  test(`${name}: the same bytes as the server's`, () => {
    const message = encodeFrame(seq, t, new Uint8Array(Buffer.from(jpeg_base64, "base64")));
    assert.equal(Buffer.from(message).toString("base64"), message_base64);
  });
}

test("a skipped picture is told by its number", () => {
  assert.deepEqual(decodeText('{"type":"skipped","seq":3}'), { type: "skipped", seq: 3 });
  assert.throws(() => decodeText('{"type":"skipped"}'), WireError);
});

test("a picture is made smaller, never larger, and keeps its shape", () => {
  assert.deepEqual(scaled([1280, 720], 448), [448, 252]);
  assert.deepEqual(scaled([720, 1280], 448), [252, 448]);
  assert.deepEqual(scaled([320, 240], 448), [320, 240]);
  assert.deepEqual(scaled([4000, 1], 256), [256, 1]);
});

test("the camera has an address that comes back from the hash, a name, and a socket beside the page", () => {
  assert.equal(sourceInHash(hashFor("~camera")), "~camera");
  assert.deepEqual([sourceName("~camera"), sourceName("reef")], ["This camera", "reef"]);
  assert.equal(webcamUrl("https://sea/box/#~camera"), "wss://sea/box/ws/webcam");
});

for (const [phase, reason, said, retry] of [
  ["asking", "", /^Asking for the camera: /, false],
  ["no-camera", "none is connected", /^No camera: none is connected$/, true],
  ["resting", "", /^Camera off: /, true],
]) {
  test(`${phase} is said in words`, () => {
    const link = { phase, reason, attempt: 0, retryAtMs: null };
    const words = connectionWords({ ...INITIAL, source: "~camera", link }, 0);
    assert.match(words.full, said);
    assert.deepEqual([words.retry, words.fresh], [retry, false]);
  });
}

test("pictures that the server skipped are not counted a second time, and the cameras are forgotten with the source", () => {
  const header = { source: "~camera", t: 0, stable: { index: null, since_s: 0 }, media_s: 0, top: [], frame: 0 };
  const drawn = (seq) => ({ type: "drawn", header: { ...header, seq }, cam: null, ageMs: 1, atMs: seq, receivedMs: seq });
  let state = reduce(INITIAL, { type: "choose", source: "~camera" });
  state = [drawn(0), drawn(3), { type: "cameras", list: [{ id: "a", name: "A" }], id: "a" }].reduce(reduce, state);
  assert.deepEqual([state.skipped, state.cameras.id], [0, "a"]);
  assert.deepEqual(reduce(state, { type: "choose", source: "reef" }).cameras, INITIAL.cameras);
});
