// The dive that is open: its video with what belongs over it, the timeline, the list of sightings, and the keys.
//
// Comes after the library's first screen, or when the address names a dive (dives-app.js).

import { COLOURS } from "./colourmap.js";
import { Files } from "./dives-files.js";
import { dealHues, filtered, placeAt, speciesOf } from "./dives-found.js";
import { HELP, commandFor } from "./dives-keys.js";
import { Legend, meanings } from "./dives-legend.js";
import { Line } from "./dives-line.js";
import { Player } from "./dives-player.js";
import { Rows } from "./dives-rows.js";
import { Saying, askSightings } from "./dives-said.js";
import { ask, tell } from "./dives-server.js";
import { fillSpecies } from "./dives-shelf.js";
import { Track } from "./dives-track.js";
import { dateWords, why, workShare, workWords } from "./dives-words.js";
import { mediaTime, percent } from "./format.js";
import { recall, remember } from "./preferences.js";
import { labelText, language, meansNoAnimal, number, t } from "./text.js";

const HEAR_MS = 5_000; // between two looks at what others say
const JUMP_S = 10;
const OPACITY_STEP = 0.1;
const MOST_LEFT_OVER = 5; // that are named

const $ = (id) => document.getElementById(id);

const NOTHING = {
  dive: null,
  sightings: [],
  leftOver: [], // corrections of none of them; or {unread}, why they cannot be read
  files: [], // of the results
  originals: [], // of the recording
  labels: [], // of the model that saw it
  shown: [], // those of the sightings that the filter leaves
  hasTrack: false, // it was looked for
  tracked: false,
  hasVideo: "", // its address, or "none"
  lengthS: 0,
  drawnOf: null,
  readNotice: false,
};

const state = {
  ...NOTHING,
  open: null, // id
  askedMs: 0, // when the sightings were asked for
  hues: new Map(), // label -> its colour, in this dive
  view: {
    on: recall("overlay") !== "off",
    opacity: Number.parseFloat(recall("opacity") ?? "0.6"),
    colours: COLOURS.includes(recall("colours")) ? recall("colours") : COLOURS[0], // chosen on the live page
  },
};

let page = null;

/** page: what dives-app.js has for its parts: {poll, say, timed, isBusy, wanted}. */
export function begin(found) {
  page = found;
  translate();
}

// The player

const player = new Player({ video: $("video"), heat: $("heat"), room: $("room"), pane: $("pane") }, onPicture);
const line = new Line({ line: $("line"), canvas: $("spans"), head: $("playhead"), tip: $("tip") }, (mediaS) => player.seek(mediaS));
const legend = new Legend($("hues"), (label) => {
  $("found-species").value = $("found-species").value === label ? "" : label;
  showSightings();
});
const rows = new Rows(
  $("found"),
  $("found-room"),
  ({ still }) => (still ? `api/dives/${state.open}/files/${still.split("/").map(encodeURIComponent).join("/")}?small=true` : null),
  (does, sighting) => (does === "seek" ? player.seek(sighting.peak_s) : saying.of(sighting, does)),
);
const saying = new Saying(
  {
    get id() {
      return state.open;
    },
    get labels() {
      return state.labels;
    },
    get mediaS() {
      return player.mediaS;
    },
    said: (now) => showAgain(state.sightings.map((one) => (one.number === now.number ? now : one))),
    hear: () => hearOthers(state.open),
  },
  (text) => page.say(text),
);

/** Another dive, or none: whatever was there before goes. */
export function open(id) {
  state.open = id;
  Object.assign(state, NOTHING, { hues: new Map() });
  for (const at of ["dive-title", "dive-facts"]) $(at).textContent = "";
  for (const filter of ["found-species", "found-review"]) $(filter).value = "";
  $("least").value = "0";
  player.close();
  rows.mark(-1, { follow: false });
  $("found").scrollTop = 0;
  showSightings();
  onPicture({ mediaS: 0, row: null });
}

