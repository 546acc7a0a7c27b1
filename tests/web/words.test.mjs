import assert from "node:assert/strict";
import { test } from "node:test";

import { catalogue } from "./english.mjs";
import { INITIAL } from "../../web/state.js";
import { stillWords } from "../../web/still.js";
import { speak } from "../../web/text.js";
import {
  agoWords,
  announcement,
  answerWords,
  chipWords,
  connectionWords,
  eyeWords,
  heatWords,
  isPresent,
  linkAnnouncement,
  lossWords,
  saidWords,
  sightingWords,
  tileWords,
} from "../../web/words.js";

const plain = (text) => text.replaceAll("\u202f", " ");

const HEADER = {
  source: "reef",
  seq: 1,
  frame: 123,
  media_s: 14.1,
  utc: "2026-05-17T09:30:12.345Z",
  size: [720, 1280],
  cam: [3, 3],
  explained: 1,
  top: [[1, 0.42], [0, 0.3]],
  unknown: 0.58,
  stable: { index: 1, probability: 0.834, since_s: 2 },
  rate: 21.4,
  captured: 1400,
  dropped: 12,
};

function state(changes = {}, header = {}) {
  const cam = Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 200]);
  return {
    ...INITIAL,
    source: "reef",
    link: { phase: "live", reason: "", attempt: 0, retryAtMs: null },
    feed: { state: "live", reason: "", cause: "" },
    model: { labels: ["Eel", "Sea_Turtle"], taxonomy: {}, provider: "CPUExecutionProvider", model: "reef-1" },
    shown: { header: { ...HEADER, ...header }, cam, ageMs: 84.2, atMs: 10_000 },
    ticksMs: Array.from({ length: 21 }, (_, i) => 9_000 + 50 * i),
    ...changes,
  };
}

const NONE = { stable: { index: null, probability: 0.42, since_s: 12 } };

test("live says so and nothing else", () => {
  const expected = { brief: "Live", full: "Live", tone: "live", fresh: true, retry: false };
  assert.deepEqual(connectionWords(state(), 10_010), expected);
});

for (const [name, changes, nowMs, full, fresh] of [
  ["connecting", { link: { phase: "connecting" } }, 10_010, "Connecting: reef", false],
  ["waiting", { link: { phase: "waiting", reason: "gone", retryAtMs: 12 } }, 0, "Reconnecting in 1 s: gone", false],
  [
    "full",
    { link: { phase: "waiting", reason: { key: "closed.503", detail: "64 are watching, no more can" }, retryAtMs: 8012 } },
    0,
    "Full, trying again in 9 s: 64 are watching, no more can",
    false,
  ],
  ["refused", { link: { phase: "closed", reason: "no such source" } }, 10_010, "Not connected: no such source", false],
  ["failed", { feed: { state: "failed", reason: "unplugged", cause: "gone" } }, 10_010, "Source failed: unplugged", false],
  ["stalled", { feed: { state: "stalled", reason: "no new picture comes" } }, 10_010, "Source stalled: no new picture comes", false],
  ["lost", { feed: { state: "retrying", reason: "refused" } }, 10_010, "Source lost, trying again: refused", false],
  ["ended", { feed: { state: "ended", reason: "" } }, 10_010, "Source ended", false],
  ["paused", { paused: true }, 20_000, "Paused", true],
  ["no picture yet", { shown: null }, 10_010, "Waiting for the first picture", false],
  ["a frozen source", {}, 15_000, "No new picture for 5 s", false],
  ["no source", { source: null, sources: [] }, 0, /^No source: start the server with --source/, false],
  ["no server", { source: null, sourcesError: "refused" }, 0, "The server does not answer: refused", false],
]) {
  test(`the connection in words: ${name}`, () => {
    const words = connectionWords(state(changes), nowMs);
    if (full instanceof RegExp) assert.match(words.full, full);
    else assert.equal(plain(words.full), full);
    assert.equal(words.fresh, fresh);
  });
}

test("a paused page whose connection is lost says that, not that it is paused", () => {
  const lost = state({ paused: true, link: { phase: "waiting", reason: "gone", retryAtMs: 10_500 } });
  assert.match(connectionWords(lost, 10_000).full, /^Reconnecting/);
});

