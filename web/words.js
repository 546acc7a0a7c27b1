// What the page says about its state, as sentences. Pure: a state and a time in, texts out.

import { age, clockTime, count, duration, labelText, mediaTime, percent, provider, rate, slug } from "./format.js";
import { whereStrongest } from "./heatmap.js";
import { pictureRate } from "./pace.js";
import { labelOf, taxonOf } from "./state.js";

const STILL_MS = 1_500; // from here on a picture is called old, and its age counts up
const QUIET_MS = 3_000; // a live source that brings nothing for this long gets a word

/**
 * The connection and the source in words.
 *
 * @returns {{brief: string, full: string, tone: "live"|"busy"|"over", fresh: boolean, retry: boolean}} full: with
 *   the reason; tone: how to show it; fresh: the picture on the stage may be taken for what it is called; retry:
 *   asking again can help
 */
export function connectionWords(state, nowMs) {
  const { link, feed, source, shown } = state;
  if (source === null) return noSourceWords(state);
  switch (link.phase) {
    case "idle":
    case "connecting":
      return said("busy", "Connecting", source);
    case "waiting": {
      const seconds = Math.max(0, Math.ceil((link.retryAtMs - nowMs) / 1000));
      return said("busy", `Reconnecting in ${seconds}\u202fs`, link.reason, { retry: true });
    }
    case "closed":
      return said("over", "Not connected", link.reason, { retry: true });
  }
  switch (feed.state) {
    case "connecting":
      return said("busy", "Source connecting", feed.reason);
    case "ended":
    case "failed":
    case "stopped":
      return said("over", `Source ${feed.state}`, feed.reason);
  }
  if (state.paused) return said("over", "Paused", "", { fresh: true });
  if (shown === null) return said("busy", "Waiting for the first picture", "");
  const silentMs = nowMs - shown.atMs;
  if (silentMs > QUIET_MS) return said("busy", `No new picture for ${duration(silentMs / 1000)}`, "");
  return said("live", "Live", "", { fresh: true });
}

function noSourceWords({ sources, sourcesError }) {
  if (sourcesError) return said("busy", "The server does not answer", sourcesError, { retry: true });
  if (sources === null) return said("busy", "Asking the server for its sources", "");
  return said("over", "No source", "start the server with --source NAME=FILE", { retry: true });
}

function said(tone, brief, reason, { fresh = false, retry = false } = {}) {
  return { brief, full: reason ? `${brief}: ${reason}` : brief, tone, fresh, retry };
}

/** The three chips: {rate, rateNote, age, ageNote, device, deviceNote}; a dash where nothing was measured. */
export function chipWords(state, nowMs) {
  return { ...rateWords(state, nowMs), ...ageWords(state, nowMs), ...providerWords(state) };
}

function rateWords(state, nowMs) {
  if (state.paused) return { rate: "–", rateNote: "frames/s, paused" };
  const here = pictureRate(state.ticksMs, nowMs);
  if (here === null) return { rate: "–", rateNote: "frames/s" };
  const server = state.shown?.header.rate ?? 0;
  // A slow link or a slow screen shows fewer than the model classifies; say so instead of naming the better one.
  const fewer = here > 0 && server > 1.15 * here && server - here > 1;
  return { rate: rate(here), rateNote: fewer ? `of ${rate(server)} frames/s` : "frames/s" };
}

function ageWords(state, nowMs) {
  if (state.shown === null) return { age: "–", ageNote: "age" };
  const since = nowMs - state.shown.atMs;
  if (state.paused || since > STILL_MS) {
    return { age: age((state.shown.ageMs ?? 0) + since), ageNote: state.paused ? "age, paused" : "age, growing" };
  }
  return { age: state.shown.ageMs === null ? "–" : age(state.shown.ageMs), ageNote: "age" };
}

function providerWords({ model, server }) {
  if (model === null) return { device: "–", deviceNote: "provider" };
  const { device, by } = provider(model.provider);
  const asked = server?.provider?.requested ?? "";
  if (device === "CPU" && (asked === "cuda" || asked === "tensorrt")) {
    return { device, deviceNote: "not the GPU asked for" };
  }
  return { device, deviceNote: by ? `provider, ${by}` : "provider" };
}

