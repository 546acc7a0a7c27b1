// web/wire.js against the vectors that serving/wire.py is held to, and a few that only a browser meets.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { decodeResult, decodeText, WireError } from "../../web/wire.js";

const vectors = JSON.parse(readFileSync(new URL("../vectors/wire.json", import.meta.url), "utf8"));

function bytes(base64) {
  const buffer = Buffer.from(base64, "base64");
  return buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.byteLength);
}

test("there are vectors of both kinds", () => {
  assert.ok(vectors.some((vector) => vector.error === undefined));
  assert.ok(vectors.some((vector) => vector.error !== undefined));
});

for (const vector of vectors) {
  if (vector.error === undefined) {
    test(`reads ${vector.name}`, () => {
      const { header, cam, jpeg } = decodeResult(bytes(vector.message_base64));
      assert.deepEqual(header, vector.header);
      assert.deepEqual([...cam], vector.cam);
      assert.equal(jpeg === null, vector.header.jpeg === null);
      assert.equal(Buffer.from(jpeg ?? []).toString("base64"), vector.jpeg_base64);
    });
  } else {
    test(`refuses ${vector.name}`, () => {
      assert.throws(
        () => decodeResult(bytes(vector.message_base64)),
        (error) => error instanceof WireError && error.message.includes(vector.error),
      );
    });
  }
}

test("a message cut anywhere is refused with a reason, never read wrongly", () => {
  const whole = bytes(vectors.find((vector) => vector.header?.jpeg === null).message_base64);
  for (let length = 0; length < whole.byteLength; length++) {
    assert.throws(() => decodeResult(whole.slice(0, length)), WireError, `cut at ${length}`);
  }
});

const hello = { type: "hello", v: 1, source: "reef", labels: ["Eel", "Seal"], provider: "CPUExecutionProvider" };

test("hello, status and pong are read", () => {
  assert.deepEqual(decodeText(JSON.stringify(hello)), hello);
  assert.equal(decodeText('{"type":"status","state":"failed","reason":"no answer"}').reason, "no answer");
  assert.equal(decodeText('{"type":"pong","t":12.5}').t, 12.5);
  assert.equal(decodeText('{"type":"notice","text":"no more","explain":-1}').explain, -1);
});

test("a text of a later version's type is passed over", () => {
  assert.equal(decodeText('{"type":"weather","sea":"rough"}'), null);
});

for (const [name, text, reason] of [
  ["not JSON", "{", /not JSON/],
  ["a list", "[]", /expected a JSON object/],
  ["no type", "{}", /type: expected text/],
  ["hello of another version", JSON.stringify({ ...hello, v: 2 }), /v: expected version 1, received 2; reload/],
  ["labels that are not texts", JSON.stringify({ ...hello, labels: ["Eel", 7] }), /labels: expected/],
  ["a notice without the choice", '{"type":"notice","text":"no more"}', /explain: expected an integer from -1/],
  ["a pong without its number", '{"type":"pong"}', /t: expected a number/],
]) {
  test(`a text message is refused: ${name}`, () => {
    assert.throws(() => decodeText(text), (error) => error instanceof WireError && reason.test(error.message));
  });
}