test("the chips show what was measured here", () => {
  const words = chipWords(state(), 10_010);
  assert.deepEqual([words.rate, plain(words.age), words.device], ["20.0", "84 ms", "CPU"]);
});

test("a page that draws fewer than the model classifies says so", () => {
  const slow = state({ ticksMs: [9_000, 9_250, 9_500, 9_750, 10_000] });
  assert.deepEqual([chipWords(slow, 10_010).rate, chipWords(slow, 10_010).rateNote], ["4.0", "of 21.4 frames/s"]);
});

test("the age of a picture that stands keeps growing, and the rate falls to zero", () => {
  const words = chipWords(state(), 15_000);
  assert.deepEqual([words.rate, plain(words.age), words.ageNote], ["0.0", "5.1 s", "age, growing"]);
});

test("without a measured round trip there is no age to show", () => {
  const young = state();
  young.shown.ageMs = null;
  assert.equal(chipWords(young, 10_010).age, "–");
});

test("a CPU that stands in for the GPU that was asked for is named", () => {
  const words = chipWords(state({ server: { provider: { requested: "cuda" } } }), 10_010);
  assert.deepEqual([words.device, words.deviceNote], ["CPU", "not the GPU asked for"]);
});

test("a GPU that failed is named where its frames are classified now", () => {
  const note = "the GPU was lost while it ran (unknown error); start again when it is back";
  const words = chipWords(state({ server: { provider: { requested: "auto", note } } }), 10_010);
  assert.deepEqual([words.device, words.deviceNote], ["CPU", "the GPU failed"]);
});

test("losses are counted by cause, those of another version's server under its name for them", () => {
  const counts = { captured: 1400, engine: 9, capture: 3, delivery: 2, tide: 1, damaged: 4, reconnects: 2, stalls: 5 };
  const { total, rows } = lossWords(state({ counts, skipped: 1000, unreadable: 1 }));
  assert.equal(total, "1,020");
  const by = new Map(rows);
  assert.equal(by.get("Captured"), "1,400");
  assert.equal(by.get("Overtaken: the model had no time for them"), "9");
  assert.equal(by.get("Damaged: came and could not be decoded"), "4");
  assert.equal(by.get("Times the camera came back after a loss"), "2");
  assert.equal(by.get("Times the camera fell silent"), "5");
  assert.equal(by.get("tide"), "1");
  assert.deepEqual(lossWords(INITIAL), { total: "–", rows: [] });
});

test("what was lost before this page was opened is not its loss", () => {
  const counts = { captured: 1400, engine: 9, damaged: 4, reconnects: 2, stalls: 5 };
  const countedFrom = { reef: { captured: 1000, engine: 8, damaged: 4, reconnects: 2, stalls: 4 }, pier: null };
  const { total, rows } = lossWords(state({ counts, countedFrom }));
  assert.equal(total, "1");
  assert.deepEqual(rows.map(([, n]) => n), ["400", "1", "0", "0", "0", "0", "1"]);
});

test("the answer: label, smoothed probability, since when", () => {
  const words = answerWords(state());
  assert.deepEqual([words.title, plain(words.probability), plain(words.since)], ["Sea Turtle", "83%", "for 12 s"]);
});

test("the answer: nothing I know, with what comes closest", () => {
  const words = answerWords(state({}, NONE));
  assert.equal(words.known, false);
  assert.equal(words.title, "Nothing I know");
  assert.equal(plain(words.note), "Closest: Sea Turtle, 42%");
});

test("the announcement changes with the stable label only", () => {
  const other = { top: [[0, 0.9]], media_s: 15, stable: { index: 1, probability: 0.6, since_s: 2 } };
  assert.equal(announcement(state()), announcement(state({}, other)));
  assert.equal(announcement(state({}, NONE)), "Nothing I know");
  assert.equal(announcement(INITIAL), "");
});