/**
 * What was lost on the way, by cause; "" before the first picture. Dropped: the model had no time for it. Skipped: it
 * was classified, and this page was shown a newer one instead.
 */
export function countWords({ shown, skipped, unreadable }) {
  if (shown === null) return "";
  const parts = [`${count(shown.header.captured)} captured`, `${count(shown.header.dropped)} dropped`];
  if (skipped > 0) parts.push(`${count(skipped)} skipped`);
  if (unreadable > 0) parts.push(`${count(unreadable)} unreadable`);
  return parts.join(", ");
}

/** The answer: {known, title, taxon, probability, since, note}. */
export function answerWords(state) {
  if (state.shown === null) return { known: false, title: "–", taxon: "", probability: "", since: "", note: "" };
  const { stable, top, media_s } = state.shown.header;
  const since = `for ${duration(media_s - stable.since_s)}`;
  if (stable.index !== null) {
    const [title, taxon] = [labelOf(state, stable.index), taxonOf(state, stable.index)];
    return { known: true, title, taxon, probability: percent(stable.probability), since, note: "" };
  }
  const note = top.length > 0 ? `Closest: ${labelOf(state, top[0][0])}, ${percent(top[0][1])}` : "";
  return { known: false, title: "Nothing I know", taxon: "", probability: "", since, note };
}

/** For the live region: changes only when the stable label does. */
export function announcement(state) {
  if (state.shown === null) return "";
  const { index } = state.shown.header.stable;
  return index === null ? "Nothing I know" : labelOf(state, index);
}

/** The heat map in words. */
export function heatWords(state) {
  if (state.shown === null) return "";
  const { header, cam } = state.shown;
  const where = whereStrongest(cam, ...header.cam);
  const label = labelOf(state, header.explained);
  if (where === null) return `No part of the picture speaks for ${label}.`;
  return `What speaks for ${label} is strongest ${where}.`;
}

/** Whether a sighting is going on at this moment. The last one before an end stays open: more frames may follow it. */
export function isPresent(entry, state) {
  return entry.open && state.feed.state === "live";
}

/** One sighting's time: wall clock where it is known, else media time. */
export function sightingTime(entry, present) {
  const [from, to] = entry.start_utc
    ? [clockTime(entry.start_utc), clockTime(entry.end_utc)]
    : [mediaTime(entry.start_s), mediaTime(entry.end_s)];
  const span = from === to ? from : `${from} – ${to}`;
  return present ? `since ${from}` : span;
}

/** A still's caption, two lines, and its file name. */
export function stillWords(state) {
  const { header } = state.shown;
  const { title, probability, note } = answerWords(state);
  const first = probability ? `${title}, ${probability}` : [title, note].filter(Boolean).join(". ");
  const second = [header.source, `frame ${header.frame}`, `${header.media_s.toFixed(3)}\u202fs`, header.utc];
  if (state.model?.model) second.push(state.model.model);
  if (state.view !== "camera") second.push(`heat map: ${labelOf(state, header.explained)}`);
  const name = [slug(header.source), `frame-${String(header.frame).padStart(6, "0")}`, slug(title)].join("_");
  return { lines: [first, second.filter(Boolean).join("  ·  ")], fileName: `${name}.png` };
}

/** The facts behind the page, as [name, value] rows. */
export function factRows(state) {
  const { model, server } = state;
  const rows = [];
  if (model) {
    rows.push(["Model", model.model ?? "–"]);
    rows.push(["Classes", String(model.labels.length)]);
    if (model.input_size) rows.push(["Input", `${model.input_size} × ${model.input_size} pixels`]);
    const show = model.thresholds?.show;
    if (Number.isFinite(show)) rows.push(["A label is shown from", percent(show)]);
    rows.push(["Runs on", model.provider]);
  }
  const report = server?.provider;
  if (report && Number.isFinite(report.share)) rows.push(["Its share of the run time", percent(report.share)]);
  if (report?.note) rows.push(["Note", report.note]);
  if (Number.isFinite(state.rttMs)) rows.push(["Round trip to the server", age(state.rttMs)]);
  if (server?.version) rows.push(["Reeflens", server.version]);
  return rows;
}

/** A source tile's second line. */
export function sourceWords({ kind, state }) {
  return [labelText(kind ?? ""), state === "live" ? "" : state].filter(Boolean).join(", ");
}
