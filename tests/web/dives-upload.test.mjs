// A file arrives whole whatever happens to the network, the server or the page.

import assert from "node:assert/strict";
import { test } from "node:test";

import { isSame, Sending, SLICE_BYTES } from "../../web/dives-upload.js";

const file = (size, name = "reef.mp4") => ({ name, size, lastModified: 7, slice: (from, to) => ({ from, to: Math.min(to, size) }) });

/** A server in a few lines, that does what `trouble` says to the n-th request; time passes when someone waits. */
class Server {
  offset = 0;
  asked = [];
  begun = 0;
  now = 0;
  trouble = new Map();
  waits = [];

  world = {
    fetch: (path, options = {}) => this.#answer(path, options),
    now: () => this.now,
    setTimer: (callback, ms) => {
      this.waits.push(ms);
      this.now += ms;
      return setImmediate(callback);
    },
    clearTimer: (id) => clearImmediate(id),
  };

  async #answer(path, { method = "GET", body, headers }) {
    const trouble = this.trouble.get(this.asked.length) ?? "";
    this.asked.push(`${method} ${path}`);
    this.now += 10;
    if (trouble === "lost") throw new TypeError("network");
    if (Number(trouble)) return json(Number(trouble), { detail: `answer ${trouble}` });
    if (method === "POST" && path === "api/uploads") {
      this.begun++;
      return json(201, { id: "abc" });
    }
    if (method === "PATCH") {
      if (Number(headers["upload-offset"]) !== this.offset) return json(409, { detail: "offset" });
      this.offset = body.to;
      if (trouble === "unheard") throw new TypeError("network");
      return { ok: true, status: 204, headers: new Map([["upload-offset", String(this.offset)]]) };
    }
    if (path.endsWith("/finish")) return json(200, { id: "abc" });
    return json(200, { offset: this.offset });
  }
}

const json = (status, value) => ({ ok: status < 400, status, headers: new Map(), json: async () => value });

async function send(server, size = 3 * SLICE_BYTES + 5, how = {}) {
  const [states, seen] = [[], []];
  const sending = new Sending(file(size), { everyS: null, ...how }, server.world, ({ state, reason }) => {
    states.push(state);
    seen.push({ state, reason });
  });
  await sending.start();
  return { sending, states, seen };
}

test("a file is sent in slices and finished once", async () => {
  const server = new Server();
  const { sending } = await send(server);
  assert.equal(sending.state, "done");
  assert.equal(server.offset, sending.size);
  assert.deepEqual(server.asked, ["POST api/uploads", ...Array(4).fill("PATCH api/uploads/abc"), "POST api/uploads/abc/finish"]);
});

for (let at = 0; at < 6; at++) {
  for (const trouble of ["lost", "500", "503", "423"]) {
    test(`request ${at} that is answered "${trouble}" costs nothing but time`, async () => {
      const server = new Server();
      server.trouble.set(at, trouble);
      const { sending, states, seen } = await send(server);
      assert.equal(sending.state, "done");
      assert.equal(server.offset, sending.size);
      assert.ok(states.includes("retrying"));
      const { reason } = seen.find(({ state }) => state === "retrying");
      assert.equal(reason, trouble === "423" ? "busy" : ""); // another page is sending it; else the line is down
    });
  }
}

test("bytes that arrived while their answer was lost are not sent again", async () => {
  const server = new Server();
  server.trouble.set(2, "unheard");
  const { sending } = await send(server);
  assert.equal(sending.state, "done");
  assert.equal(server.asked.filter((line) => line.startsWith("PATCH")).length, 4);
});

test("an answer to finish that was lost is asked for again, though the upload is gone", async () => {
  const server = new Server();
  server.trouble.set(5, "lost").set(6, "404");
  assert.equal((await send(server)).sending.state, "done");
});

test("the pauses grow and end at a quarter of a minute; a success makes them short again", async () => {
  const server = new Server();
  for (let at = 1; at <= 14; at++) server.trouble.set(at, "lost");
  await send(server);
  assert.deepEqual(server.waits.slice(0, 6), [1000, 2000, 4000, 8000, 15000, 15000]);
});

for (const status of ["413", "507", "404", "403", "422"]) {
  test(`what ${status} says is final and shown`, async () => {
    const server = new Server();
    server.trouble.set(0, status);
    const { sending } = await send(server);
    assert.deepEqual([sending.state, sending.reason], ["failed", `answer ${status}`]);
  });
}

test("an upload that a reload left behind goes on from where it stands", async () => {
  const server = new Server();
  server.offset = SLICE_BYTES;
  const { sending } = await send(server, 2 * SLICE_BYTES, { upload: { id: "abc", offset: SLICE_BYTES } });
  assert.equal(sending.state, "done");
  assert.equal(server.begun, 0);
  assert.equal(server.asked.length, 2);
});

test("a pause keeps what is there, and going on sends the rest", async () => {
  const server = new Server();
  let pauses = 0;
  const sending = new Sending(file(3 * SLICE_BYTES), { everyS: null }, server.world, (one) => {
    if (one.offset === SLICE_BYTES && one.state === "sending" && pauses++ === 0) one.pause();
  });
  await sending.start();
  assert.deepEqual([sending.state, sending.offset], ["paused", SLICE_BYTES]);
  await sending.start();
  assert.equal(server.offset, 3 * SLICE_BYTES);
});

test("one that is cancelled is removed from the server", async () => {
  const server = new Server();
  const sending = new Sending(file(3 * SLICE_BYTES), { everyS: null }, server.world, (one) => {
    if (one.offset === SLICE_BYTES && one.state === "sending") one.cancel();
  });
  await sending.start();
  assert.equal(sending.state, "cancelled");
  assert.equal(server.asked.at(-1), "DELETE api/uploads/abc");
});

test("a file is known again by its name, size and date", () => {
  const upload = { name: "reef.mp4", size: 5, modified_ms: 7 };
  assert.ok(isSame(file(5), upload));
  assert.ok(!isSame(file(6), upload));
  assert.ok(!isSame(file(5, "other.mp4"), upload));
});
