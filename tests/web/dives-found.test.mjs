// Sightings: which are listed, which of those are in sight, and what people said of them.

import assert from "node:assert/strict";
import { test } from "node:test";

import { dealHues, filtered, placeAt, speciesOf, truthOf, windowOf } from "../../web/dives-found.js";

const one = (label, start_s, peak_probability = 0.8, correction = null) => ({ label, start_s, end_s: start_s + 1, peak_probability, correction });
const wrong = (label) => ({ verdict: "wrong", label });
const ALL = { species: "", least: 0, review: "" };

test("the last word says what is there, and the model's answer stays", () => {
  assert.equal(truthOf(one("Fish", 0)), "Fish");
  assert.equal(truthOf(one("Fish", 0, 1, { verdict: "right", label: "" })), "Fish");
  assert.equal(truthOf(one("Fish", 0, 1, wrong("Eel"))), "Eel");
  assert.equal(truthOf(one("Fish", 0, 1, { verdict: "nothing", label: "" })), null);
});

test("a species finds what is so by the last word on it, as many as the legend counts", () => {
  const list = [one("Fish", 0), one("Fish", 1, 0.8, wrong("Eel")), one("Eel", 2), one("Crab", 3)];
  const starts = (wanted) => filtered(list, { ...ALL, ...wanted }).map(({ start_s: s }) => s);
  assert.deepEqual(starts({}), [0, 1, 2, 3]);
  assert.deepEqual(starts({ species: "Eel" }), [1, 2]);
  assert.deepEqual(starts({ species: "Fish" }), [0]);
  assert.deepEqual(starts({ review: "open" }), [0, 2, 3]);
  assert.deepEqual(starts({ review: "done" }), [1]);
});

test("the least probability is one that still counts", () => {
  const list = [one("Fish", 0, 0.5), one("Fish", 1, 0.7)];
  assert.deepEqual(filtered(list, { ...ALL, least: 0.7 }).length, 1);
});

test("the species are counted once per sighting, most first", () => {
  const list = [one("Fish", 0), one("Fish", 1, 1, wrong("Eel")), one("Eel", 2), one("Eel", 3)];
  assert.deepEqual(speciesOf(list), [["Eel", 3], ["Fish", 2]]);
});

test("the window covers what is in sight and never more rows than there are", () => {
  assert.deepEqual(windowOf(0, 300, 100, 50, 2), [0, 5]);
  assert.deepEqual(windowOf(1050, 300, 100, 50, 2), [8, 16]);
  assert.deepEqual(windowOf(4900, 300, 100, 50, 2), [47, 50]);
  assert.deepEqual(windowOf(0, 300, 100, 0), [0, 0]);
});

test("the sighting at a moment is the last that began", () => {
  const list = [one("Fish", 1), one("Eel", 4)];
  for (const [at, place] of [[0, -1], [1, 0], [3.9, 0], [4, 1], [99, 1]]) assert.equal(placeAt(list, at), place);
  assert.equal(placeAt([], 3), -1);
});

test("a label has one colour, and different labels different ones", () => {
  const labels = ["Jelly Fish", "Crabs", "Nudibranchs", "Dolphin", "Otter", "Lobster", "Turtle", "Sea Urchins"]; // of like hashes
  const dealt = dealHues(labels);
  assert.deepEqual(dealHues(labels), dealt);
  const hues = [...dealt.values()].sort((a, b) => a - b);
  assert.ok(hues.every((hue) => hue >= 0 && hue < 360));
  const gaps = hues.map((hue, i) => (i === 0 ? hue + 360 - hues.at(-1) : hue - hues[i - 1]));
  assert.ok(Math.min(...gaps) >= 30, `${hues}`);
  const more = dealHues([...labels, "Fish", "Eel"], dealt); // somebody names another animal
  for (const [label, hue] of dealt) assert.equal(more.get(label), hue);
  assert.equal(new Set([...dealHues(Array.from({ length: 23 }, (_, k) => `Animal ${k}`)).values()].map(Math.round)).size, 23);
});
