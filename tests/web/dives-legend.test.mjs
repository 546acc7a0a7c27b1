// The legend says what is there by the last word on each sighting, and what the overlay video is up to.

import assert from "node:assert/strict";
import { test } from "node:test";

import { drawingOf } from "../../web/dives-files.js";
import { meanings } from "../../web/dives-legend.js";
import "./english.mjs";

const seen = (label, correction = null) => ({ label, correction });

test("species stand most first, as people corrected them, and what is nothing is counted apart", () => {
  const sightings = [
    seen("Shark"),
    seen("Fish"),
    seen("Fish", { verdict: "wrong", label: "Octopus" }),
    seen("Octopus", { verdict: "right", label: "" }),
    seen("Eel", { verdict: "nothing", label: "" }),
  ];
  assert.deepEqual(meanings(sightings), { species: [["Octopus", 2], ["Fish", 1], ["Shark", 1]], nothing: 1 });
  assert.deepEqual(meanings([]), { species: [], nothing: 0 });
});

test("the overlay video is offered once, tells how far it is, and why it is not there", () => {
  const dive = { state: "complete", work: null, overlay_state: "", overlay_reason: "", overlay_cause: "" };
  assert.equal(drawingOf(dive, []).ask, true);
  assert.equal(drawingOf(dive, [{ name: "overlay.mp4" }]), null);
  assert.equal(drawingOf({ ...dive, state: "running" }, []), null);
  assert.equal(drawingOf({ ...dive, overlay_state: "wanted" }, []).ask, false);
  const work = { step: "overlay", phase: "overlay", done: 5, total: 10, rate: 0, media_s: 0, duration_s: null, wallS: 0 };
  assert.equal(drawingOf({ ...dive, overlay_state: "wanted", work }, []).share, 0.5);
  assert.match(drawingOf({ ...dive, overlay_state: "failed", overlay_reason: "the disk is full" }, []).words, /the disk is full/);
});
