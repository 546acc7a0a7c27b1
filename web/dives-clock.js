// Moments of a dive in the zone that somebody thinks in, and why a dive log does not fit, in words. Pure.

import { duration } from "./format.js";
import { localeOf } from "./dives-words.js";
import { language, t } from "./text.js";

const HALF_HOURS = Array.from({ length: 53 }, (_, k) => -720 + 30 * k); // UTC-12 to UTC+14, as far as zones reach
const QUARTERS = [345, 525, 765]; // Nepal, Eucla, Chatham
const MINUTE_MS = 60_000;

/** Every zone, in minutes ahead of UTC. */
export const ZONES = Object.freeze([...HALF_HOURS, ...QUARTERS].sort((a, b) => a - b));

/** 180 -> "UTC+3", -210 -> "UTC−3:30". */
export function zoneWords(minutes) {
  if (minutes === 0) return "UTC";
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  return `UTC${minutes < 0 ? "−" : "+"}${hours}${rest === 0 ? "" : `:${String(rest).padStart(2, "0")}`}`;
}

/** The zone of this device at a moment; what `zone` offers, at least, is near it. */
export const zoneHere = (utc) => -new Date(utc || Date.now()).getTimezoneOffset();

/** "2026-05-01T12:30:00.000Z" in UTC+3 as a field for date and time has it: "2026-05-01T15:30:00". */
export const localOf = (utc, zone) => (utc ? new Date(Date.parse(utc) + zone * MINUTE_MS).toISOString().slice(0, 19) : "");

/** The inverse; null for what is no moment. */
export function utcOf(local, zone) {
  const moment = Date.parse(`${local.length === 16 ? `${local}:00` : local}Z`);
  return Number.isNaN(moment) ? null : new Date(moment - zone * MINUTE_MS).toISOString();
}

/** "1 May 2026, 15:30:00 (UTC+3)". */
export function momentWords(utc, zone) {
  const when = written(utc, zone, { dateStyle: "medium", timeStyle: "medium" });
  return `${when} (${zoneWords(zone)})`;
}

/** From one to another. */
export const stretchWords = (fromUtc, toUtc, zone) => [fromUtc, toUtc].map((utc) => momentWords(utc, zone)).join(" – ");

/** "1 May 2026, 15:30 – 16:10": of a log, by its own clock, which has no zone that we know of. */
export function spanWords(firstUtc, lastUtc) {
  const sameDay = firstUtc.slice(0, 10) === lastUtc.slice(0, 10);
  const first = written(firstUtc, 0, { dateStyle: "medium", timeStyle: "short" });
  const last = written(lastUtc, 0, sameDay ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" });
  return `${first} – ${last}`;
}

function written(utc, zone, options) {
  const format = new Intl.DateTimeFormat(localeOf(language()), { ...options, timeZone: "UTC" });
  return format.format(Date.parse(utc) + zone * MINUTE_MS);
}

/** How far a log is ahead of the camera: 10800 -> "3 h 0 min ahead", -20 -> "20 s behind". */
export function offsetWords(seconds) {
  if (seconds === 0) return t("offset.none");
  return t(seconds > 0 ? "offset.ahead" : "offset.behind", { by: duration(Math.abs(seconds)) });
}

/** Why a log cannot be joined, {cause, recorded_from, recorded_to, fits} of the server's. detail: its own words. */
export function misfitWords({ cause, recorded_from: from, recorded_to: to, fits }, zone, detail = "") {
  if (cause === "unreadable") return t("misfit.unreadable", { detail });
  if (cause === "no-clock") return t("misfit.no-clock");
  const recorded = stretchWords(from, to, zone);
  if (cause === "several") return t("misfit.several", { n: fits.length, recorded });
  return t("misfit.elsewhere", { recorded, nearest: spanWords(fits[0].first_utc, fits[0].last_utc) });
}
