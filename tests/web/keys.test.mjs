import assert from "node:assert/strict";
import { test } from "node:test";

import { commandFor } from "../../web/keys.js";

const press = (key, more = {}) =>
  commandFor({ key, ctrlKey: false, metaKey: false, altGraph: false, repeat: false, tag: "BODY", type: "", ...more });

test("every key of the help does what it says, in either case", () => {
  const letters = { o: "overlay", O: "overlay", s: "still", f: "full-screen", v: "view", V: "view" };
  const keys = { ...letters, " ": "pause", "[": "fainter", "]": "stronger", "?": "help" };
  for (const [key, command] of Object.entries(keys)) assert.equal(press(key), command);
  assert.equal(press("x"), null);
  assert.equal(press("Shift"), null);
});

test("the browser's own shortcuts stay the browser's", () => {
  assert.equal(press("s", { ctrlKey: true }), null);
  assert.equal(press("f", { metaKey: true }), null);
});

test("a bracket typed with AltGr counts, though Windows reports Ctrl with it", () => {
  assert.equal(press("[", { ctrlKey: true, altGraph: true }), "fainter");
});

test("space on a button presses the button", () => {
  assert.equal(press(" ", { tag: "BUTTON" }), null);
  assert.equal(press(" ", { tag: "INPUT", type: "radio" }), "pause");
  assert.equal(press("o", { tag: "BUTTON" }), "overlay");
});

test("whoever types text is left alone", () => {
  assert.equal(press("s", { tag: "INPUT", type: "text" }), null);
  assert.equal(press("s", { tag: "TEXTAREA" }), null);
});

test("digits choose a heat map by its row, and nothing chooses a sixth", () => {
  assert.deepEqual(["0", "1", "5", "6"].map((key) => press(key)), ["explain-0", "explain-1", "explain-5", null]);
});

test("arrows step, unless a slider, a choice or a list has the focus, or a modifier is held", () => {
  assert.deepEqual([press("ArrowLeft"), press("ArrowRight")], ["back", "forward"]);
  assert.equal(press("ArrowLeft", { tag: "BUTTON" }), "back");
  for (const type of ["range", "radio"]) assert.equal(press("ArrowLeft", { tag: "INPUT", type }), null);
  assert.equal(press("ArrowRight", { tag: "SELECT" }), null);
  assert.equal(press("ArrowLeft", { altKey: true }), null); // the browser's way back
});

test("a key held down repeats the opacity and the steps, and nothing else", () => {
  assert.equal(press("ArrowLeft", { repeat: true }), "back");
  assert.equal(press("]", { repeat: true }), "stronger");
  assert.equal(press(" ", { repeat: true }), null);
  assert.equal(press("s", { repeat: true }), null);
});