/** Asks the server for the dive that is wanted; true while something goes on there. */
export async function load() {
  const id = page.wanted();
  if (id === null) return false;
  if (id !== state.open) open(id);
  let dive;
  try {
    dive = await ask(`api/dives/${id}`);
  } catch (error) {
    if (error.status === 404 && id === state.open) showNotice({ text: t("play.gone") });
    throw error;
  }
  if (id !== state.open) return false;
  page.timed(dive);
  const before = state.dive;
  state.dive = dive;
  titled();
  $("announce").textContent = before === null ? dive.title : "";
  openVideo(dive);
  const settled = !["queued", "running"].includes(dive.state);
  const made = before !== null && before.overlay_state === "wanted" && dive.overlay_state === "ready";
  const joined = before !== null && before.times_state === "wanted" && dive.times_state === "";
  if (settled && (before === null || before.state !== dive.state || made || joined || !state.hasTrack)) await loadResults(id);
  else if (settled && performance.now() - state.askedMs > HEAR_MS) await hearOthers(id);
  if (id !== state.open) return false;
  showDownloads();
  showDive();
  return page.isBusy(dive);
}

function titled() {
  const { dive } = state;
  document.title = t("title", { name: dive?.title ?? "Reeflens" });
  if (dive === null) return;
  const facts = [dateWords(dive), dive.duration_s && mediaTime(dive.duration_s), dive.width && `${dive.width} × ${dive.height}`];
  $("dive-title").textContent = dive.title;
  $("dive-facts").textContent = facts.filter(Boolean).join(" · ");
}

/** The video as soon as there is one that this browser plays. */
function openVideo(dive) {
  const source = dive.playable === true || dive.copy_state === "ready" ? `api/dives/${dive.id}/video` : "";
  const known = source || (dive.width === null ? "" : "none");
  if (known === state.hasVideo) return;
  state.hasVideo = known;
  player.open({ source: source || null, size: [dive.width ?? 16, dive.height ?? 9], offsetS: dive.offset_s, rate: dive.rate });
  state.hasTrack = false;
  player.show(state.view.on, state.view.opacity, state.view.colours);
}

async function loadResults(id) {
  const [index, sightings, files, originals, leftOver] = await Promise.all([
    ask(`api/dives/${id}/track`).catch((error) => {
      if (error.status !== 404) throw error;
      return null;
    }),
    askSightings(id),
    ask(`api/dives/${id}/files`),
    ask(`api/dives/${id}/originals`).catch((error) => {
      if (error.status !== 404) throw error;
      return []; // its video is not there
    }),
    ask(`api/dives/${id}/corrections/left-over`).catch((error) => {
      if (error.status !== 409) throw error;
      return { unread: error.message };
    }),
  ]);
  if (id !== state.open) return;
  if (index !== null) {
    const read = async (from, length) => {
      const answer = await fetch(`api/dives/${id}/track/${index.edition}`, { headers: { range: `bytes=${from}-${from + length - 1}` } });
      if (!answer.ok) throw new Error(`the track answered ${answer.status}`);
      return answer.arrayBuffer();
    };
    const track = new Track(index, read, state.dive.every_s);
    state.labels = index.labels;
    player.track = track;
  }
  state.hasTrack = true; // looked for
  state.askedMs = performance.now();
  state.tracked = index !== null;
  Object.assign(state, { sightings, files, originals, leftOver });
  showSightings();
}

/** What somebody else said of the sightings since, on another page. */
async function hearOthers(id) {
  const said = state.sightings;
  state.askedMs = performance.now();
  const sightings = await askSightings(id);
  // A word of ours that went out meanwhile is newer than this answer.
  if (id !== state.open || state.sightings !== said || JSON.stringify(sightings) === JSON.stringify(said)) return;
  showAgain(sightings);
}

/** The same sightings with other words on them. */
function showAgain(sightings) {
  state.sightings = sightings;
  const { scrollTop } = $("found");
  showSightings();
  $("found").scrollTop = scrollTop;
}

function showDive() {
  const { dive } = state;
  const lengthS = Math.max(dive.duration_s ?? 0, player.lengthS);
  $("length").textContent = lengthS > 0 ? ` / ${mediaTime(lengthS)}` : "";
  if (state.lengthS !== lengthS || state.drawnOf !== state.sightings) {
    [state.lengthS, state.drawnOf] = [lengthS, state.sightings];
    line.show(state.sightings, lengthS, state.hues);
  }
  $("missed").disabled = !state.tracked;
  $("times").hidden = !["complete", "incomplete"].includes(dive.state);
  showNotice(noticeOf(dive));
}

