// The state machine of this device's own camera against a mean browser, a mean socket and a clock that stands still.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import "./english.mjs";
import { phrase } from "../../web/text.js";
import { UNPLUGGED } from "../../web/camera.js";
import { HIDDEN_MS, MAX_UNDER_WAY, Webcam } from "../../web/webcam.js";

const vectors = JSON.parse(readFileSync(new URL("../vectors/wire.json", import.meta.url), "utf8"));
const PATTERN = vectors.find(({ header }) => header?.jpeg === null); // a result without a picture

const settle = () => new Promise((resolve) => setImmediate(resolve));

class Track {
  stopped = false;
  onended = null;

  constructor(id) {
    this.id = id;
  }

  stop() {
    this.stopped = true;
  }

  getSettings() {
    return { deviceId: this.id };
  }
}

class Socket {
  frames = [];
  texts = [];
  closed = false;

  send(data) {
    if (typeof data === "string") {
      this.texts.push(JSON.parse(data));
      return;
    }
    const length = new DataView(data.buffer).getUint32(0);
    this.frames.push({
      ...JSON.parse(new TextDecoder().decode(data.slice(4, 4 + length))),
      jpeg: [...data.slice(4 + length)],
    });
  }

  close() {
    this.closed = true;
  }

  say(message) {
    this.onmessage({ data: JSON.stringify(message) });
  }

  hello(more = {}) {
    this.say({ type: "hello", v: 1, source: "~camera", labels: ["Eel"], provider: "CPU", input_size: 224, ...more });
  }

  /** The server's answer to a picture: the test vector under another number. */
  answer({ seq, t }) {
    const whole = Buffer.from(PATTERN.message_base64, "base64");
    const after = whole.subarray(4 + whole.readUInt32BE(0));
    const text = Buffer.from(JSON.stringify({ ...PATTERN.header, source: "~camera", seq, t }));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(text.length);
    this.onmessage({ data: new Uint8Array(Buffer.concat([length, text, after])).buffer });
  }
}

/** A webcam with everything it touches. The browser answers when told, and the video shows a picture when told. */
function setUp({ devices = true, secure = true, deviceId = "" } = {}) {
  const rig = { links: [], results: [], cameras: [], hellos: 0, sockets: [], asked: [], shown: [], nowMs: 1000 };
  rig.list = [{ id: "front", name: "Front" }];
  rig.timers = new Map();
  rig.waiting = null; // the callback for the next picture
  rig.sides = [];
  rig.grabbed = () => Promise.resolve({ jpeg: Uint8Array.of(1, 2, 3), size: [9, 16] });
  const found = {
    ask: (id) => new Promise((resolve, reject) => rig.asked.push({ id, resolve, reject })),
    list: async () => rig.list,
    onChange: (callback) => {
      rig.plug = callback;
      return () => {
        rig.plug = null;
      };
    },
  };
  const film = {
    show: (stream) => rig.shown.push(stream),
    nextFrame: (callback) => {
      assert.equal(rig.waiting, null, "one picture is waited for at a time");
      rig.waiting = callback;
      return () => {
        rig.waiting = null;
      };
    },
    grab: (side) => {
      rig.sides.push(side);
      return rig.grabbed();
    },
  };
  let nextId = 1;
  const world = {
    openSocket: () => {
      rig.sockets.push(new Socket());
      return rig.sockets.at(-1);
    },
    now: () => rig.nowMs,
    setTimer: (callback, ms) => {
      rig.timers.set(nextId, { callback, ms });
      return nextId++;
    },
    clearTimer: (id) => rig.timers.delete(id),
    random: () => 1,
    film,
    secure,
    devices: devices ? found : null,
  };
  const handlers = {
    link: (link) => rig.links.push(link),
    hello: () => rig.hellos++,
    status: () => {},
    notice: () => {},
    rtt: () => {},
    result: (message) => rig.results.push(message),
    cameras: (event) => rig.cameras.push(event),
  };
  rig.webcam = new Webcam("ws://sea/ws/webcam", deviceId, handlers, world);
  rig.socket = () => rig.sockets.at(-1);
  rig.phases = () => rig.links.map(({ phase }) => phase);
  rig.allow = async (id = "front") => {
    const track = new Track(id);
    rig.asked.at(-1).resolve({ getVideoTracks: () => [track], getTracks: () => [track] });
    await settle();
    return track;
  };
  rig.picture = async () => {
    const callback = rig.waiting;
    rig.waiting = null;
    callback?.();
    await settle();
    return callback !== null;
  };
  rig.hiddenTimer = () => [...rig.timers].find(([, { ms }]) => ms === HIDDEN_MS);
  return rig;
}

