// The state machine against a mean socket and a clock that only moves when told.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import "./english.mjs";
import { phrase } from "../../web/text.js";
import {
  Connection,
  HELLO_MS,
  PING_MS,
  PONG_MS,
  SETTLED_MS,
  WAIT_FIRST_MS,
  WAIT_MAX_MS,
} from "../../web/connection.js";

const HELLO = JSON.stringify({
  type: "hello",
  v: 1,
  source: "reef",
  labels: ["Eel", "Seal"],
  provider: "CPUExecutionProvider",
});
const TEXTS = JSON.parse(readFileSync(new URL("../vectors/texts.json", import.meta.url), "utf8"));
const [RESULT] = JSON.parse(readFileSync(new URL("../vectors/wire.json", import.meta.url), "utf8"));

function resultBytes() {
  const buffer = Buffer.from(RESULT.message_base64, "base64");
  return buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.byteLength);
}

class Socket {
  readyState = 1; // open
  sent = [];
  closed = null;

  send(text) {
    if (this.readyState > 1) throw new Error("WebSocket is already in CLOSING or CLOSED state."); // browsers log it
    this.sent.push(JSON.parse(text));
  }

  close(code, reason) {
    this.closed = { code, reason };
  }

  hello() {
    this.onmessage({ data: HELLO });
  }

  ofType(type) {
    return this.sent.filter((message) => message.type === type);
  }
}

/** A connection with everything it touches: sockets in order of opening, what its handlers were told, the clock. */
function setUp({ random = () => 1, refuse = null, refusal = null } = {}) {
  const timers = new Map();
  const rig = { sockets: [], links: [], hellos: [], statuses: [], notices: [], rtts: [], results: [], asked: [], nowMs: 1000 };
  let nextId = 1;
  rig.pending = () => timers.size;
  rig.advance = (ms) => {
    const until = rig.nowMs + ms;
    for (;;) {
      const due = [...timers].filter(([, timer]) => timer.atMs <= until).sort((a, b) => a[1].atMs - b[1].atMs)[0];
      if (due === undefined) break;
      timers.delete(due[0]);
      rig.nowMs = due[1].atMs;
      due[1].callback();
    }
    rig.nowMs = until;
  };
  rig.connection = new Connection(
    "ws://sea/ws/live/reef",
    {
      link: (link) => rig.links.push(link),
      hello: (hello) => rig.hellos.push(hello),
      status: (status) => rig.statuses.push(status),
      notice: (notice) => rig.notices.push(notice),
      rtt: (ms) => rig.rtts.push(ms),
      result: (result) => rig.results.push(result),
    },
    {
      openSocket: () => {
        if (refuse !== null) throw refuse;
        rig.sockets.push(new Socket());
        return rig.sockets.at(-1);
      },
      refusal: async (url) => {
        rig.asked.push(url);
        return refusal;
      },
      now: () => rig.nowMs,
      setTimer: (callback, ms) => {
        timers.set(nextId, { callback, atMs: rig.nowMs + ms });
        return nextId++;
      },
      clearTimer: (id) => timers.delete(id),
      random,
    },
  );
  rig.socket = () => rig.sockets.at(-1);
  rig.fails = async () => {
    rig.socket().onclose({ code: 1006, reason: "" });
    await new Promise(setImmediate); // it is asked why
  };
  rig.phase = () => rig.links.at(-1)?.phase;
  return rig;
}

function live(options) {
  const rig = setUp(options);
  rig.connection.open();
  rig.socket().hello();
  return rig;
}

test("a socket that closes is given nothing any more", () => {
  const rig = live();
  rig.socket().readyState = 2; // closing: its close event has not come yet
  rig.connection.ack(1);
  rig.connection.explain(2);
  assert.equal(rig.connection.sendFrame(0, 0, new Uint8Array(4)), false);
  assert.deepEqual(rig.socket().ofType("ack"), []);
});

test("a hello makes it live and a ping goes out at once", () => {
  const rig = live();
  assert.deepEqual(rig.links.map(({ phase }) => phase), ["connecting", "live"]);
  assert.equal(rig.hellos[0].source, "reef");
  assert.equal(rig.socket().ofType("ping").length, 1);
});

test("opening twice opens one socket", () => {
  const rig = setUp();
  rig.connection.open();
  rig.connection.open();
  assert.equal(rig.sockets.length, 1);
});

test("a result arrives with the time of its receipt, and its ack goes out when asked for", () => {
  const rig = live();
  rig.nowMs = 5000;
  rig.socket().onmessage({ data: resultBytes() });
  assert.equal(rig.results[0].receivedMs, 5000);
  assert.equal(rig.results[0].header.seq, RESULT.header.seq);
  assert.deepEqual(rig.socket().ofType("ack"), []);
  rig.connection.ack(17);
  assert.deepEqual(rig.socket().ofType("ack"), [{ type: "ack", seq: 17 }]);
});