/** What to say over the stage, or null. */
function noticeOf(dive) {
  const work = dive.work !== null ? workWords(dive.work) : "";
  const share = dive.work !== null ? workShare(dive.work) : null;
  const again = (what) => ({ label: t("dive.again"), act: () => tell(`api/dives/${dive.id}/again`, "POST", { what }).then(page.poll) });
  const reason = why(dive.cause, dive.reason) || t("standing.failed");
  const values = { work, why: why(dive.unplayable_cause, dive.unplayable), reason };
  if (dive.state === "queued") return { text: t("play.waiting") };
  if (dive.state === "running") return { text: t("play.working", { work: work || t("phase.start") }), share };
  if (dive.unplayable && dive.copy_state === "wanted") {
    return dive.work !== null ? { text: t("play.copying", values), share } : { text: t("play.copy-waits", values) };
  }
  if (dive.unplayable && dive.copy_state === "failed") {
    return { text: t("play.copy-failed", { ...values, reason: why(dive.copy_cause, dive.copy_reason) }), ...again("copy") };
  }
  if (dive.state === "failed") return { text: t("play.failed", values), ...again("dive") };
  if (dive.state === "cancelled") return { text: t("play.cancelled"), ...again("dive"), label: t("dive.go-on") };
  if (!state.tracked) return { text: t("play.no-track"), ...again("dive") };
  const read = { label: t("close"), act: () => (state.readNotice = true) };
  const ask = { label: t("times"), act: askTimes };
  if (dive.times_state === "wanted" && !state.readNotice) return { text: work ? t("times.working", values) : t("times.waiting"), share: share ?? undefined, ...read };
  if (dive.times_state === "failed" && !state.readNotice) {
    return { text: t("times.failed", { reason: why(dive.times_cause, dive.times_reason) }), ...ask };
  }
  if (dive.cause === "divelog" && !state.readNotice) return { text: why(dive.cause, dive.reason), ...ask };
  if (dive.state === "complete" && dive.reason && !state.readNotice) return { text: why(dive.cause, dive.reason), ...read };
  if (dive.state === "incomplete" && !state.readNotice) return { text: t("play.incomplete", values), ...read };
  if (state.videoFailed === dive.id) return { text: t("play.no-video") };
  return null;
}

function showNotice(notice) {
  $("notice").hidden = notice === null;
  $("stage").dataset.picture = state.hasVideo && state.hasVideo !== "none" ? "yes" : "no";
  if (notice === null) return;
  $("notice-text").textContent = notice.text;
  $("notice-bar").hidden = notice.share === undefined || notice.share === null;
  if (!$("notice-bar").hidden) $("notice-bar").value = notice.share;
  $("notice-do").hidden = notice.act === undefined;
  $("notice-do").textContent = notice.label ?? "";
  $("notice-do").onclick = async () => {
    await notice.act?.();
    if (state.dive !== null) showDive();
  };
}

function showSightings() {
  state.hues = dealHues(speciesOf(state.sightings).map(([label]) => label), state.hues);
  fillSpecies($("found-species"), meanings(state.sightings).species); // the numbers of the legend
  const least = $("least").valueAsNumber / 100;
  state.shown = filtered(state.sightings, { species: $("found-species").value, least, review: $("found-review").value });
  rows.show(state.shown, state.hues);
  rows.mark(placeAt(state.shown, player.mediaS), { follow: false });
  $("least-text").textContent = percent(least);
  const all = state.sightings.length;
  $("found-count").textContent = state.shown.length === all ? all === 0 ? "" : number(all) : t("sightings.some", { n: state.shown.length, all });
  const busy = state.dive === null || ["queued", "running"].includes(state.dive.state);
  $("no-found").hidden = state.shown.length > 0;
  $("no-found").textContent = t(all > 0 ? "sightings.no-match" : busy ? "sightings.later" : "sightings.nothing");
  $("found").hidden = state.shown.length === 0;
  const { unread } = state.leftOver;
  const lost = unread ? [] : state.leftOver;
  const which = lost.slice(0, MOST_LEFT_OVER).map(({ label, peak_s: at }) => `${labelText(label)} ${mediaTime(at)}`);
  if (lost.length > MOST_LEFT_OVER) which.push("…");
  $("by").parentElement.hidden = !state.tracked;
  $("left-over").hidden = !unread && lost.length === 0;
  $("left-over").textContent = unread ? t("sightings.unread", { reason: unread }) : t("sightings.left-over", { n: lost.length, which: which.join(", ") });
  document.querySelector(".found-tools").classList.toggle("bare", all === 0);
  line.show(state.sightings, state.lengthS, state.hues);
  legend.show(state.sightings, state.hues, $("found-species").value);
  const known = [...new Set([...state.labels, ...speciesOf(state.sightings).map(([label]) => label)].map(labelText))];
  known.sort((a, b) => a.localeCompare(b, language()));
  if ($("labels").dataset.told !== known.join()) $("labels").replaceChildren(...known.map((words) => new Option(words)));
  $("labels").dataset.told = known.join();
}

