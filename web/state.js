// The page's one state: events go in, a new state comes out, and everything on the page is drawn from it.
//
// A result enters only once its picture has been drawn, so that text and picture always speak of the same frame.
// Pure: no DOM, no clock (events bring their time), no storage.

import { CAMERA } from "./address.js";
import { COLOURS } from "./colourmap.js";
import { isNeutral, NEUTRAL, tidy } from "./eye.js";
import { carriedOver, MOST_PROBABLE, pressed } from "./explained.js";
import { addTick } from "./pace.js";
import { labelText, t } from "./text.js";

/** What the stage shows: the picture under its heat map, the picture alone, or both beside each other. */
export const VIEWS = ["overlay", "camera", "both"];
export const OPACITY_STEP = 0.1;

const LINK_IDLE = { phase: "idle", reason: "", attempt: 0, retryAtMs: null };
const NO_CAMERAS = { list: [], id: "" }; // of this device, see webcam.js: [{id, name}], and the one that is on
const FEED_UNKNOWN = { state: "", reason: "", cause: "" };

/** {entries, total}: entries newest first, the first one may be ongoing; total counts those no longer kept as well. */
export const NO_SIGHTINGS = Object.freeze({ entries: Object.freeze([]), total: 0 });

export const INITIAL = Object.freeze({
  sources: null, // GET /api/sources, null until the server has answered
  sourcesError: "", // why the last listing failed
  source: null, // the chosen one's name
  link: LINK_IDLE, // see connection.js
  feed: FEED_UNKNOWN, // the source's own state, as the server reports it
  counts: null, // of the source, since the server's start: captured, drops by cause, damaged, ...
  countedFrom: {}, // name -> the counts of each source when this page first heard of them, null for none
  model: null, // the server's hello: labels, taxonomy, provider, thresholds, ...
  server: null, // GET /api/status, and the role of GET /api/session
  cameras: NO_CAMERAS,
  rttMs: null,
  shown: null, // {header, cam, ageMs, atMs} of the picture on the stage
  ticksMs: [], // when the latest pictures were drawn
  lastSeq: null, // of the picture before, null where a gap is the viewer's own doing
  watchingSinceMs: 0, // the last time that the viewer came back from a pause or another tab
  skipped: 0, // results of this source that were published while this page drew others
  unreadable: 0, // pictures that the browser could not decode
  listed: [], // the chosen source's sightings as the server knows them, newest first
  own: NO_SIGHTINGS, // those of this device's own camera, see sightings.js
  paused: false,
  place: null, // {at, count}: which of the kept pictures a paused page shows, see replay.js
  explain: MOST_PROBABLE, // the class whose heat map is wanted; the map on the stage says itself whose it is
  eye: NEUTRAL, // how the picture is shown, see eye.js
  view: "overlay",
  heatView: "overlay", // the view with a heat map that the overlay key returns to
  opacity: 0.6,
  colours: COLOURS[0],
  theme: "dark",
  language: "",
});

/** @returns the state after `event` ({type, ...}); the same object when nothing changed. */
export function reduce(state, event) {
  switch (event.type) {
    case "sources":
      return { ...state, sources: event.sources, sourcesError: "" };
    case "sources-failed":
      return { ...state, sourcesError: event.reason };
    case "server":
      return { ...state, server: event.server };
    case "choose":
      return choose(state, event.source);
    case "link":
      return { ...state, link: event.link, ...(event.link.phase === "connecting" && { lastSeq: null, rttMs: null }) };
    case "hello":
      return greeted(state, event.hello);
    case "status":
      return told(state, event.status);
    case "cameras":
      return { ...state, cameras: { list: event.list, id: event.id } };
    case "sightings": // of the source that was asked about
      return event.source === state.source ? { ...state, listed: event.list } : state;
    case "rtt":
      return { ...state, rttMs: event.ms };
    case "drawn":
      return drawn(state, event);
    case "unreadable":
      return { ...state, unreadable: state.unreadable + 1 };
    case "pause": {
      const paused = !state.paused;
      return { ...state, ...watchedAgain(event), paused, place: paused ? (event.place ?? null) : null };
    }
    case "place": // more was kept, or another picture is asked for
      return { ...state, place: event.place };
    case "stepped": // to a picture of before: no tick, no gap, no sighting
      return { ...state, shown: shownOf(event), place: event.place };
    case "explain":
      return { ...state, explain: pressed(state.explain, event.index) };
    case "explains": // what the server goes on with after it refused
      return { ...state, explain: event.index };
    case "eye":
      return { ...state, eye: tidy({ ...state.eye, ...event.settings }) };
    case "eye-reset":
      return isNeutral(state.eye) ? state : { ...state, eye: NEUTRAL };
    case "seen-again": // the tab was hidden
      return { ...state, ...watchedAgain(event) };
    case "view":
      return view(state, event.view);
    case "next-view":
      return view(state, VIEWS[(VIEWS.indexOf(state.view) + 1) % VIEWS.length]);
    case "toggle-overlay":
      return view(state, state.view === "camera" ? state.heatView : "camera");
    case "opacity":
      return { ...state, opacity: clampOpacity(event.value) };
    case "nudge-opacity":
      return { ...state, opacity: clampOpacity(state.opacity + event.by) };
    case "colours":
      return COLOURS.includes(event.colours) ? { ...state, colours: event.colours } : state;
    case "language":
      return { ...state, language: event.language };
    case "theme":
      return { ...state, theme: event.theme };
    default:
      throw new Error(`no such event: ${event.type}`);
  }
}