test("the round trip is measured with every pong and smoothed", () => {
  const rig = live();
  rig.nowMs += 40;
  rig.socket().onmessage({ data: JSON.stringify({ type: "pong", t: 1000 }) });
  assert.equal(rig.connection.rttMs, 40);
  rig.socket().onmessage({ data: JSON.stringify({ type: "pong", t: rig.nowMs - 140 }) });
  assert.ok(Math.abs(rig.connection.rttMs - 70) < 1e-9);
  assert.deepEqual(rig.rtts, [40, rig.connection.rttMs]);
});

test("a socket that closes at once is asked again later and later, up to the cap", async () => {
  const rig = setUp();
  rig.connection.open();
  const waits = [];
  for (let i = 0; i < 9; i++) {
    await rig.fails();
    waits.push(rig.links.at(-1).retryAtMs - rig.nowMs);
    rig.advance(waits.at(-1));
    assert.equal(rig.phase(), "connecting");
  }
  assert.deepEqual(waits.slice(0, 4), [WAIT_FIRST_MS, 2 * WAIT_FIRST_MS, 4 * WAIT_FIRST_MS, 8 * WAIT_FIRST_MS]);
  assert.deepEqual(waits.slice(-3), [WAIT_MAX_MS, WAIT_MAX_MS, WAIT_MAX_MS]);
});

test("jitter shortens a wait by at most half", async () => {
  for (const share of [0, 0.25, 0.999]) {
    const rig = setUp({ random: () => share });
    rig.connection.open();
    await rig.fails();
    const waitMs = rig.links.at(-1).retryAtMs - rig.nowMs;
    assert.ok(waitMs >= WAIT_FIRST_MS / 2 && waitMs <= WAIT_FIRST_MS, `${waitMs}`);
  }
});

test("a server that greets and dies at once is not asked twice a second", () => {
  const rig = setUp();
  rig.connection.open();
  for (let i = 0; i < 8; i++) {
    rig.socket().hello();
    rig.socket().onclose({ code: 1011, reason: "" });
    rig.advance(rig.links.at(-1).retryAtMs - rig.nowMs);
  }
  assert.equal(rig.links.at(-1).attempt, 8);
});

test("after a settled time the wait starts over", async () => {
  const rig = setUp();
  rig.connection.open();
  for (let i = 0; i < 5; i++) {
    await rig.fails();
    rig.advance(rig.links.at(-1).retryAtMs - rig.nowMs);
  }
  rig.socket().hello();
  rig.nowMs += SETTLED_MS;
  rig.socket().onclose({ code: 1006, reason: "" });
  assert.equal(rig.links.at(-1).retryAtMs - rig.nowMs, WAIT_FIRST_MS);
});

test("an error alone is a loss, and the close that follows it is not a second one", () => {
  const rig = live();
  const socket = rig.socket();
  socket.onerror({});
  socket.onclose({ code: 1006, reason: "" });
  assert.deepEqual(rig.links.map(({ phase }) => phase), ["connecting", "live", "waiting"]);
  assert.match(phrase(rig.links.at(-1).reason), /no connection/);
});

test("a socket that never opens is given up", () => {
  const rig = setUp();
  rig.connection.open();
  rig.advance(HELLO_MS);
  assert.equal(rig.phase(), "waiting");
  assert.match(phrase(rig.links.at(-1).reason), /no answer within 8\ss/);
  assert.notEqual(rig.sockets[0].closed, null);
});

test("one that opens too late is closed and cannot disturb the next", () => {
  const rig = setUp();
  rig.connection.open();
  rig.advance(HELLO_MS + WAIT_FIRST_MS);
  assert.equal(rig.sockets.length, 2);
  rig.sockets[0].hello();
  rig.sockets[0].onmessage({ data: resultBytes() });
  rig.sockets[0].onclose({ code: 4404, reason: "late" });
  assert.equal(rig.phase(), "connecting");
  assert.deepEqual(rig.results, []);
  rig.sockets[1].hello();
  assert.equal(rig.phase(), "live");
});

test("a peer that falls silent is noticed by its missing pong", () => {
  const rig = live();
  rig.advance(PONG_MS - 1);
  assert.equal(rig.phase(), "live");
  rig.advance(1);
  assert.equal(rig.phase(), "waiting");
  assert.match(phrase(rig.links.at(-1).reason), /no answer for 8\ss/);
});

test("pongs keep it live for as long as they come", () => {
  const rig = live();
  for (let i = 0; i < 30; i++) {
    rig.advance(PING_MS);
    rig.socket().onmessage({ data: JSON.stringify({ type: "pong", t: rig.nowMs }) });
  }
  assert.equal(rig.phase(), "live");
  assert.equal(rig.socket().ofType("ping").length, 31);
});

