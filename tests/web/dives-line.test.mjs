// The timeline: what it says at a moment, and where its keys lead.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import "./english.mjs";
import { leap, spotWords } from "../../web/dives-line.js";
import { t } from "../../web/text.js";

test("the timeline tells what people said there, and the model's probability only of its own answer", () => {
  const fish = (correction) => ({ label: "Fish", peak_probability: 0.8, correction });
  assert.equal(spotWords(null, 65), "1:05");
  assert.equal(spotWords(fish(null), 65), "1:05  Fish  80%");
  assert.equal(spotWords(fish({ verdict: "wrong", label: "Eel" }), 65), "1:05  Eel");
  assert.equal(spotWords(fish({ verdict: "nothing", label: "" }), 65), `1:05  ${t("said.nothing", { label: "Fish" })}`);
});

/** Relative luminance, as WCAG has it, of red, green and blue in 0..1. */
function luminance(rgb) {
  const [r, g, b] = rgb.map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

const hsl = (hue, s, l) => [0, 8, 4].map((n) => l - s * Math.min(l, 1 - l) * Math.max(-1, Math.min((n + hue / 30) % 12 - 3, 9 - ((n + hue / 30) % 12), 1)));

test("every colour of a species stands out from what it is on in the light theme", () => {
  const read = (name) => readFileSync(new URL(`../../web/${name}`, import.meta.url), "utf8");
  const light = /:root\[data-theme="light"\] \{(.*?)\}/s.exec(read("style.css"))[1];
  const grounds = ["well", "track"].map((name) => new RegExp(`--${name}: #(\\w{6})`).exec(light)[1].match(/../g).map((two) => Number.parseInt(two, 16) / 255));
  const shades = [...read("dives.css").matchAll(/\[data-theme="light"\].*?hsl\(var\(--hue\) 62% (\d+)%\)/g)].map((found) => found[1]);
  shades.push(/62% \$\{light \? (\d+) :/.exec(read("dives-line.js"))[1]);
  assert.equal(shades.length, 4);
  for (const shade of shades) {
    for (let hue = 0; hue < 360; hue += 5) {
      for (const ground of grounds) {
        const contrast = (luminance(ground) + 0.05) / (luminance(hsl(hue, 0.62, shade / 100)) + 0.05);
        assert.ok(contrast >= 3, `hue ${hue} at ${shade}%: ${contrast}`);
      }
    }
  }
});

test("a slider's keys lead to both ends and a twentieth on, and never beyond", () => {
  assert.deepEqual(["Home", "End", "PageUp", "PageDown"].map((key) => leap(key, 50, 200)), [0, 200, 60, 40]);
  assert.deepEqual([leap("PageUp", 195, 200), leap("PageDown", 3, 200)], [200, 0]);
  assert.equal(leap("ArrowLeft", 50, 200), null);
});
