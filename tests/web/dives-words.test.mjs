// A dive, an upload and their work in words.

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { catalogue, ownOfDives } from "./english.mjs";
import { speak, t } from "../../web/text.js";
import { bytes, dateWords, matching, speciesWords, stateWords, uploadWords, why, workShare, workWords } from "../../web/dives-words.js";
import { actionsOf, countWords } from "../../web/dives-shelf.js";

const inLanguage = (language) => speak(language, { ...catalogue(language), ...ownOfDives(language) });
afterEach(() => inLanguage("en"));

const dive = (changes = {}) => ({
  title: "Blue hole",
  file_name: "GX010001.MP4",
  added_utc: "2026-05-02T10:00:00.000Z",
  recorded_utc: "2026-05-01T09:30:00.000Z",
  species: { Sea_Turtle: 4, Shark: 1 },
  has_results: true,
  state: "complete",
  reason: "",
  copy_state: "",
  work: null,
  ...changes,
});

test("sizes are told as disks count them", () => {
  for (const [count, words] of [[0, "0 B"], [999, "999 B"], [1500, "1.5 kB"], [2_500_000, "2.5 MB"], [64e9, "64.0 GB"], [150e9, "150 GB"]]) {
    assert.equal(bytes(count).replace("\u202f", " "), words);
  }
});

test("the share of a job is that of the recording, or of its frames", () => {
  const work = { done: 50, total: 200, media_s: 0, duration_s: null, rate: 0, phase: "classify" };
  assert.equal(workShare(work), 0.25);
  assert.equal(workShare({ ...work, media_s: 30, duration_s: 60 }), 0.5);
  assert.equal(workShare({ ...work, total: null }), null);
  assert.match(workWords({ ...work, wallS: 10, rate: 5 }), /^classifying, 25%, 5\.0 pictures\/s, 30.s left$/);
  assert.equal(workWords({ ...work, total: null }), "classifying");
});

test("a dive that is done needs no words for it, one in trouble says why", () => {
  assert.equal(stateWords(dive()), "");
  assert.equal(stateWords(dive({ state: "failed", reason: "not a video" })), "failed: not a video");
  assert.equal(stateWords(dive({ state: "queued" })), "waiting");
});

test("why is said in the server's own words, or where these are not read as its cause means", () => {
  const cut = dive({ state: "incomplete", reason: "the file breaks off at 2.0 s of 9.0 s", cause: "cut-off" });
  assert.equal(stateWords(cut), "incomplete: the file breaks off at 2.0 s of 9.0 s");
  assert.equal(why("codec", ""), "its codec");
  inLanguage("tr");
  assert.equal(stateWords(cut), "eksik: dosya bitmeden kesiliyor");
  assert.equal(why("", "what an earlier version left"), "what an earlier version left");
});

test("the most frequent species are named, the others counted", () => {
  assert.equal(speciesWords(dive()), "Sea Turtle\u202f4, Shark\u202f1");
  assert.equal(speciesWords(dive({ species: { A: 3, B: 2, C: 1, D: 1 } })), "A\u202f3, B\u202f2, C\u202f1 and 1 more");
  assert.equal(speciesWords(dive({ species: {} })), "nothing it knows was seen");
  assert.equal(speciesWords(dive({ species: {}, has_results: false })), "");
});

test("the date is the recording's own, or when it came in", () => {
  assert.equal(dateWords(dive(), "UTC"), "1 May 2026, 09:30");
  assert.equal(dateWords(dive({ recorded_utc: "" }), "UTC"), "came in 2 May 2026, 10:00");
});

test("a search finds words in any order, without accents, in title, file, species and date", () => {
  const dives = [dive(), dive({ title: "Île aux Cerfs", species: { Eel: 1 }, file_name: "b.mov", recorded_utc: "" })];
  const found = (query, more = {}) => matching(dives, { query, species: "", state: "", ...more }).map(({ title }) => title);
  assert.equal(found("").length, 2);
  assert.deepEqual(found("hole blue"), ["Blue hole"]);
  assert.deepEqual(found("ile"), ["Île aux Cerfs"]);
  assert.deepEqual(found("sea turtle 2026-05-01"), ["Blue hole"]);
  assert.deepEqual(found("", { species: "Eel" }), ["Île aux Cerfs"]);
  assert.deepEqual(found("", { state: "trouble" }), []);
});

test("an upload says how far it is and what comes next", () => {
  const upload = { state: "sending", offset: 5e6, size: 1e7, rate: 1e6, reason: "", retryAtMs: 0 };
  assert.match(uploadWords(upload, 0), /^5\.0.MB of 10\.0.MB, 1\.0.MB\/s, 5.s left$/);
  assert.match(uploadWords({ ...upload, state: "retrying", retryAtMs: 3000 }, 1000), /safe.*2.s/);
  assert.match(uploadWords({ ...upload, state: "interrupted" }, 0), /Choose the file again/);
  assert.equal(uploadWords({ ...upload, state: "failed", reason: "too big" }, 0), "too big");
});

test("what can be done depends on how a dive stands", () => {
  assert.deepEqual(actionsOf(dive()), []);
  assert.deepEqual(actionsOf(dive({ state: "running" })), ["stop"]);
  assert.deepEqual(actionsOf(dive({ state: "failed", width: null })), ["again"]);
  assert.equal(countWords(1, 2, 0), "1 of 2");
});

test("a text's form follows its number", () => {
  assert.equal(t("shelf.count", { n: 1, size: "5 MB" }), "1 dive, 5 MB");
  assert.equal(t("shelf.count", { n: 2, size: "5 MB" }), "2 dives, 5 MB");
});

test("Turkish: animals, dates, sizes and shares as Turkish writes them", () => {
  inLanguage("tr");
  const turtle = dive({ species: { Turtle_Tortoise: 1200, "Sea Urchins": 2 } });
  assert.equal(speciesWords(turtle), "Kaplumbağa\u202f1.200, Deniz kestanesi\u202f2");
  assert.equal(dateWords(dive(), "UTC"), "1 May 2026 09:30");
  assert.equal(bytes(2_500_000), "2,5\u202fMB");
  assert.match(workWords({ phase: "classify", done: 50, total: 200, media_s: 0, duration_s: null, wallS: 10, rate: 5 }), /^sınıflandırılıyor, %25, 5,0 kare\/sn, 30.sn kaldı$/);
});

test("Turkish: a search finds an animal by either name, with or without dots and accents", () => {
  inLanguage("tr");
  const dives = [dive({ species: { Starfish: 1 } }), dive({ title: "Saros", species: {} })];
  const found = (query) => matching(dives, { query, species: "", state: "" }).length;
  assert.deepEqual(["deniz yıldızı", "DENİZ YILDIZI", "deniz yildizi", "starfish", "kaplumbağa"].map(found), [1, 1, 1, 1, 0]);
});
