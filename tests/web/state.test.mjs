import assert from "node:assert/strict";
import { test } from "node:test";

import "./english.mjs";
import { INITIAL, labelOf, reduce, sightingsOf, taxonOf, VIEWS } from "../../web/state.js";

const HELLO = {
  labels: ["Sea_Turtle", "Eel"],
  taxonomy: { Sea_Turtle: "Testudines" },
  provider: "CPUExecutionProvider",
};

const run = (events, state = INITIAL) => events.reduce(reduce, state);

function drawn(seq, { index = 0, atMs = seq * 50, receivedMs = atMs - 5 } = {}) {
  const header = {
    source: "reef",
    seq,
    frame: seq,
    media_s: seq / 20,
    utc: "",
    size: [720, 1280],
    cam: [1, 1],
    explained: 0,
    top: [[index ?? 0, 0.8]],
    stable: { index, probability: 0.8, since_s: 0 },
    captured: seq + 1,
    dropped: 0,
  };
  return { type: "drawn", header, cam: new Uint8Array(1), ageMs: 40, atMs, receivedMs };
}

const watching = [{ type: "choose", source: "reef" }, { type: "hello", hello: HELLO }];

const ownCamera = [{ type: "choose", source: "~camera" }, { type: "hello", hello: HELLO }];

test("a drawn frame is what the page speaks of", () => {
  const state = run([...watching, drawn(0)]);
  assert.equal(state.shown.header.seq, 0);
  assert.deepEqual(sightingsOf(state), []); // what is seen there the server knows
});

test("a frame of this device's own camera brings the page's own list", () => {
  const own = { entries: [{ id: 1, label: "Eel", ongoing: true }], total: 1 };
  const state = run([...ownCamera, { ...drawn(0), own }, drawn(1)]);
  assert.equal(sightingsOf(state), own.entries);
});

test("the server's list is the chosen source's, and an answer that comes too late is nobody's", () => {
  const list = [{ id: "5f0c", label: "Eel" }];
  const state = run([...watching, { type: "sightings", source: "reef", list }]);
  assert.equal(sightingsOf(state), list);
  const other = reduce(state, { type: "choose", source: "pier" });
  assert.deepEqual(sightingsOf(other), []);
  assert.equal(reduce(other, { type: "sightings", source: "reef", list }), other);
});

test("what was counted comes with results and statuses, and the latest holds", () => {
  const status = { state: "stalled", reason: "", cause: "silent", captured: 40, dropped: 12, stalls: 5 };
  const state = run([...watching, drawn(7), { type: "status", status }]);
  assert.deepEqual([state.counts.captured, state.counts.stalls, state.feed.cause], [40, 5, "silent"]);
  assert.equal(reduce(state, drawn(50)).counts.captured, 51);
  assert.equal(reduce(state, { type: "choose", source: "pier" }).counts, null);
});

test("counts begin with the page, for each source, and anew where a server does", () => {
  const status = (captured, engine) => ({ type: "status", status: { state: "live", captured, drops: { engine } } });
  let state = run([...watching, status(1000, 600)]);
  state = run([status(1010, 601), { type: "choose", source: "pier" }, status(5, 1), { type: "choose", source: "reef" }], state);
  assert.deepEqual([state.countedFrom.reef.engine, state.countedFrom.pier.engine], [600, 1]);
  state = reduce(state, status(1100, 650));
  assert.deepEqual([state.counts.engine, state.countedFrom.reef.engine], [650, 600]);
  assert.equal(reduce(state, status(20, 3)).countedFrom.reef, null);
  assert.equal(run([status(20, 3), status(2000, 900)], state).countedFrom.reef, null);
  assert.equal(run([...ownCamera, status(9, 2)]).countedFrom["~camera"], null); // its counts are this page's
});

test("a server that does not tell the causes apart is understood", () => {
  const { counts } = run([...watching, { type: "status", status: { state: "live", captured: 20, dropped: 12 } }]);
  assert.deepEqual([counts.captured, counts.engine, counts.damaged], [20, 12, 0]);
});

test("a colour map that does not exist, from an old storage say, is ignored", () => {
  assert.equal(reduce(INITIAL, { type: "colours", colours: "viridis" }).colours, "viridis");
  assert.equal(reduce(INITIAL, { type: "colours", colours: "jet" }), INITIAL);
});

test("results that were published while others were drawn are counted as skipped", () => {
  assert.equal(run([...watching, drawn(4), drawn(5), drawn(8), drawn(9)]).skipped, 2);
});

test("what was missed in a pause is not the link's fault, nor the frames held since before it", () => {
  const events = [drawn(4), { type: "pause", atMs: 220 }, { type: "pause", atMs: 900 }];
  const held = drawn(6, { atMs: 910, receivedMs: 230 });
  const state = run([...watching, ...events, held, drawn(40, { atMs: 950 }), drawn(41, { atMs: 1000 })]);
  assert.equal(state.skipped, 0);
  assert.equal(state.paused, false);
});

test("a tab that was hidden skipped nothing", () => {
  const state = run([...watching, drawn(4), { type: "seen-again", atMs: 5000 }, drawn(200, { atMs: 5050 })]);
  assert.equal(state.skipped, 0);
});

test("a reconnection starts counting anew: the server's numbers may have started over", () => {
  const link = { phase: "connecting", reason: "", attempt: 1, retryAtMs: null };
  assert.equal(run([...watching, drawn(100), { type: "link", link }, drawn(3), drawn(4)]).skipped, 0);
});

