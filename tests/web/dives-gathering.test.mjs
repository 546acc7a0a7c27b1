// Files of one dive wait for each other, and one of them takes the others along.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Gathering, isLog, lookLikeOne } from "../../web/dives-gathering.js";

class Fake {
  constructor(id, state = "here") {
    [this.id, this.state] = [id, state];
  }
  taken() {
    this.state = "done";
  }
}

function gathering(said, ...recordings) {
  const made = new Gathering(said);
  made.recordings = recordings;
  return made;
}

test("one file alone waits for nobody and says nothing", () => {
  const file = new Fake("a", "sending");
  assert.deepEqual(gathering({}, file).belongs(file), {});
});

test("nobody makes the dive before every file and the log are here", () => {
  const [a, b] = [new Fake("a"), new Fake("b", "sending")];
  const both = gathering({ startUtc: "2026-05-01T09:00:00.000Z", offsetS: 3600 }, a, b);
  both.log = new Fake("log", "waiting");
  assert.equal(both.next(), null);
  assert.equal(both.belongs(b), null);
  both.log.state = "here";
  assert.equal(both.belongs(a), null);
  assert.deepEqual(both.belongs(b), { more: ["a"], divelog: "log", divelog_offset_s: 3600, start_utc: "2026-05-01T09:00:00.000Z" });
  assert.equal(both.belongs(both.log), null);
  b.state = "here";
  assert.equal(both.next(), a);
  a.state = "done";
  both.settle();
  assert.deepEqual([b.state, both.log.state], ["done", "done"]);
  assert.equal(both.next(), null);
});

test("a file that is given up is no part of the dive, and a log without a recording is an orphan", () => {
  const [a, b] = [new Fake("a"), new Fake("b", "cancelled")];
  const rest = gathering({}, a, b);
  rest.log = new Fake("log");
  assert.deepEqual(rest.belongs(a), { divelog: "log", divelog_offset_s: null });
  assert.equal(rest.orphan, null);
  a.state = "cancelled";
  assert.equal(rest.next(), null);
  assert.equal(rest.orphan, rest.log);
});

test("a log is known by its name, and a GoPro's chapters look like one dive", () => {
  assert.ok(isLog({ name: "Dives.SSRF" }));
  assert.ok(!isLog({ name: "reef.mp4" }));
  const named = (...names) => names.map((name) => ({ name }));
  assert.ok(lookLikeOne(named("GX010123.MP4", "GX020123.MP4")));
  assert.ok(lookLikeOne(named("GOPR0123.MP4", "GP010123.MP4")));
  assert.ok(!lookLikeOne(named("GX010123.MP4", "GX010124.MP4")));
  assert.ok(!lookLikeOne(named("a.mp4", "b.mp4")));
  assert.ok(!lookLikeOne(named("GX010123.MP4")));
});