for (const id of ["found-species", "found-review", "least"]) $(id).addEventListener("input", showSightings);

// What is on the stage: written when it differs, a few times a second at most for what only people read

let written = { answer: "", clock: "" };

function onPicture({ mediaS, row }) {
  $("stage").dataset.row = row ? `${row.mediaS}` : "";
  $("stage").dataset.at = `${mediaS}`;
  line.place(mediaS);
  const clock = mediaTime(mediaS);
  if (clock !== written.clock) $("clock").textContent = written.clock = clock;
  const empty = row && row.stable !== null && meansNoAnimal(state.labels[row.stable]);
  const known = row && row.stable !== null && !empty;
  const answer = row ? (known ? labelText(state.labels[row.stable]) : t(empty ? "nothing.there" : "nothing")) : row === null ? t("no-result") : $("answer").textContent;
  if (answer !== written.answer) {
    $("answer").textContent = written.answer = answer;
    $("subtitle").textContent = known ? answer : "";
  }
  $("answer").dataset.known = known ? "yes" : "no";
  $("probability").textContent = known ? percent(row.stableShare) : "";
  showTop(row?.top ?? [], known ? row.stable : null);
  rows.mark(placeAt(state.shown, mediaS), { follow: true });
}

const bars = Array.from({ length: 5 }, () => {
  const item = document.createElement("li");
  const [row, name, share, track, fill] = ["div", "span", "span", "span", "span"].map((tag) => document.createElement(tag));
  [row.className, name.className, share.className, track.className, fill.className] = ["row", "name", "share", "track", "fill"];
  track.append(fill);
  row.append(name, share, track);
  item.append(row);
  $("top").append(item);
  return { item, name, share, fill };
});

function showTop(top, stable) {
  bars.forEach(({ item, name, share, fill }, i) => {
    const [label, value] = top[i] ?? [null, 0];
    item.classList.toggle("empty", label === null);
    item.classList.toggle("shown", label !== null && label === stable);
    const [words, said] = label === null ? ["–", ""] : [labelText(state.labels[label]), percent(value)];
    if (name.textContent !== words) name.textContent = words;
    if (share.textContent !== said) share.textContent = said;
    fill.style.width = `${(100 * value).toFixed(1)}%`;
  });
}

// Controls

function setView(change) {
  Object.assign(state.view, change);
  state.view.opacity = Math.min(1, Math.max(0, Math.round(state.view.opacity * 20) / 20));
  remember("overlay", state.view.on ? "on" : "off");
  remember("opacity", state.view.opacity);
  $("overlay").checked = state.view.on;
  $("opacity").value = String(Math.round(100 * state.view.opacity));
  $("opacity").disabled = !state.view.on;
  $("opacity-text").textContent = percent(state.view.opacity);
  player.show(state.view.on, state.view.opacity, state.view.colours);
}

function tellMissed() {
  player.pause();
  saying.missed();
}

function toSighting(by) {
  const at = placeAt(state.shown, player.mediaS);
  // Within a sighting "before" leads to its own beginning first, as players do with chapters.
  const inside = at >= 0 && player.mediaS - state.shown[at].start_s > 1;
  const next = state.shown[by < 0 && inside ? at : at + by];
  if (next !== undefined) player.seek(next.start_s);
}

/** Its clock and depth: asked about, and joined anew, by what is loaded when somebody wants it. */
async function askTimes() {
  const id = state.open;
  state.readNotice = true;
  player.pause();
  try {
    const { askTimes: ask } = await import("./dives-times.js");
    await ask(id, () => {
      if (id === state.open) state.readNotice = false;
      return page.poll();
    });
  } catch (error) {
    page.say(error.message);
  }
}

async function fullScreen() {
  try {
    if (document.fullscreenElement) await document.exitFullscreen();
    else await $("stage").requestFullscreen();
  } catch (error) {
    page.say(t("full-screen.no", { reason: error.message }));
  }
}

