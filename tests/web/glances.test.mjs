// Other sources, watched slowly: a mean socket, and a clock that only moves when told.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { GLANCE_MS, Glances } from "../../web/glances.js";

const vectors = JSON.parse(readFileSync(new URL("../vectors/wire.json", import.meta.url), "utf8"));
const results = vectors.filter(({ error, header }) => error === undefined && header.source === "reef");
const bytes = ({ message_base64 }) => Uint8Array.from(Buffer.from(message_base64, "base64")).buffer;

function setUp(hidden = false) {
  const rig = { sockets: [], seen: [], timers: new Map(), hidden };
  let ids = 0;
  const openSocket = (url) => {
    const socket = { url, sent: [], closed: false, send: (text) => socket.sent.push(JSON.parse(text)) };
    socket.close = () => {
      socket.closed = true;
    };
    rig.sockets.push(socket);
    return socket;
  };
  const world = {
    openSocket,
    now: () => 0,
    setTimer: (callback, ms) => rig.timers.set(++ids, { callback, ms }) && ids,
    clearTimer: (id) => rig.timers.delete(id),
    random: () => 0,
    hidden: () => rig.hidden,
  };
  rig.glances = new Glances((name) => `ws/${name}`, (name, message, label) => rig.seen.push([name, message.header.seq, label]), world);
  rig.pass = () => {
    const due = [...rig.timers].filter(([, { callback, ms }]) => ms === GLANCE_MS && /turn/.test(callback));
    for (const [id, { callback }] of due) if (rig.timers.delete(id)) callback();
    return due.length;
  };
  rig.greet = (socket) => socket.onmessage({ data: JSON.stringify({ type: "hello", v: 1, source: "reef", labels: ["Eel", "Crab", "Seal"], provider: "CPU" }) });
  return rig;
}

const acks = (socket) => socket.sent.filter(({ type }) => type === "ack").map(({ seq }) => seq);

test("every source that is named is watched, and one that is no longer is let go", () => {
  const rig = setUp();
  rig.glances.watch(["reef", "pier"]);
  rig.glances.watch(["reef", "boat"]);
  assert.deepEqual(rig.sockets.map(({ url, closed }) => [url, closed]), [["ws/reef", false], ["ws/pier", true], ["ws/boat", false]]);
});

test("a result is seen at once and acknowledged at its turn, one a turn", () => {
  const rig = setUp();
  rig.glances.watch(["reef"]);
  const [socket] = rig.sockets;
  rig.greet(socket);
  for (const each of results.slice(0, 2)) socket.onmessage({ data: bytes(each) });
  const [first, second] = results.map(({ header }) => header.seq);
  assert.deepEqual(rig.seen, [["reef", first, "Seal"], ["reef", second, "Seal"]]);
  assert.deepEqual(acks(socket), []);
  rig.pass();
  assert.deepEqual(acks(socket), [first]);
  rig.pass();
  assert.deepEqual(acks(socket), [first, second]);
});

test("a hidden page acknowledges nothing, and goes on when it is seen again", () => {
  const rig = setUp(true);
  rig.glances.watch(["reef"]);
  const [socket] = rig.sockets;
  rig.greet(socket);
  socket.onmessage({ data: bytes(results[0]) });
  rig.pass();
  rig.pass();
  assert.deepEqual(acks(socket), []);
  rig.hidden = false;
  rig.pass();
  assert.deepEqual(acks(socket), [results[0].header.seq]);
});

test("what a lost socket brought is not acknowledged on the next", () => {
  const rig = setUp();
  rig.glances.watch(["reef"]);
  rig.greet(rig.sockets[0]);
  rig.sockets[0].onmessage({ data: bytes(results[0]) });
  rig.sockets[0].onclose({ code: 1006, reason: "" });
  for (const [id, { callback }] of [...rig.timers]) if (rig.timers.delete(id)) callback();
  rig.greet(rig.sockets[1]);
  rig.pass();
  assert.deepEqual(acks(rig.sockets[1]), []);
});
