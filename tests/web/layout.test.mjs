import assert from "node:assert/strict";
import { test } from "node:test";

import { fit } from "../../web/layout.js";

test("one picture fills what it can at its own ratio", () => {
  assert.deepEqual(fit([1000, 1000], [1280, 720], 1), { stacked: false, width: 1000, height: 562.5 });
  assert.deepEqual(fit([1000, 300], [1080, 1920], 1), { stacked: false, width: 168.75, height: 300 });
});

test("two stand side by side on a wide stage, else where they are larger", () => {
  assert.equal(fit([999, 800], [1280, 720], 2).stacked, true);
  assert.equal(fit([1000, 800], [1280, 720], 2).stacked, false);
  assert.equal(fit([1600, 500], [1280, 720], 2).stacked, false);
  assert.equal(fit([900, 700], [720, 1280], 2).stacked, false);
});

test("panes and their gap never leave the stage", () => {
  for (let i = 0; i < 500; i++) {
    const stage = [50 + ((i * 137) % 1500), 50 + ((i * 211) % 1000)];
    const picture = [64 + ((i * 89) % 2000), 64 + ((i * 61) % 2000)];
    const { stacked, width, height } = fit(stage, picture, 2, 12);
    const [across, down] = stacked ? [width, 2 * height + 12] : [2 * width + 12, height];
    assert.ok(across <= stage[0] + 1e-6 && down <= stage[1] + 1e-6, `${stage} ${picture}`);
  }
});

test("a stage without room shows nothing instead of failing", () => {
  assert.deepEqual(fit([0, 0], [1280, 720], 2, 12), { stacked: false, width: 0, height: 0 });
});
