import assert from "node:assert/strict";
import { test } from "node:test";

import { isNeutral, NEUTRAL, tidy } from "../../web/eye.js";

test("settings from an old storage, or a hand, are put right", () => {
  assert.deepEqual(tidy({ contrast: 7, haze: -1, balance: "much", later: 1 }), { contrast: 1, haze: 0, balance: 0 });
  assert.deepEqual([tidy(null), tidy("x"), tidy({ haze: Number.NaN })], [NEUTRAL, NEUTRAL, NEUTRAL]);
});