test("the heat map in words names its class and place, or that it is empty", () => {
  assert.equal(heatWords(state()), "Heat map of the most probable, Sea Turtle: strongest in the lower right.");
  assert.equal(heatWords(state({ explain: 1 })), "Heat map of Sea Turtle: strongest in the lower right.");
  const empty = state({ explain: 1 });
  empty.shown.cam = new Uint8Array(9);
  assert.equal(heatWords(empty), "Heat map of Sea Turtle: empty, nothing here speaks for it.");
});

test("a map of another class than the chosen one is called what it is, and the chosen one announced", () => {
  const turtle = "Heat map of Sea Turtle: strongest in the lower right.";
  assert.equal(heatWords(state({ explain: 0 })), `Heat map of Sea Turtle: strongest in the lower right. Eel follows.`);
  assert.equal(heatWords(state({ explain: 0, paused: true })), `${turtle} Eel follows when you go on.`);
  assert.equal(heatWords(state({}, { top: [[0, 0.6], [1, 0.3]] })), `${turtle} The most probable follows.`);
});

test("a paused picture says how long ago it was", () => {
  assert.equal(agoWords(state(), 20_000), "");
  assert.equal(plain(agoWords(state({ paused: true }), 22_316)), "12.4 s ago");
  assert.equal(plain(agoWords(state({ paused: true }), 100_000)), "1 min 30 s ago");
});

test("what was done for the eye is named, on a still as well", () => {
  const eye = { contrast: 0.3, haze: 0, balance: 1 };
  assert.equal(eyeWords(INITIAL), "");
  assert.equal(plain(eyeWords(state({ eye }))), "Contrast 30%, White balance 100%");
  assert.match(plain(stillWords(state({ eye })).lines[1]), /for the eye: Contrast 30%/);
});

test("a sighting's time is media time where no wall clock is known", () => {
  const entry = { label: "Sea_Turtle", start_utc: "", end_utc: "", start_s: 4.2, end_s: 65, peak_probability: 0.9 };
  const said = (...args) => Object.values(sightingWords(...args)).map(plain);
  assert.deepEqual(said(entry, false), ["Sea Turtle", "0:04 – 1:05", "1 min 0 s · best 90%"]);
  assert.deepEqual(said(entry, true), ["Sea Turtle", "since 0:04", "1 min 0 s · best 90%"]);
  assert.deepEqual(said({ ...entry, end_s: 4.9 }, false), ["Sea Turtle", "0:04", "0.7 s · best 90%"]);
});

test("what people say of a sighting is said as on the dives' page", () => {
  const words = (verdict, label = "") => saidWords({ verdict, label });
  assert.deepEqual([words("right"), words("wrong", "Sea_Turtle"), words("nothing")], ["right", "it is Sea Turtle", "nothing there"]);
  assert.deepEqual([saidWords(null), saidWords(undefined)], ["", ""]); // this device's own camera's have no such field
});

test("a sighting is present only while its source is live and its label is the stable one", () => {
  const entry = { ongoing: true, label: "Sea_Turtle" };
  assert.equal(isPresent(entry, state()), true);
  assert.equal(isPresent({ ...entry, ongoing: false }, state()), false);
  assert.equal(isPresent({ ...entry, label: "Eel" }, state()), false);
  assert.equal(isPresent(entry, state({}, NONE)), false); // the heading says so at the same moment
  assert.equal(isPresent(entry, state({ feed: { state: "ended", reason: "" } })), false);
  assert.equal(isPresent(entry, state({ shown: null })), false);
});

test("a loss is announced once, and the return from it, however long it counts down", () => {
  const link = (phase, attempt = 0) => ({ link: { phase, attempt, reason: "gone", retryAtMs: 60_000 } });
  const feed = (name) => ({ feed: { state: name, reason: "gone after 7 s", cause: "gone" } });
  const steps = [
    [{ ...link("connecting"), shown: null }, 0, "Connecting"],
    [{}, 10_010, "Live"],
    [link("waiting", 1), 10_020, "Connection lost, trying again"],
    [link("waiting", 1), 40_020, "Connection lost, trying again"],
    [link("connecting", 2), 60_000, "Connection lost, trying again"],
    [{}, 10_500, "Live"],
    [feed("stalled"), 10_600, "Source stalled"],
    [feed("retrying"), 10_600, "Source lost, trying again"],
    [feed("failed"), 10_600, "Source failed: gone after 7 s"],
    [{}, 17_000, "Source stalled"], // says it is live, and brings nothing
    [{}, 19_000, "Source stalled"],
    [{ paused: true }, 19_000, "Paused"],
    [link("closed"), 19_000, "Not connected: gone"],
  ];
  for (const [changes, nowMs, expected] of steps) assert.equal(linkAnnouncement(state(changes), nowMs), expected);
});