for (const [code, reason, said] of [
  [4404, "", /no such source/],
  [4404, "no source called “reef”", /no source called “reef”/],
  [1008, "", /does not accept/],
  [1009, "", /too big/],
  [4400, "seq: expected an integer", /seq: expected an integer/],
]) {
  test(`close code ${code} (${reason || "no reason"}) is final and says why`, () => {
    const rig = live();
    rig.socket().onclose({ code, reason });
    assert.equal(rig.phase(), "closed");
    assert.match(phrase(rig.links.at(-1).reason), said);
    rig.connection.retryNow();
    rig.advance(10 * WAIT_MAX_MS);
    assert.equal(rig.sockets.length, 1);
    assert.equal(rig.pending(), 0);
  });
}

test("a full server is asked again when it said, not before, until it has a place", async () => {
  for (const share of [0, 1]) {
    const rig = setUp({ random: () => share, refusal: { retryMs: 10_000, why: "64 are watching, no more can" } });
    rig.connection.open();
    for (let i = 0; i < 8; i++) {
      await rig.fails();
      assert.equal(rig.asked.at(-1), "ws://sea/ws/live/reef");
      const { phase, reason, retryAtMs } = rig.links.at(-1);
      assert.deepEqual([phase, phrase(reason)], ["waiting", "64 are watching, no more can"]);
      assert.equal(retryAtMs - rig.nowMs, share === 0 ? 10_000 : 15_000); // not all pages at the same moment
      rig.advance(retryAtMs - rig.nowMs);
      assert.equal(rig.links.at(-1).reason, reason); // what it says does not flicker while it asks
    }
    rig.socket().hello();
    assert.deepEqual([rig.phase(), rig.links.at(-1).reason], ["live", ""]);
  }
});

test("one that is closed while it asks why says nothing any more", async () => {
  const rig = setUp();
  rig.connection.open();
  const failing = rig.fails();
  rig.connection.close();
  await failing;
  assert.deepEqual(rig.links.map(({ phase }) => phase), ["connecting"]);
  assert.equal(rig.pending(), 0);
});

test("a connection that was live and is lost asks nobody why", () => {
  const rig = live();
  rig.socket().onclose({ code: 1006, reason: "" });
  assert.deepEqual(rig.asked, []);
});

for (const code of [1001, 1006, 1011, 1012, 4999]) {
  test(`close code ${code} is worth another try`, () => {
    const rig = live();
    rig.socket().onclose({ code, reason: "" });
    assert.equal(rig.phase(), "waiting");
    assert.notEqual(phrase(rig.links.at(-1).reason), "");
  });
}

test("an unreadable message ends the connection with what was wrong", () => {
  const rig = live();
  rig.socket().onmessage({ data: new ArrayBuffer(3) });
  assert.equal(rig.phase(), "waiting");
  assert.match(phrase(rig.links.at(-1).reason), /cannot read \(message: truncated/);
});

test("a result before hello breaks the protocol", () => {
  const rig = setUp();
  rig.connection.open();
  rig.socket().onmessage({ data: resultBytes() });
  assert.match(phrase(rig.links.at(-1).reason), /before hello/);
  assert.deepEqual(rig.results, []);
});

test("retryNow ends a wait and leaves no timer of it behind", () => {
  const rig = live();
  rig.socket().onclose({ code: 1006, reason: "" });
  rig.connection.retryNow();
  assert.equal(rig.phase(), "connecting");
  assert.equal(rig.sockets.length, 2);
  rig.sockets[1].hello();
  rig.connection.retryNow();
  rig.advance(PING_MS / 2);
  assert.equal(rig.sockets.length, 2);
});

test("nothing is heard of it after close", () => {
  const rig = live();
  const socket = rig.socket();
  const told = rig.links.length;
  rig.connection.close();
  assert.deepEqual(socket.closed, { code: 1000, reason: "" });
  socket.onmessage({ data: resultBytes() });
  socket.onclose({ code: 1006, reason: "" });
  rig.connection.ack(17);
  rig.connection.open();
  rig.connection.retryNow();
  rig.advance(10 * WAIT_MAX_MS);
  assert.equal(rig.links.length, told);
  assert.deepEqual(rig.results, []);
  assert.equal(rig.sockets.length, 1);
  assert.equal(rig.pending(), 0);
});

test("an address that the browser refuses is final", () => {
  const rig = setUp({ refuse: new Error("insecure") });
  rig.connection.open();
  assert.equal(rig.phase(), "closed");
  assert.match(phrase(rig.links.at(-1).reason), /insecure/);
  assert.equal(rig.pending(), 0);
});

test("a class to explain is asked for while live, as the shared examples have it, and a refusal is handed over", () => {
  const rig = setUp();
  rig.connection.open();
  rig.connection.explain(2);
  assert.deepEqual(rig.socket().ofType("explain"), []); // the server takes nothing before its hello
  rig.socket().hello();
  rig.connection.explain(2);
  rig.connection.explain(-1);
  assert.deepEqual(rig.socket().ofType("explain"), TEXTS.explain);
  rig.socket().onmessage({ data: JSON.stringify(TEXTS.notice) });
  assert.deepEqual(rig.notices, [TEXTS.notice]);
  assert.equal(rig.phase(), "live");
});
