// What the page says about its state, as sentences. Pure: a state and a time in, texts out.

import { sourceName } from "./address.js";
import { MOST_PROBABLE } from "./explained.js";
import { CONTROLS } from "./eye.js";
import { age, clockTime, duration, mediaTime, percent, provider, rate, tenths } from "./format.js";
import { whereStrongest } from "./heatmap.js";
import { pictureRate } from "./pace.js";
import { labelOf, taxonOf } from "./state.js";
import { labelText, number, phrase, t } from "./text.js";

const STILL_MS = 1_500; // from here on a picture is called old, and its age counts up
const QUIET_MS = 3_000; // a live source that brings nothing for this long gets a word
const FULL = "closed.503"; // every place is taken

/**
 * The connection and the source in words.
 *
 * @returns {{brief, full, tone: "live"|"busy"|"over", fresh, retry}} full: with the reason; fresh: the picture on the
 *   stage may be taken for what it is called; retry: asking again can help
 */
export function connectionWords(state, nowMs) {
  const { link, feed, source, shown } = state;
  if (source === null) return noSourceWords(state);
  switch (link.phase) {
    case "idle":
    case "connecting":
      return said("busy", t("link.connecting"), sourceName(source));
    case "asking":
      return said("busy", t("link.asking"), t("link.allow"));
    case "no-camera":
      return said("over", t("link.no-camera"), link.reason, { retry: true });
    case "resting":
      return said("over", t("link.resting"), t("link.nobody"), { retry: true });
    case "waiting": {
      const time = duration(Math.ceil((link.retryAtMs - nowMs) / 1000));
      return said("busy", t(link.reason.key === FULL ? "link.full" : "link.waiting", { time }), link.reason, { retry: true });
    }
    case "closed":
      return said("over", t("link.closed"), link.reason, { retry: true });
  }
  switch (feed.state) {
    case "connecting":
    case "stalled":
    case "retrying": {
      const never = feed.state === "retrying" && state.counts?.captured === 0;
      return said("busy", t(never ? "feed.never" : `feed.${feed.state}`), feedReason(feed));
    }
    case "ended":
    case "failed":
    case "stopped":
      return said("over", t(`feed.${feed.state}`), feedReason(feed));
  }
  if (state.paused) return said("over", t("link.paused"), "", { fresh: true });
  if (shown === null) return said("busy", t("link.first"), "");
  const silentMs = nowMs - shown.atMs;
  if (silentMs > QUIET_MS) return said("busy", t("link.quiet", { time: duration(silentMs / 1000) }), "");
  return said("live", t("link.live"), "", { fresh: true });
}

function noSourceWords({ sources, sourcesError }) {
  if (sourcesError) return said("busy", t("link.no-server"), sourcesError, { retry: true });
  if (sources === null) return said("busy", t("link.listing"), "");
  return said("over", t("link.no-source"), t("link.name-one"), { retry: true });
}

/** Why a source is as it is: the server's words, or where they are not understood what its cause means. */
function feedReason({ cause, reason }) {
  const word = cause || (reason && "other");
  return word && { key: `cause.${word}`, detail: reason };
}

function said(tone, brief, reason, { fresh = false, retry = false } = {}) {
  const full = reason ? t("link.because", { state: brief, reason: phrase(reason) }) : brief;
  return { brief, full, tone, fresh, retry };
}

/** The chips: {rate, rateNote, age, ageNote, device, deviceNote}; a dash where nothing was measured. */
export function chipWords(state, nowMs) {
  return { ...rateWords(state, nowMs), ...ageWords(state, nowMs), ...providerWords(state) };
}

function rateWords(state, nowMs) {
  if (state.paused) return { rate: "–", rateNote: t("rate.paused") };
  const here = pictureRate(state.ticksMs, nowMs);
  if (here === null) return { rate: "–", rateNote: t("rate") };
  const server = state.shown?.header.rate ?? 0;
  // A slow link or screen shows fewer than the model classifies; say so.
  const fewer = here > 0 && server > 1.15 * here && server - here > 1;
  return { rate: rate(here), rateNote: fewer ? t("rate.of", { rate: rate(server) }) : t("rate") };
}

function ageWords(state, nowMs) {
  if (state.shown === null) return { age: "–", ageNote: t("age") };
  const since = nowMs - state.shown.atMs;
  if (state.paused || since > STILL_MS) {
    return { age: age((state.shown.ageMs ?? 0) + since), ageNote: t(state.paused ? "age.paused" : "age.growing") };
  }
  return { age: state.shown.ageMs === null ? "–" : age(state.shown.ageMs), ageNote: t("age") };
}

function providerWords({ model, server }) {
  if (model === null) return { device: "–", deviceNote: t("provider") };
  const { device, by } = provider(model.provider);
  const asked = server?.provider?.requested ?? "";
  const failed = / (failed|was lost) /.test(server?.provider?.note ?? "");
  if (device === "CPU" && (asked === "cuda" || asked === "tensorrt" || failed)) {
    return { device, deviceNote: t(failed ? "provider.failed" : "provider.missed") };
  }
  return { device, deviceNote: by ? t("provider.by", { by }) : t("provider") };
}

/** What did not reach this page since it was opened, by cause: {total, rows: [words, number][]}; total: of frames. */
export function lossWords({ source, counts, countedFrom, skipped, unreadable }) {
  if (counts === null) return { total: "–", rows: [] };
  const from = countedFrom[source] ?? {};
  const since = Object.entries(counts).map(([name, n]) => [name, Math.max(0, n - (from[name] ?? 0))]);
  const { captured, reconnects, stalls, ...lost } = Object.fromEntries(since);
  const frames = { ...lost, skipped, unreadable };
  const rows = Object.entries({ captured, ...frames, reconnects, stalls });
  return {
    total: number(Object.values(frames).reduce((sum, n) => sum + n)),
    rows: rows.map(([name, n]) => [t(`lost.${name}`, {}, name), number(n)]),
  };
}

