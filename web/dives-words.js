// A dive, an upload and their work in words. Pure.

import { decimal, duration, percent, rate } from "./format.js";
import { folded } from "./named.js";
import { labelText, language, number, phrase, t } from "./text.js";

/** 1536 -> "1.5 kB"; thousands, as disks and browsers count. */
export function bytes(count) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let [value, unit] = [count, 0];
  while (value >= 999.5 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit === 0 || value >= 99.95 ? number(Math.round(value)) : decimal(value)}\u202f${units[unit]}`;
}

/** How far a job is, {phase, done, total, rate, media_s, duration_s}. */
export function workWords(work) {
  const phase = t(`phase.${work.phase}`);
  const share = workShare(work);
  if (share === null) return t("work.unknown", { phase });
  const leftS = work.rate > 0 && work.total ? leftOf(work, share) : null;
  if (leftS === null || work.phase === "write") return t("work", { phase, share: percent(share) });
  return t("work.rate", { phase, share: percent(share), rate: rate(work.rate), left: duration(leftS) });
}

/** 0..1 of the phase, null while nobody knows. With samples left out, frames worked on say less than time in the dive. */
export function workShare({ done, total, media_s, duration_s }) {
  if (duration_s > 0 && media_s > 0) return Math.min(1, media_s / duration_s);
  return total > 0 ? Math.min(1, done / total) : null;
}

function leftOf({ wallS }, share) {
  return wallS > 0 && share > 0.01 ? (wallS * (1 - share)) / share : null;
}

/** Why: the server's own words, or where these are not read what their cause means. */
export const why = (cause, reason) => (cause ? phrase({ key: `why.${cause}`, detail: reason }) : reason);

/** What the server said no with, in words. */
export function refusal(code, detail) {
  const key = [403, 404, 413, 507].includes(code) ? `refused.${code}` : "refused.other";
  return phrase({ key, code, detail: typeof detail === "string" ? detail : "" });
}

/** One line under a dive's picture. */
export function stateWords(dive) {
  if (dive.work !== null && dive.work.step === "dive") return workWords(dive.work);
  if (dive.state === "complete") {
    if (dive.work !== null) return workWords(dive.work);
    if (dive.times_state === "wanted") return t("times.waiting");
    if (dive.times_state === "failed") return t("times.failed", { reason: why(dive.times_cause, dive.times_reason) });
    return dive.overlay_state === "wanted" ? t("overlay.waiting") : dive.reason ? why(dive.cause, dive.reason) : "";
  }
  return [t(`standing.${dive.state}`), why(dive.cause, dive.reason)].filter(Boolean).join(": ");
}

/** The most frequent species: "Sea turtle 4, Shark 1 and 2 more". */
export function speciesWords({ species, has_results: has }, most = 3) {
  const all = Object.entries(species);
  if (all.length === 0) return has ? t("card.nothing") : "";
  const named = all.slice(0, most).map(([label, n]) => `${labelText(label)}\u202f${number(n)}`);
  const more = all.length > most ? ` ${t("card.more", { n: all.length - most })}` : "";
  return named.join(", ") + more;
}

/** "21 Jun 2026, 14:03"; the recording's own time when it is known, else when it came in: "sent 23 Jun 2026, 20:00". */
export function dateWords({ recorded_utc: recorded, added_utc: added }, timeZone = undefined) {
  const moment = new Date(recorded || added);
  if (Number.isNaN(moment.getTime())) return "";
  const options = { dateStyle: "medium", timeStyle: "short", timeZone };
  if (dates.spoken !== language()) dates = { spoken: language(), format: new Intl.DateTimeFormat(localeOf(language()), options) };
  const date = dates.format.format(moment);
  return recorded ? date : t("date.sent", { date });
}

let dates = {}; // making a format takes longer than using it a hundred times

/** As the browser's own country writes dates, where it speaks the page's language. */
export function localeOf(spoken) {
  const own = globalThis.navigator?.languages ?? [];
  return own.find((tag) => tag.startsWith(`${spoken}-`)) ?? { en: "en-GB" }[spoken] ?? spoken;
}

/** One line for an upload. */
export function uploadWords({ state, offset, size, rate: perSecond, reason, retryAtMs }, nowMs) {
  const values = { done: bytes(offset), size: bytes(size), reason };
  if (state === "sending" && perSecond > 0) {
    return t("upload.sending", { ...values, rate: bytes(perSecond), left: duration((size - offset) / perSecond) });
  }
  if (state === "sending" || state === "done") return t("upload.starting", values);
  if (state === "retrying") return t(reason === "busy" ? "upload.elsewhere" : "upload.retrying", { ...values, left: duration(Math.max(0, retryAtMs - nowMs) / 1000) });
  return t(`upload.${state}`, values);
}

/** Which dives are asked for. query: words, each of which is in the title, the file's name, a species or the date. */
export function matching(dives, { query, species, state }) {
  const words = folded(query).split(/\s+/).filter(Boolean);
  return dives.filter((dive) => {
    if (species !== "" && !(species in dive.species)) return false;
    const busy = ["queued", "running"].includes(dive.state) || [dive.copy_state, dive.overlay_state, dive.times_state].includes("wanted");
    if (state === "complete" && dive.state !== "complete") return false;
    if (state === "busy" && !busy) return false;
    if (state === "trouble" && (dive.state === "complete" || ["queued", "running"].includes(dive.state))) return false;
    if (words.length === 0) return true;
    const labels = Object.keys(dive.species).flatMap((label) => [labelText(label), label.replaceAll("_", " ")]);
    const text = folded([dive.title, dive.file_name, ...labels, dive.recorded_utc, dive.added_utc].join("\n"));
    return words.every((word) => text.includes(word));
  });
}