test("a camera that never gave a picture is not lost: it is not there yet", () => {
  const feed = { state: "retrying", reason: "nothing listens", cause: "refused" };
  const never = state({ feed, shown: null, counts: { captured: 0 } });
  assert.equal(connectionWords(never, 0).full, "Source not there yet: nothing listens");
  assert.equal(connectionWords({ ...never, counts: { captured: 7 } }, 0).brief, "Source lost, trying again");
});

test("a tile says what is seen, or first of all why nothing is; what it is stays in its title", () => {
  const pier = { name: "pier", kind: "stream", state: "live", reason: "", size: [720, 1280], label: "Eel" };
  const said = (changes, more) => tileWords({ ...pier, ...changes }, state(more));
  assert.deepEqual(said({}), { tone: "live", words: "Eel", title: "pier\nstream" });
  assert.equal(said({ label: null }).words, "nothing known");
  const refused = { state: "retrying", reason: "nothing listens" };
  assert.deepEqual(said(refused), { tone: "busy", words: "trying again", title: "pier\nstream\nnothing listens" });
  assert.equal(said({ ...refused, size: [0, 0] }).words, "not there yet");
  assert.deepEqual([said({ state: "ended" }).tone, said({ state: "ended" }).words], ["over", "ended"]);
  assert.deepEqual(tileWords({ name: "~camera", kind: "device", state: "" }, state()).words, "this device");
});

test("the chosen source's tile says what the heading says", () => {
  const reef = { name: "reef", kind: "video", state: "live", reason: "", label: "Eel" };
  assert.equal(tileWords(reef, state()).words, "Sea Turtle");
  assert.equal(tileWords(reef, state({}, NONE)).words, "nothing known");
  assert.equal(tileWords(reef, state({ shown: null })).words, "Eel");
});

test("in Turkish reasons are Turkish where there are words for them", () => {
  speak("tr", catalogue("tr"));
  const pier = { name: "pier", kind: "stream", state: "retrying", reason: "nothing listens", cause: "refused" };
  const { title } = tileWords(pier, state());
  const failed = (cause) => connectionWords(state({ feed: { state: "failed", reason: "reef: in English", cause } }), 10_010).full;
  const failures = [failed("cut-off"), failed("")];
  speak("en", catalogue("en"));
  assert.match(title, /^pier\ncanlı yayın\nmakine yerinde/);
  const because = (why) => `Kaynakta hata: ${why}`;
  assert.deepEqual(failures, [because("dosya sonundan önce kesiliyor"), because("nedeni sunucunun günlüğünde")]);
});

test("a still is named after what it shows", () => {
  const { lines, fileName } = stillWords(state());
  assert.equal(fileName, "reef_frame-000123_sea-turtle.png");
  assert.equal(plain(lines[0]), "Sea Turtle, 83%");
  assert.match(plain(lines[1]), /reef.*frame 123.*14\.100 s.*2026-05-17T09:30:12\.345Z.*reef-1.*heat map: Sea Turtle/);
  assert.doesNotMatch(stillWords(state({ view: "camera" })).lines[1], /heat map/);
});

test("a model that knows empty water says that nothing is there, and is not said to know a label", () => {
  const stable = { index: null, empty: true, probability: 0.9, since_s: 12 };
  const words = answerWords(state({}, { top: [[1, 0.9]], media_s: 15, stable }));
  assert.equal(words.title, "Nothing there");
  assert.equal(words.known, false);
  assert.match(words.probability, /^90\s?%$/);
});