async function live(options) {
  const rig = setUp(options);
  rig.webcam.open();
  rig.track = await rig.allow();
  rig.socket().hello();
  return rig;
}

test("the camera is asked for first, then the server, then pictures go out", async () => {
  const rig = setUp();
  rig.webcam.open();
  assert.deepEqual([rig.phases(), rig.sockets.length], [["asking"], 0]);
  await rig.allow();
  assert.deepEqual(rig.phases(), ["asking", "connecting"]);
  assert.equal(rig.waiting, null);
  rig.socket().hello();
  rig.nowMs = 1234.5;
  await rig.picture();
  assert.deepEqual(rig.socket().frames, [{ v: 1, seq: 0, t: 1234.5, jpeg: [1, 2, 3] }]);
  assert.deepEqual(rig.cameras, [{ list: rig.list, id: "front" }]);
});

test("at most two are under way; a drawn one makes room for one, and its number covers all before it", async () => {
  const rig = await live();
  while (await rig.picture());
  assert.equal(rig.socket().frames.length, MAX_UNDER_WAY);
  rig.socket().answer(rig.socket().frames[0]);
  assert.equal(await rig.picture(), false); // answered, not drawn: a paused page asks for no more
  rig.webcam.ack(0);
  assert.equal(await rig.picture(), true);
  assert.equal(await rig.picture(), false);
  rig.webcam.ack(2);
  while (await rig.picture());
  assert.deepEqual(rig.socket().frames.map(({ seq }) => seq), [0, 1, 2, 3, 4]);
});

test("one that the server skipped makes room at once", async () => {
  const rig = await live();
  while (await rig.picture());
  rig.socket().say({ type: "skipped", seq: 0 });
  assert.equal(await rig.picture(), true);
  assert.equal(rig.socket().frames.length, 3);
});

test("a result comes with the picture that was sent", async () => {
  const rig = await live();
  await rig.picture();
  rig.socket().answer(rig.socket().frames[0]);
  const [{ header, jpeg }] = rig.results;
  assert.deepEqual([header.source, header.t, header.jpeg, [...jpeg]], ["~camera", 1000, [9, 16], [1, 2, 3]]);
});

test("pictures are twice the model's input, within what makes sense", async () => {
  for (const [input, side] of [[32, 256], [224, 448], [2048, 1024], [undefined, 256]]) {
    const rig = setUp();
    rig.webcam.open();
    await rig.allow();
    rig.socket().hello({ input_size: input });
    await rig.picture();
    assert.deepEqual(rig.sides, [side]);
  }
});

test("a video that has no picture yet is asked again", async () => {
  const rig = await live();
  const grabbed = rig.grabbed;
  rig.grabbed = () => Promise.resolve(null);
  await rig.picture();
  rig.grabbed = grabbed;
  await rig.picture();
  assert.deepEqual(rig.socket().frames.map(({ seq }) => seq), [0]);
});

test("after a lost connection the pictures of the old one are forgotten and the camera stays on", async () => {
  const rig = await live();
  while (await rig.picture());
  rig.socket().onclose({ code: 1006, reason: "" });
  assert.equal(rig.phases().at(-1), "waiting");
  assert.equal(rig.track.stopped, false);
  rig.webcam.retryNow();
  rig.socket().hello();
  while (await rig.picture());
  assert.deepEqual(rig.sockets[1].frames.map(({ seq }) => seq), [2, 3]);
});

test("a connection lost while a picture is being encoded does not carry it over", async () => {
  const rig = await live();
  let finish;
  rig.grabbed = () => new Promise((resolve) => (finish = resolve));
  await rig.picture();
  rig.socket().onclose({ code: 1006, reason: "" });
  finish({ jpeg: Uint8Array.of(1), size: [1, 1] });
  await settle();
  assert.deepEqual(rig.sockets[0].frames, []);
});

test("a server that refuses for good has the camera switched off", async () => {
  const rig = await live();
  rig.socket().onclose({ code: 4400, reason: "jpeg: not a JPEG" });
  assert.deepEqual([rig.links.at(-1).phase, phrase(rig.links.at(-1).reason)], ["closed", "jpeg: not a JPEG"]);
  assert.deepEqual([rig.track.stopped, rig.shown.at(-1), rig.waiting], [true, null, null]);
});

