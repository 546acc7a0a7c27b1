// Moments in the zone of whoever reads them, and why a dive log does not fit: in both languages, offsets included.

import assert from "node:assert/strict";
import { test } from "node:test";

import { catalogue, ownOfDives } from "./english.mjs";
import { ZONES, localOf, misfitWords, momentWords, offsetWords, spanWords, utcOf, zoneWords } from "../../web/dives-clock.js";
import { speak } from "../../web/text.js";

const say = (language) => speak(language, { ...catalogue(language), ...ownOfDives(language), ...catalogue(`times-${language}`) });
const plain = (text) => text.replaceAll("\u202f", " ");

test("a field shows a moment in the zone that is chosen, and gives it back", () => {
  const utc = "2026-05-01T22:30:05.000Z";
  for (const zone of ZONES) assert.equal(utcOf(localOf(utc, zone), zone), utc);
  assert.equal(localOf(utc, 180), "2026-05-02T01:30:05");
  assert.equal(utcOf("2026-05-02T01:30", 180), "2026-05-01T22:30:00.000Z"); // browsers leave out seconds of 0
  assert.equal(utcOf("", 180), null);
  assert.equal(localOf("", 180), "");
});

test("zones are named by what they are ahead of UTC", () => {
  assert.deepEqual([0, 180, -210, 345].map(zoneWords), ["UTC", "UTC+3", "UTC−3:30", "UTC+5:45"]);
  assert.ok([-720, 0, 180, 345, 840].every((zone) => ZONES.includes(zone)));
});

test("a moment is told in its zone, and a span of a log by the log's own clock", () => {
  say("en");
  assert.equal(plain(momentWords("2026-05-01T22:30:05.000Z", 180)), "2 May 2026, 01:30:05 (UTC+3)");
  assert.equal(plain(spanWords("2026-05-01T09:29:00.000Z", "2026-05-01T10:12:00.000Z")), "1 May 2026, 09:29 – 10:12");
  assert.equal(plain(spanWords("2026-05-01T23:29:00.000Z", "2026-05-02T00:12:00.000Z")), "1 May 2026, 23:29 – 2 May 2026, 00:12");
});

const several = {
  cause: "several",
  recorded_from: "2026-05-01T09:30:00.000Z",
  recorded_to: "2026-05-01T09:33:00.000Z",
  fits: [
    { first_utc: "2026-05-01T09:29:00.000Z", last_utc: "2026-05-01T09:40:00.000Z", offset_s: 0 },
    { first_utc: "2026-05-01T13:29:00.000Z", last_utc: "2026-05-01T13:40:00.000Z", offset_s: 14400 },
  ],
};

test("why a log does not fit, and the offset that would, are said in the reader's language", () => {
  say("en");
  assert.deepEqual([0, 14400, -20].map(offsetWords).map(plain), ["both clocks agree", "the log is 4 h 0 min ahead", "the log is 20 s behind"]);
  assert.match(misfitWords(several, 0), /any of 2 dives/);
  assert.equal(misfitWords({ cause: "unreadable", fits: [] }, 0, "log.csv: neither XML nor CSV"), "This dive log cannot be read: log.csv: neither XML nor CSV");
  say("tr");
  assert.deepEqual([0, 14400, -20].map(offsetWords).map(plain), ["iki saat aynı", "günlük 4 sa 0 dk ileri", "günlük 20 sn geri"]);
  assert.match(misfitWords(several, 180), /^Kayıt 1 May 2026 12:30:00 \(UTC\+3\) – .* 2 dalıştan/);
  assert.match(misfitWords({ ...several, cause: "elsewhere" }, 0), /günlüğün saatiyle 1 May 2026 09:29 – 09:40/);
  assert.match(misfitWords({ cause: "no-clock", fits: [] }, 0), /bilinmediğinden/);
  say("en");
});
