import assert from "node:assert/strict";
import { test } from "node:test";

import "./english.mjs";
import {
  age,
  clockTime,
  duration,
  mediaTime,
  percent,
  provider,
  rate,
  slug,
  tenths,
} from "../../web/format.js";

const plain = (text) => text.replaceAll("\u202f", " ");

test("a percentage claims neither 0 nor 100 unless it is exactly so", () => {
  const exact = [[0, "0%"], [1, "100%"]];
  const cases = [...exact, [0.004, "<1%"], [0.01, "1%"], [0.834, "83%"], [0.99, "99%"], [0.9999, ">99%"]];
  for (const [share, text] of cases) assert.equal(plain(percent(share)), text);
});

test("durations", () => {
  const cases = [[-1, "0 s"], [12.9, "12 s"], [125, "2 min 5 s"], [3700, "1 h 1 min"]];
  for (const [seconds, text] of cases) assert.equal(plain(duration(seconds)), text);
});

test("seconds to a tenth", () => {
  assert.equal(plain(tenths(12.43)), "12.4 s");
});

test("media time", () => {
  for (const [seconds, text] of [[0, "0:00"], [4.1, "0:04"], [65, "1:05"], [3723, "1:02:03"]]) {
    assert.equal(mediaTime(seconds), text);
  }
});

test("wall clock time is the viewer's own; what is not a time is shown as it is", () => {
  assert.equal(clockTime("2026-05-17T09:30:12.345Z", "UTC"), "09:30:12");
  assert.equal(clockTime("2026-05-17T23:30:12.345Z", "Europe/Berlin"), "01:30:12");
  assert.equal(clockTime("soon"), "soon");
});

test("ages go from milliseconds to minutes", () => {
  const short = [[84.2, "84 ms"], [999.4, "999 ms"]];
  const long = [[999.6, "1.0 s"], [1240, "1.2 s"], [9949, "9.9 s"], [12_000, "12 s"], [75_000, "1 min 15 s"]];
  for (const [ms, text] of [...short, ...long]) assert.equal(plain(age(ms)), text);
});

test("rates", () => {
  assert.deepEqual([rate(21.36), rate(99.96), rate(240.2)], ["21.4", "100", "240"]);
});

test("names as file names", () => {
  assert.equal(slug("Turtle Tortoise"), "turtle-tortoise");
  assert.equal(slug("Küste / 北 1"), "kuste-1");
  assert.equal(slug("北"), "unnamed");
});

test("a provider is named by its device; one that is not known keeps its own name", () => {
  assert.deepEqual(provider("CUDAExecutionProvider"), { device: "GPU", by: "CUDA" });
  assert.deepEqual(provider("CPUExecutionProvider"), { device: "CPU", by: "" });
  assert.deepEqual(provider("OpenVINOExecutionProvider"), { device: "OpenVINO", by: "" });
});