test("closing stops the camera, the socket and every timer, and nothing is heard of it again", async () => {
  const rig = await live();
  rig.webcam.setHidden(true);
  const told = rig.links.length;
  rig.webcam.close();
  assert.deepEqual([rig.track.stopped, rig.socket().closed, rig.timers.size, rig.plug], [true, true, 0, null]);
  assert.deepEqual([rig.waiting, rig.shown.at(-1)], [null, null]);
  rig.track.onended();
  rig.webcam.open();
  rig.webcam.retryNow();
  rig.webcam.setHidden(true);
  rig.webcam.ack(9);
  await settle();
  assert.deepEqual([rig.links.length, rig.sockets.length, rig.timers.size], [told, 1, 0]);
});

test("a camera that is allowed after another source was chosen is switched off at once", async () => {
  const rig = setUp();
  rig.webcam.open();
  rig.webcam.close();
  const track = await rig.allow();
  assert.equal(track.stopped, true);
  assert.deepEqual([rig.sockets.length, rig.phases()], [0, ["asking"]]);
});

test("a refusal is said, and a coming back to the page does not ask again by itself", async () => {
  const rig = setUp();
  rig.webcam.open();
  rig.asked[0].reject(Object.assign(new Error("Permission denied"), { name: "NotAllowedError" }));
  await settle();
  assert.equal(rig.links.at(-1).phase, "no-camera");
  assert.match(phrase(rig.links.at(-1).reason), /was not allowed/);
  rig.webcam.retryNow();
  rig.webcam.setHidden(false);
  rig.plug();
  await settle();
  assert.equal(rig.asked.length, 1);
});

test("a page that is neither on https nor on localhost says so and asks for nothing", () => {
  const rig = setUp({ devices: false, secure: false });
  rig.webcam.open();
  assert.equal(rig.links.at(-1).phase, "no-camera");
  assert.match(phrase(rig.links.at(-1).reason), /https or on localhost/);
  rig.webcam.close();
});

test("one that is unplugged is said, and taken again when it is plugged in", async () => {
  const rig = await live();
  rig.track.onended();
  assert.deepEqual([rig.links.at(-1).phase, rig.links.at(-1).reason], ["no-camera", UNPLUGGED]);
  assert.deepEqual([rig.socket().closed, rig.waiting], [true, null]);
  rig.list = [];
  rig.plug();
  await settle();
  assert.equal(rig.asked.length, 1);
  rig.list = [{ id: "front", name: "Front" }];
  rig.plug();
  await settle();
  assert.equal(rig.asked.length, 2);
  await rig.allow();
  rig.socket().hello();
  assert.equal(await rig.picture(), true);
});

test("one of which no picture can be taken is given up with the reason", async () => {
  const rig = await live();
  rig.grabbed = () => Promise.reject(new Error("tainted"));
  await rig.picture();
  assert.equal(rig.links.at(-1).phase, "no-camera");
  assert.match(phrase(rig.links.at(-1).reason), /tainted/);
  assert.equal(rig.track.stopped, true);
});

test("another one is picked: the first goes off before the second is asked for", async () => {
  const rig = await live();
  rig.webcam.use("front"); // the one that is on
  assert.equal(rig.asked.length, 1);
  rig.webcam.use("back");
  assert.equal(rig.track.stopped, true);
  assert.equal(rig.asked[1].id, "back");
  const track = await rig.allow("back");
  rig.socket().hello();
  assert.equal(await rig.picture(), true);
  assert.deepEqual([track.stopped, rig.cameras.at(-1).id], [false, "back"]);
});

test("a tab that is hidden for long switches the camera off, and on again when it is seen", async () => {
  const rig = await live();
  rig.webcam.setHidden(true);
  rig.webcam.setHidden(true);
  rig.webcam.setHidden(false);
  assert.equal(rig.hiddenTimer(), undefined);
  rig.webcam.setHidden(true);
  const [id, { callback }] = rig.hiddenTimer();
  rig.timers.delete(id);
  callback();
  assert.deepEqual([rig.track.stopped, rig.socket().closed, rig.phases().at(-1)], [true, true, "resting"]);
  assert.equal(rig.asked.length, 1);
  rig.webcam.setHidden(false);
  assert.equal(rig.asked.length, 2);
  await rig.allow();
  rig.socket().hello();
  assert.equal(await rig.picture(), true);
});

test("a chosen class is asked for through it", async () => {
  const rig = await live();
  rig.webcam.explain(0);
  assert.deepEqual(rig.socket().texts.filter(({ type }) => type === "explain"), [{ type: "explain", class: 0 }]);
});