const downloads = new Files($("file-list"), async () => {
  try {
    await tell(`api/dives/${state.open}/again`, "POST", { what: "overlay" });
  } catch (error) {
    page.say(error.message);
  }
  page.poll();
});
$("files").addEventListener("toggle", async () => {
  const id = state.open;
  if (!$("files").open || state.files.length === 0) return;
  // What was said since the dive was opened makes a file of its own.
  const files = await ask(`api/dives/${id}/files`).catch(() => null);
  if (files === null || id !== state.open) return;
  state.files = files;
  showDownloads();
});
const showDownloads = () => downloads.show(state.dive, state.files, state.originals);

/** The list of keys. */
export function help() {
  $("keys").replaceChildren(
    ...HELP.map(([keys, text]) => {
      const [row, names, means] = ["div", "dt", "dd"].map((tag) => document.createElement(tag));
      for (const key of keys) {
        const kbd = document.createElement("kbd");
        kbd.textContent = t(key);
        names.append(kbd, " ");
      }
      means.textContent = t(text);
      row.append(names, means);
      return row;
    }),
  );
  $("dialog").showModal();
}

const COMMANDS = {
  play: () => player.toggle(),
  "jump-back": () => player.jump(-JUMP_S),
  "jump-on": () => player.jump(JUMP_S),
  back: () => player.step(-1),
  forward: () => player.step(1),
  "sighting-before": () => toSighting(-1),
  "sighting-after": () => toSighting(1),
  overlay: () => setView({ on: !state.view.on }),
  fainter: () => setView({ opacity: state.view.opacity - OPACITY_STEP }),
  stronger: () => setView({ opacity: state.view.opacity + OPACITY_STEP }),
  missed: () => !$("missed").disabled && tellMissed(),
  "full-screen": fullScreen,
  help,
};

document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]")) return;
  const { key, ctrlKey, metaKey, altKey, repeat, target } = event;
  const altGraph = event.getModifierState("AltGraph");
  const command = commandFor({ key, ctrlKey, metaKey, altKey, repeat, altGraph, tag: target.tagName ?? "", type: target.type ?? "" });
  if (command === null || (state.open === null && command !== "help")) return;
  event.preventDefault();
  COMMANDS[command]();
});

$("play").addEventListener("click", COMMANDS.play);
$("back").addEventListener("click", COMMANDS.back);
$("forward").addEventListener("click", COMMANDS.forward);
$("missed").addEventListener("click", tellMissed);
$("times").addEventListener("click", askTimes);
$("full-screen").addEventListener("click", fullScreen);
$("full-screen").hidden = !document.fullscreenEnabled;
$("overlay").addEventListener("change", (event) => setView({ on: event.target.checked }));
$("sound").checked = recall("sound") !== "off";
$("video").muted = !$("sound").checked;
$("sound").addEventListener("change", (event) => {
  $("video").muted = !event.target.checked;
  remember("sound", event.target.checked ? "on" : "off");
});
$("opacity").addEventListener("input", (event) => setView({ opacity: event.target.valueAsNumber / 100 }));
$("speed").addEventListener("change", (event) => {
  $("video").playbackRate = Number(event.target.value);
});
$("pane").addEventListener("click", COMMANDS.play);
$("theme").addEventListener("click", () => line.draw());
for (const name of ["play", "pause", "emptied"]) {
  $("video").addEventListener(name, () => {
    $("play").dataset.paused = $("video").paused ? "yes" : "no";
  });
}
$("video").addEventListener("loadedmetadata", () => {
  $("video").playbackRate = Number($("speed").value);
  if (state.dive !== null) showDive();
});
$("video").addEventListener("error", () => {
  if (!$("video").hasAttribute("src") || state.dive === null) return;
  state.videoFailed = state.dive.id;
  showDive();
});

// Language

/** Says everything that was said already in another language. */
export function translate() {
  for (const option of $("speed").options) option.text = t("speed.times", { n: Number(option.value) });
  setView({});
  rows.clear();
  legend.clear();
  written = { answer: "", clock: "" };
  if (state.open === null) return;
  if (state.dive !== null) {
    titled();
    downloads.clear();
    showDownloads();
    showDive();
  }
  showSightings();
  onPicture({ mediaS: player.mediaS, row: player.row });
}