/** The answer, a label, "nothing there" or "nothing I know": {known, title, taxon, probability, since, note}. */
export function answerWords(state) {
  if (state.shown === null) return { known: false, title: "–", taxon: "", probability: "", since: "", note: "" };
  const { stable, top, media_s } = state.shown.header;
  const since = t("for", { time: duration(media_s - stable.since_s) });
  if (stable.index !== null) {
    const [title, taxon] = [labelOf(state, stable.index), taxonOf(state, stable.index)];
    return { known: true, title, taxon, probability: percent(stable.probability), since, note: "" };
  }
  if (stable.empty) return { known: false, title: t("nothing.there"), taxon: "", probability: percent(stable.probability), since, note: "" };
  const [best] = top;
  const note = best ? t("closest", { label: labelOf(state, best[0]), share: percent(best[1]) }) : "";
  return { known: false, title: t("nothing"), taxon: "", probability: "", since, note };
}

/** For the live region: what connectionWords says, without a time that counts. */
export function linkAnnouncement(state, nowMs) {
  const { link, feed, shown } = state;
  if (link.phase === "waiting" || (link.phase === "connecting" && link.attempt > 0)) {
    return link.reason.key === FULL ? phrase(link.reason) : t("link.lost");
  }
  const still = link.phase === "live" && feed.state === "live" && shown !== null && !state.paused;
  const words = connectionWords(state, nowMs);
  if (still && !words.fresh) return t("feed.stalled");
  return words.tone === "over" ? words.full : words.brief;
}

/** For the live region: changes only when the stable label does. */
export function announcement(state) {
  return state.shown === null ? "" : answerWords(state).title;
}

/** The heat map in words: whose it is, where it is strongest, and which one was chosen if that is not yet here. */
export function heatWords(state) {
  if (state.shown === null) return "";
  const { header, cam } = state.shown;
  const place = whereStrongest(cam, ...header.cam);
  const best = header.top[0]?.[0] ?? null;
  const own = state.explain === MOST_PROBABLE && header.explained === best;
  const where = t(place === null ? "heat.empty" : `where.${place}`);
  const map = t(own ? "heat.best" : "heat", { label: labelOf(state, header.explained), where });
  const chosen = state.explain === MOST_PROBABLE ? best : state.explain;
  if (header.explained === chosen || chosen === null) return map;
  const label = state.explain === MOST_PROBABLE ? t("heat.most-probable") : labelOf(state, chosen);
  return `${map} ${t(state.paused ? "heat.waits" : "heat.follows", { label })}`;
}

/** How long ago the picture on a paused page was taken; "" while it is live. */
export function agoWords({ paused, shown }, nowMs) {
  if (!paused || shown === null) return "";
  const seconds = Math.max(0, nowMs - shown.atMs + (shown.ageMs ?? 0)) / 1000;
  return t("ago", { time: seconds < 60 ? tenths(seconds) : duration(seconds) });
}

/** What was done to the picture for the eye, "" for nothing. */
export function eyeWords({ eye }) {
  const done = CONTROLS.filter((name) => eye[name] > 0);
  return done.map((name) => `${t(`eye.${name}`)} ${percent(eye[name])}`).join(", ");
}

/** Whether a sighting is what the page calls present. The server keeps one open for longer: its animal may come back. */
export function isPresent(entry, { feed, shown, model }) {
  const label = model?.labels[shown?.header.stable.index];
  return entry.ongoing && feed.state === "live" && entry.label === label;
}

/** One sighting: {label, when, note}; its time is wall clock where that is known, else media time. */
export function sightingWords(entry, present) {
  const [from, to] = entry.start_utc
    ? [clockTime(entry.start_utc), clockTime(entry.end_utc)]
    : [mediaTime(entry.start_s), mediaTime(entry.end_s)];
  const span = from === to ? from : `${from} – ${to}`;
  const seconds = Math.max(0, entry.end_s - entry.start_s);
  const lasted = seconds < 10 ? tenths(seconds) : duration(seconds);
  const best = t("sighting.best", { share: percent(entry.peak_probability) });
  const when = present ? t("sighting.now", { from }) : span;
  return { label: labelText(entry.label), when, note: `${lasted} · ${best}` };
}

/** What people say of a sighting, or "". */
export const saidWords = (said) => (said ? t(`said.${said.verdict}`, { label: labelText(said.label) }) : "");

/** A source's tile: {tone, words, title}; words: what is seen there, or why nothing is; title: what it is, and why so. */
export function tileWords(entry, { source, shown, model }) {
  const { name, kind, state, reason = "", cause = "", size } = entry;
  const why = reason && phrase(feedReason({ cause, reason }));
  const title = [sourceName(name), kind && t(`kind.${kind}`, {}, labelText(kind)), why].filter(Boolean).join("\n");
  if (state === "live") {
    // The chosen one's is on the page already, and the two must not differ.
    const here = name === source && shown !== null;
    const label = here ? (model?.labels[shown.header.stable.index] ?? null) : entry.label;
    return { tone: "live", words: label ? labelText(label) : t("tile.nothing"), title };
  }
  if (!state) return { tone: "", words: kind ? t(`kind.${kind}`) : "", title }; // this device's camera, or not listed yet
  const never = state === "retrying" && Math.max(...(size ?? [1])) === 0;
  const tone = ["connecting", "stalled", "retrying"].includes(state) ? "busy" : "over";
  return { tone, words: t(never ? "state.never" : `state.${state}`, {}, state), title };
}
