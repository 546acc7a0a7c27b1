import assert from "node:assert/strict";
import { test } from "node:test";

import { hashFor, liveUrl, sourceInHash } from "../../web/address.js";

test("every source name survives the address", () => {
  for (const name of ["reef", "pier camera", "a/b#c?d&e=f+g", "Küste – 北", "100 %"]) {
    assert.equal(sourceInHash(hashFor(name)), name);
  }
});

test("a hash without a source names none", () => {
  for (const hash of ["", "#"]) assert.equal(sourceInHash(hash), null);
});

test("a hash typed by hand need not be encoded", () => {
  assert.equal(sourceInHash("#pier camera"), "pier camera");
  assert.equal(sourceInHash("#100 %"), "100 %");
});

test("the socket is beside the page, secure where the page is", () => {
  assert.equal(liveUrl("http://127.0.0.1:8000/#source=x", "reef"), "ws://127.0.0.1:8000/ws/live/reef");
  assert.equal(liveUrl("https://boat.example/lens/", "a/b c"), "wss://boat.example/lens/ws/live/a%2Fb%20c");
});