test("another source starts clean and ends the own camera's sighting, but keeps it and the viewer's choices", () => {
  const own = { entries: [{ id: 1, label: "Eel", ongoing: true }], total: 1 };
  const before = run([...ownCamera, { type: "view", view: "both" }, { ...drawn(0), own }, drawn(9), { type: "pause", atMs: 1 }]);
  const after = reduce(before, { type: "choose", source: "pier" });
  assert.deepEqual([after.shown, after.skipped, after.paused, after.rttMs], [null, 0, false, null]);
  assert.deepEqual([after.view, after.own.entries.length, after.own.entries[0].ongoing], ["both", 1, false]);
});

test("choosing the same source again changes nothing", () => {
  const state = run(watching);
  assert.equal(reduce(state, { type: "choose", source: "reef" }), state);
});

test("a server that comes back with another model does not speak of the old picture", () => {
  const state = run([...watching, drawn(0)]);
  assert.notEqual(reduce(state, { type: "hello", hello: HELLO }).shown, null);
  assert.equal(reduce(state, { type: "hello", hello: { ...HELLO, labels: ["Crab", "Eel"] } }).shown, null);
});

test("the view cycles through all and comes back", () => {
  let state = INITIAL;
  const seen = VIEWS.map(() => (state = reduce(state, { type: "next-view" })).view);
  assert.deepEqual(seen, ["camera", "both", "overlay"]);
});

test("the overlay key goes to the camera alone and back to where the map was", () => {
  let state = reduce(INITIAL, { type: "view", view: "both" });
  state = reduce(state, { type: "toggle-overlay" });
  assert.equal(state.view, "camera");
  assert.equal(reduce(state, { type: "toggle-overlay" }).view, "both");
});

test("a view that does not exist, from an old storage say, is ignored", () => {
  assert.equal(reduce(INITIAL, { type: "view", view: "sonar" }), INITIAL);
});

test("opacity stays within 0 and 1, reaches both ends in steps, and survives garbage", () => {
  const up = Array.from({ length: 12 }, () => ({ type: "nudge-opacity", by: 0.1 }));
  const down = Array.from({ length: 12 }, () => ({ type: "nudge-opacity", by: -0.1 }));
  assert.equal(run(up).opacity, 1);
  assert.equal(run([...up, ...down]).opacity, 0);
  assert.equal(run([{ type: "opacity", value: Number.NaN }]).opacity, INITIAL.opacity);
});

test("labels and taxa come from the hello; an unknown class keeps its number", () => {
  const state = run(watching);
  assert.equal(labelOf(state, 0), "Sea Turtle");
  assert.equal(taxonOf(state, 0), "Testudines");
  assert.equal(taxonOf(state, 1), "");
  assert.equal(labelOf(state, 7), "class 7");
  assert.equal(labelOf(INITIAL, 0), "class 0");
});

test("an event that nobody knows is a mistake, not a silence", () => {
  assert.throws(() => reduce(INITIAL, { type: "sneeze" }), /no such event: sneeze/);
});

test("a pause has a place among what was kept, and steps speak of the picture there without counting it", () => {
  const before = run([...watching, drawn(4), drawn(9), { type: "pause", atMs: 500, place: { at: 7, count: 8 } }]);
  assert.deepEqual(before.place, { at: 7, count: 8 });
  const old = { ...drawn(2, { index: 1, atMs: 100 }), type: "stepped", place: { at: 0, count: 8 } };
  const after = reduce(before, old);
  assert.deepEqual([after.shown.header.seq, after.shown.atMs, after.place.at], [2, 100, 0]);
  const counted = ({ ticksMs, lastSeq, skipped, own }) => ({ ticksMs, lastSeq, skipped, own });
  assert.deepEqual(counted(after), counted(before));
  assert.equal(reduce(after, { type: "pause", atMs: 900 }).place, null);
});

test("a class is chosen and given back, and the choice outlives a source", () => {
  const chosen = run([...watching, { type: "explain", index: 1 }, { type: "choose", source: "pier" }]);
  assert.equal(chosen.explain, 1);
  assert.equal(reduce(chosen, { type: "explain", index: 1 }).explain, -1);
  assert.equal(reduce(chosen, { type: "explains", index: -1 }).explain, -1); // the server refused
});

test("under another model the choice stays with its animal, or is given back", () => {
  const chosen = run([...watching, { type: "explain", index: 1 }]);
  const hello = (labels) => ({ type: "hello", hello: { ...HELLO, labels } });
  assert.equal(reduce(chosen, hello(["Eel", "Crab"])).explain, 0);
  assert.equal(reduce(chosen, hello(["Crab"])).explain, -1);
  assert.equal(reduce(chosen, hello(HELLO.labels)).explain, 1);
});

test("controls for the eye change one at a time, within bounds, and are reset together", () => {
  let state = run([{ type: "eye", settings: { haze: 0.5 } }, { type: "eye", settings: { contrast: 7 } }]);
  assert.deepEqual(state.eye, { contrast: 1, haze: 0.5, balance: 0 });
  state = reduce(state, { type: "eye-reset" });
  assert.equal(state.eye, INITIAL.eye);
  assert.equal(reduce(state, { type: "eye-reset" }), state);
});
