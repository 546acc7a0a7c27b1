// Keys of the player.

import assert from "node:assert/strict";
import { test } from "node:test";

import { commandFor, HELP } from "../../web/dives-keys.js";

const press = (key, more = {}) =>
  commandFor({ key, ctrlKey: false, metaKey: false, altKey: false, altGraph: false, repeat: false, tag: "BODY", type: "", ...more });

test("every key of the help does something", () => {
  const typed = { space: " ", "←": "ArrowLeft", "→": "ArrowRight", "↑": "ArrowUp", "↓": "ArrowDown" };
  for (const [keys] of HELP) for (const key of keys) assert.notEqual(press(typed[key] ?? key), null, key);
});

test("whoever types is left alone, and so are the browser's own keys", () => {
  for (const more of [{ tag: "INPUT", type: "text" }, { tag: "INPUT", type: "search" }, { tag: "TEXTAREA" }]) assert.equal(press("j", more), null);
  for (const more of [{ ctrlKey: true }, { metaKey: true }, { altKey: true }]) assert.equal(press("f", more), null);
  assert.equal(press("[", { ctrlKey: true, altKey: true, altGraph: true }), "fainter");
});

test("space presses what is in focus, arrows move a slider", () => {
  assert.equal(press(" ", { tag: "BUTTON" }), null);
  assert.equal(press("k", { tag: "BUTTON" }), "play");
  assert.equal(press("ArrowLeft", { tag: "INPUT", type: "range" }), null);
  assert.equal(press("ArrowLeft", { tag: "DIV" }), "back");
});

test("holding a key steps on, but does not flicker", () => {
  assert.equal(press("ArrowRight", { repeat: true }), "forward");
  assert.equal(press("o", { repeat: true }), null);
});
