import assert from "node:assert/strict";
import { test } from "node:test";

import { History, KEPT_BYTES, KEPT_MS } from "../../web/history.js";

const message = (receivedMs, bytes = 100) => ({ receivedMs, jpeg: { byteLength: bytes }, cam: { byteLength: 4 } });

function filled(count, everyMs, bytes) {
  const history = new History();
  for (let i = 0; i < count; i++) history.add(message(i * everyMs, bytes));
  return history;
}

test("what came within the last half minute is kept, in order", () => {
  const history = filled(2000, 50, 1000);
  assert.equal(history.at(history.length - 1).receivedMs, 1999 * 50);
  assert.equal(history.at(0).receivedMs, 1999 * 50 - KEPT_MS);
  assert.equal(history.bytes, history.length * 1004);
});

test("big pictures are kept further apart, not for a shorter time: the bytes never pass their bound", () => {
  const history = new History();
  for (let i = 0; i < 2400; i++) {
    history.add(message((i * 1000) / 30, 150_000)); // 720p at 30 pictures a second
    assert.ok(history.bytes <= KEPT_BYTES);
  }
  const kept = Array.from({ length: history.length }, (_, i) => history.at(i).receivedMs);
  const newestMs = kept.at(-1);
  const gaps = kept.slice(1).map((ms, i) => ms - kept[i]);
  const between = (from, to) => gaps.filter((_, i) => newestMs - kept[i] >= from && newestMs - kept[i] < to);
  assert.equal(history.length, Math.floor(KEPT_BYTES / 150_004));
  assert.ok(newestMs - kept[0] > KEPT_MS - 600, `${newestMs - kept[0]}`);
  assert.ok(Math.max(...between(0, 2_000)) < 34); // every one
  assert.ok(Math.max(...between(2_000, 10_000)) < 210);
  assert.ok(Math.max(...gaps) < 600, `${Math.max(...gaps)}`);
});

test("a place that was thinned out is the next newer one's", () => {
  const history = new History(1000, 5 * 104);
  const messages = Array.from({ length: 9 }, (_, i) => message(i * 10));
  for (const each of messages) history.add(each);
  const kept = Array.from({ length: history.length }, (_, i) => history.at(i));
  const gone = messages.findLast((each) => !kept.includes(each));
  assert.equal(history.at(0), messages[0]);
  assert.equal(history.at(history.placeOf(gone)), messages[messages.indexOf(gone) + 1]);
});

test("one picture that is too big by itself is kept alone: it is on the screen", () => {
  const history = filled(3, 10, KEPT_BYTES + 1);
  assert.equal(history.length, 1);
  assert.equal(history.at(0).receivedMs, 20);
});

test("time that passes without a message takes nothing away: a pause keeps what it has", () => {
  const history = filled(10, 100);
  history.add(message(900 + KEPT_MS));
  assert.equal(history.length, 2); // 900 and the newest: the bound counts from there
});

test("a place beyond an end is that end, and an empty history has none", () => {
  const history = filled(3, 10);
  assert.equal(history.at(-5).receivedMs, 0);
  assert.equal(history.at(Infinity).receivedMs, 20);
  assert.equal(new History().at(0), null);
});

test("a message knows its place while others come and go; one that is gone is at the oldest", () => {
  const history = new History(100);
  const [first, second] = [message(0), message(50)];
  history.add(first);
  history.add(second);
  assert.equal(history.placeOf(second), 1);
  history.add(message(130));
  assert.equal(history.placeOf(second), 0);
  assert.equal(history.placeOf(first), 0);
});

test("a message without a picture is not kept", () => {
  const history = new History();
  history.add({ receivedMs: 1, jpeg: null, cam: { byteLength: 4 } });
  assert.deepEqual([history.length, history.bytes], [0, 0]);
});

test("a cleared history holds nothing", () => {
  const history = filled(5, 10);
  history.clear();
  assert.deepEqual([history.length, history.bytes, history.at(0)], [0, 0, null]);
});