/** The name of class `index`, as words; a number while the labels are not known. */
export function labelOf(state, index) {
  const label = state.model?.labels[index];
  return label === undefined ? t("class", { index: String(index) }) : labelText(label);
}

/** The class's scientific name or higher taxon, or "". */
export function taxonOf(state, index) {
  return state.model?.taxonomy?.[state.model.labels[index]] ?? "";
}

function choose(state, source) {
  if (source === state.source) return state;
  return {
    ...state,
    source,
    link: LINK_IDLE,
    feed: FEED_UNKNOWN,
    counts: null,
    cameras: NO_CAMERAS,
    rttMs: null,
    shown: null,
    ticksMs: [],
    lastSeq: null,
    skipped: 0,
    unreadable: 0,
    paused: false,
    place: null,
    listed: [],
    own: endSighting(state.own),
  };
}

function greeted(state, hello) {
  // The server came back with another model: what is on the stage was said in the old one's words.
  if (sameLabels(state.model, hello)) return { ...state, model: hello };
  const explain = carriedOver(state.explain, state.model.labels, hello.labels);
  return { ...state, model: hello, shown: null, explain };
}

/** Whether what was said under one hello can be read with another; so it is under none. */
export function sameLabels(model, hello) {
  return model === null || model.labels.join("\n") === hello.labels.join("\n");
}

const shownOf = ({ header, cam, ageMs, atMs }) => ({ header, cam, ageMs, atMs });

// What a paused page or a hidden tab missed was not lost on the way, and must not be counted so.
const watchedAgain = ({ atMs }) => ({ lastSeq: null, watchingSinceMs: atMs, ticksMs: [] });

function drawn(state, event) {
  const { header, atMs, receivedMs } = event;
  // Pictures of this device's own camera that were overtaken are already among the server's dropped ones.
  const missed = state.lastSeq === null || header.t !== undefined ? 0 : Math.max(0, header.seq - state.lastSeq - 1);
  return {
    ...counted(state, header),
    shown: shownOf(event),
    ticksMs: addTick(state.ticksMs, atMs),
    lastSeq: receivedMs < state.watchingSinceMs ? null : header.seq, // one held since before says nothing of the gap
    skipped: state.skipped + missed,
    own: event.own ?? state.own,
  };
}

function told(state, status) {
  const { state: name, reason = "", cause = "" } = status;
  return { ...counted(state, status), feed: { state: name, reason, cause } };
}

/** Results and statuses carry counts alike; the last knows best. A page tells of its own time only. */
function counted(state, { captured, dropped, drops = { engine: dropped }, damaged = 0, reconnects = 0, stalls = 0 }) {
  if (captured === undefined) return state;
  const { source, countedFrom } = state;
  const counts = { captured, ...drops, damaged, reconnects, stalls };
  const before = state.counts ?? countedFrom[source];
  const anew = source === CAMERA || captured < before?.captured; // the server began again, and so do its counts
  const from = anew ? null : source in countedFrom ? countedFrom[source] : counts;
  return { ...state, counts, countedFrom: from === countedFrom[source] ? countedFrom : { ...countedFrom, [source]: from } };
}

/** The chosen source's sightings, newest first. */
export function sightingsOf({ source, own, listed }) {
  return source === CAMERA ? own.entries : listed;
}

/** The ongoing sighting, if there is one, is over: another source, or the stream ended. */
export function endSighting(sightings) {
  const [first, ...older] = sightings.entries;
  return first?.ongoing ? { ...sightings, entries: [{ ...first, ongoing: false }, ...older] } : sightings;
}

function view(state, chosen) {
  if (!VIEWS.includes(chosen) || chosen === state.view) return state;
  return { ...state, view: chosen, heatView: chosen === "camera" ? state.heatView : chosen };
}

function clampOpacity(value) {
  if (!Number.isFinite(value)) return INITIAL.opacity;
  return Math.min(1, Math.max(0, Math.round(value * 100) / 100)); // hundredths: ten steps of 0.1 must end at 1
}
