// Why a word on a sighting was not kept.

import assert from "node:assert/strict";
import { test } from "node:test";

import "./english.mjs";
import { refusalWords } from "../../web/sighting-dialog.js";

test("every refusal of the server has words, and one that is not known its code", () => {
  const words = [[0], [403], [404], [409, "off"], [409, "gone"], [409, "unreadable"], [507], [500], [409]].map((each) => refusalWords(...each));
  assert.equal(words[0], "no connection to the server");
  assert.equal(words[3], "the server does not record");
  assert.deepEqual(words.slice(-2), ["error 500", "error 409"]);
  for (const text of words) assert.doesNotMatch(text, /^\w+\.\w+/); // no key
});
