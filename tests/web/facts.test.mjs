import assert from "node:assert/strict";
import { test } from "node:test";

import { catalogue } from "./english.mjs";
import { factRows } from "../../web/facts.js";
import { INITIAL } from "../../web/state.js";
import { speak } from "../../web/text.js";

const MODEL = { labels: ["Eel", "Sea_Turtle"], model: "reef-1", provider: "CPUExecutionProvider" };

test("facts are given as far as they are known", () => {
  assert.deepEqual(factRows(INITIAL), []);
  const server = { version: "0.1.0", provider: { share: 1, note: "no GPU here" } };
  const rows = new Map(factRows({ ...INITIAL, model: MODEL, server }));
  assert.equal(rows.get("Model"), "reef-1");
  assert.equal(rows.get("Runs on"), "CPUExecutionProvider");
  assert.equal(rows.get("Note"), "no GPU here");
});

test("in Turkish the provider's note is Turkish where there are words for it", () => {
  speak("tr", catalogue("tr"));
  const note = (text) => new Map(factRows({ ...INITIAL, server: { provider: { note: text } } })).get("Not");
  const lost = "the GPU was lost while it ran (a driver mismatch); start again when it is back";
  const notes = [note("no NVIDIA driver on this machine"), note("another one"), note(lost)];
  speak("en", catalogue("en"));
  assert.deepEqual(notes, [
    "bu makinede NVIDIA sürücüsü yok",
    "another one",
    "GPU kayboldu; model CPU'da sürüyor",
  ]);
});
