// The page of the dives put together: the library, and the player of the dive that the address names (#ID).

import { COLOURS } from "./colourmap.js";
import { HELP, commandFor } from "./dives-keys.js";
import { dealHues, filtered, placeAt, speciesOf } from "./dives-found.js";
import { Line } from "./dives-line.js";
import { Player } from "./dives-player.js";
import { Rows } from "./dives-rows.js";
import { Shelf, Uploads, countWords, fillSpecies, speciesOfAll } from "./dives-shelf.js";
import { Track } from "./dives-track.js";
import { Sending, isSame, refusal } from "./dives-upload.js";
import { bytes, dateWords, why, workShare, workWords } from "./dives-words.js";
import { mediaTime, percent } from "./format.js";
import { labelMeant } from "./named.js";
import { recall, remember } from "./preferences.js";
import { LANGUAGES, labelText, language, meansNoAnimal, number, speak, t } from "./text.js";

const BUSY_MS = 1_000; // between two looks at the server while something goes on there
const IDLE_MS = 10_000;
const TOAST_MS = 4_000;
const JUMP_S = 10;
const OPACITY_STEP = 0.1;
const MOST_LEFT_OVER = 5; // that are named

const $ = (id) => document.getElementById(id);
const catalogues = (spoken) => [`assets/${spoken}.json`, `assets/dives-${spoken}.json`];

const state = {
  library: null, // what the server told last
  sendings: [], // of this page
  interrupted: [], // on the server, of no page that we know of
  open: null, // id of the dive in the player
  dive: null,
  sightings: [],
  leftOver: [], // corrections of none of them; or {unread}, why they cannot be read
  files: [],
  askedMs: 0, // when the sightings were asked for
  hues: new Map(), // label -> its colour, in this dive
  shown: [], // those of them that the filter leaves
  began: new Map(), // job -> when this page first saw it, for the time left
  view: {
    on: recall("overlay") !== "off",
    opacity: Number.parseFloat(recall("opacity") ?? "0.6"),
    colours: COLOURS.includes(recall("colours")) ? recall("colours") : COLOURS[0], // chosen on the live page
  },
};

let pollTimer = 0;
let toastTimer = 0;

// Asking the server

const ask = async (path, options = {}) => read(await fetch(path, options));

async function read(answer) {
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  if (answer.status === 401) location.reload(); // as the page for logging in
  const detail = (await answer.json().catch(() => ({}))).detail;
  throw Object.assign(new Error(refusal(answer.status, detail)), { status: answer.status });
}

const tell = (path, method, body) =>
  ask(path, { method, headers: { "content-type": "application/json" }, body: body && JSON.stringify(body) });

async function poll() {
  clearTimeout(pollTimer);
  let busy = false;
  try {
    busy = await (state.open === null ? loadLibrary() : loadDive());
    say("", "lost");
  } catch (error) {
    if (error.status === 404) busy = false;
    else say(t("play.lost"), "lost");
  }
  if (!document.hidden) pollTimer = setTimeout(poll, busy ? BUSY_MS : IDLE_MS);
}

async function loadLibrary() {
  let library;
  try {
    const early = window.early.library; // asked while the page was loading (dives-early.js)
    window.early.library = null;
    library = await (early ? read(await early) : ask("api/dives"));
  } catch (error) {
    if (error.status === 404) {
      $("no-library").hidden = false;
      for (const id of ["intake", "uploads"]) $(id).hidden = true;
      document.querySelector(".shelf").hidden = true;
    }
    throw error;
  }
  state.library = library;
  library.dives.forEach(timed);
  showLibrary();
  state.interrupted = (await ask("api/uploads")).filter(({ id }) => !state.sendings.some((sending) => sending.id === id));
  showUploads();
  return library.dives.some(isBusy) || state.sendings.some(({ state: at }) => ["sending", "retrying"].includes(at));
}

const isBusy = ({ state: at, copy_state: copy, work }) => at === "queued" || at === "running" || copy === "wanted" || work !== null;

/** Adds how long this page has watched the job, which is what the time left is made of. */
function timed(dive) {
  if (dive.work === null) return;
  const key = `${dive.id} ${dive.work.step} ${dive.work.phase}`;
  const begun = state.began.get(key) ?? { ms: performance.now(), share: workShare(dive.work) ?? 0 };
  state.began.set(key, begun);
  const share = workShare(dive.work) ?? 0;
  const watchedS = (performance.now() - begun.ms) / 1000;
  // As if it had gone on like this from its beginning.
  dive.work.wallS = share > begun.share ? (watchedS * share) / (share - begun.share) : 0;
}

// The library

const shelf = new Shelf({ list: $("cards"), none: $("no-cards") }, onCard);

function showLibrary() {
  const { dives, used_bytes: used, upload_limit: limit } = state.library;
  fillSpecies($("by-species"), speciesOfAll(dives));
  const wanted = { query: $("search").value, species: $("by-species").value, state: $("by-state").value };
  const count = shelf.show(dives, wanted);
  $("shelf-count").textContent = dives.length === 0 ? "" : countWords(count, dives, used);
  $("drop-limits").textContent = t("drop.limits", { limit: bytes(limit) });
  $("search").parentElement.classList.toggle("bare", dives.length === 0);
}

async function onCard(does, id) {
  const dive = state.library.dives.find((one) => one.id === id);
  try {
    if (does === "rename") return rename(dive);
    if (does === "delete") return remove(dive);
    if (does === "stop") await tell(`api/dives/${id}/cancel`, "POST");
    else await tell(`api/dives/${id}/again`, "POST", { what: "dive", anew: does === "anew" });
  } catch (error) {
    say(error.message);
  }
  return poll();
}

function rename(dive) {
  askName({
    title: t("rename.title"),
    was: t("rename.was", { name: dive.file_name }),
    hint: "",
    yes: t("rename.yes"),
    value: dive.title,
    list: false,
    take: async (title) => {
      await tell(`api/dives/${dive.id}`, "PATCH", { title });
      await poll();
    },
  });
}

function remove(dive) {
  $("sure-title").textContent = t("delete.title", { title: dive.title });
  $("sure-text").textContent = t("delete.text", { size: bytes(dive.bytes) });
  $("sure-yes").onclick = async () => {
    $("sure").close();
    try {
      await tell(`api/dives/${dive.id}`, "DELETE");
      say(t("deleted", { title: dive.title }));
    } catch (error) {
      say(error.message);
    }
    poll();
  };
  $("sure").showModal();
  $("sure-no").focus();
}

for (const id of ["search", "by-species", "by-state"]) $(id).addEventListener("input", () => state.library && showLibrary());

// Uploads

const uploads = new Uploads($("uploads"), onUpload);
const world = {
  fetch: (path, options) => fetch(path, options),
  now: () => performance.now(),
  setTimer: (callback, ms) => setTimeout(callback, ms),
  clearTimer: (id) => clearTimeout(id),
};

function showUploads() {
  const ours = state.sendings.filter(({ state: at }) => at !== "cancelled" && at !== "done").map((sending, i) => ({
    key: `s${state.sendings.indexOf(sending)}`,
    name: sending.name,
    state: sending.state,
    offset: sending.offset,
    size: sending.size,
    rate: sending.rate,
    reason: sending.reason,
    retryAtMs: sending.retryAtMs,
  }));
  const theirs = state.interrupted.map((upload) => ({ ...upload, key: upload.id, state: "interrupted", rate: null, reason: "" }));
  uploads.show([...ours, ...theirs], performance.now());
}

function take(files) {
  for (const file of files) {
    if (file.size === 0) {
      say(t("upload.empty", { name: file.name }));
      continue;
    }
    const upload = state.interrupted.find((one) => isSame(file, one)) ?? null;
    state.interrupted = state.interrupted.filter((one) => one !== upload);
    const everyS = $("every").value === "" ? null : Number($("every").value);
    state.sendings.push(new Sending(file, { everyS, upload }, world, showUploads));
  }
  showUploads();
  sendNext();
}

/** One at a time: two would only share the line. */
function sendNext() {
  if (state.sendings.some(({ state: at }) => at === "sending" || at === "retrying")) return;
  const next = state.sendings.find(({ state: at }) => at === "waiting");
  if (next === undefined) return;
  next.start().then(() => {
    sendNext();
    poll();
  });
  poll();
}

function onUpload(does, key) {
  const sending = key.startsWith("s") ? state.sendings[Number(key.slice(1))] : null;
  if (sending === null || sending === undefined) {
    tell(`api/uploads/${key}`, "DELETE").catch((error) => say(error.message)).then(poll);
  } else if (does === "pause") {
    sending.pause();
    sendNext();
  } else if (does === "resume") {
    sending.start().then(() => {
      sendNext();
      poll();
    });
  } else {
    sending.cancel().then(poll);
    showUploads();
    sendNext();
  }
}

$("choose").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", () => {
  take([...$("file").files]);
  $("file").value = ""; // or the same file could not be chosen again
});
const carriesFiles = (event) => event.dataTransfer?.types.includes("Files") ?? false;
addEventListener("dragover", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  $("intake").dataset.over = "yes";
});
addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) $("intake").dataset.over = "no";
});
addEventListener("drop", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  $("intake").dataset.over = "no";
  if (state.open === null && state.library !== null) take([...event.dataTransfer.files]);
});
addEventListener("beforeunload", (event) => {
  if (state.sendings.some(({ state: at }) => ["sending", "retrying", "waiting"].includes(at))) event.preventDefault();
});

// The player

const player = new Player({ video: $("video"), heat: $("heat"), room: $("room"), pane: $("pane") }, onPicture);
const line = new Line(
  { line: $("line"), canvas: $("spans"), head: $("playhead"), tip: $("tip") },
  {
    seek: (mediaS) => player.seek(mediaS),
    words: (sighting, at) => [at, sighting && labelText(sighting.label), sighting && percent(sighting.peak_probability)].filter(Boolean).join("  "),
  },
);
const rows = new Rows(
  $("found"),
  $("found-room"),
  ({ still }) => (still ? `api/dives/${state.open}/files/${still.split("/").map(encodeURIComponent).join("/")}?small=true` : null),
  onSighting,
);

async function openDive(id) {
  state.open = id;
  Object.assign(state, { dive: null, sightings: [], leftOver: [], files: [], hues: new Map(), shown: [], hasTrack: false, tracked: false, hasVideo: "" });
  document.body.dataset.place = "player";
  $("library").hidden = true;
  $("player").hidden = false;
  $("dive-title").textContent = "";
  $("dive-facts").textContent = "";
  for (const id of ["found-species", "found-review"]) $(id).value = "";
  $("least").value = "0";
  player.close();
  rows.mark(-1, { follow: false });
  $("found").scrollTop = 0;
  showSightings();
  onPicture({ mediaS: 0, row: null });
  await poll();
}

function closeDive() {
  state.open = null;
  player.close();
  document.body.dataset.place = "library";
  titled();
  $("player").hidden = true;
  $("library").hidden = false;
  poll();
}

async function loadDive() {
  const id = state.open;
  let dive;
  try {
    dive = await ask(`api/dives/${id}`);
  } catch (error) {
    if (error.status === 404 && id === state.open) showNotice({ text: t("play.gone") });
    throw error;
  }
  if (id !== state.open) return false;
  timed(dive);
  const before = state.dive;
  state.dive = dive;
  titled();
  $("announce").textContent = before === null ? dive.title : "";
  openVideo(dive);
  const settled = !["queued", "running"].includes(dive.state);
  if (settled && (before === null || before.state !== dive.state || !state.hasTrack)) await loadResults(id);
  else if (settled && performance.now() - state.askedMs > IDLE_MS / 2) await hearOthers(id);
  showDive();
  return isBusy(dive);
}

function titled() {
  const { dive } = state;
  document.title = t("title", { name: state.open === null ? t("dives") : (dive?.title ?? "Reeflens") });
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
  const [index, sightings, files, leftOver] = await Promise.all([
    ask(`api/dives/${id}/track`).catch((error) => {
      if (error.status !== 404) throw error;
      return null;
    }),
    askSightings(id),
    ask(`api/dives/${id}/files`),
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
  Object.assign(state, { sightings, files, leftOver });
  showFiles(files);
  showSightings();
}

/** The model's sightings, and among them what somebody saw and it did not. */
async function askSightings(id) {
  const [found, missed] = await Promise.all([
    ask(`api/dives/${id}/sightings`),
    ask(`api/dives/${id}/missed`).catch((error) => {
      if (error.status !== 409) throw error;
      return []; // what was said cannot be read, which left-over tells
    }),
  ]);
  const seen = missed.map(({ label, by, ...when }) => ({
    ...when,
    label,
    number: `${label} ${when.file} ${when.peak_frame}`,
    peak_probability: 1,
    still: "",
    correction: { verdict: "missed", label, by },
  }));
  return [...found, ...seen].sort((a, b) => a.start_s - b.start_s);
}

/** What somebody else said of the sightings since, on another page. */
async function hearOthers(id) {
  const said = state.sightings;
  state.askedMs = performance.now();
  const sightings = await askSightings(id);
  // A word of ours that went out meanwhile is newer than this answer.
  if (id !== state.open || state.sightings !== said || JSON.stringify(sightings) === JSON.stringify(said)) return;
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
  showNotice(noticeOf(dive));
}

/** What to say over the stage, or null. */
function noticeOf(dive) {
  const work = dive.work !== null ? workWords(dive.work) : "";
  const share = dive.work !== null ? workShare(dive.work) : null;
  const again = (what) => ({ label: t("dive.again"), act: () => tell(`api/dives/${dive.id}/again`, "POST", { what }).then(poll) });
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
  if (dive.state === "incomplete" && !state.readNotice) return { text: t("play.incomplete", values), label: t("close"), act: () => (state.readNotice = true) };
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

function showFiles(files) {
  const link = (href, text, note) => {
    const item = document.createElement("li");
    const anchor = document.createElement("a");
    anchor.href = href;
    anchor.setAttribute("download", "");
    anchor.textContent = text;
    const size = document.createElement("span");
    size.textContent = note;
    item.append(anchor, size);
    return item;
  };
  const base = `api/dives/${state.open}`;
  const results = files.filter(({ name }) => !name.includes("/"));
  const whole = results.length > 0 ? [link(`${base}/results.zip`, t("files.all"), "")] : [];
  $("file-list").replaceChildren(
    ...whole,
    ...results.map(({ name, bytes: size }) => link(`${base}/files/${encodeURIComponent(name)}`, name, bytes(size))),
    link(`${base}/original`, t("files.original"), bytes(state.dive.bytes)),
  );
}

function showSightings() {
  state.hues = dealHues(speciesOf(state.sightings).map(([label]) => label), state.hues);
  fillSpecies($("found-species"), speciesOf(state.sightings));
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
  line.show(state.sightings, state.lengthS ?? 0, state.hues);
  const known = [...new Set([...(state.labels ?? []), ...speciesOf(state.sightings).map(([label]) => label)].map(labelText))];
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

// Corrections

$("by").value = recall("by") ?? "";
$("by").addEventListener("input", () => remember("by", $("by").value.trim()));

async function onSighting(does, sighting) {
  if (does === "seek") return player.seek(sighting.peak_s);
  if (does !== "wrong") return correct(sighting, does, "");
  return askName({
    title: t("wrong.title"),
    was: t("wrong.was", { label: labelText(sighting.label) }),
    hint: t("wrong.hint"),
    yes: t("wrong.yes"),
    value: "",
    list: true,
    take: async (truth) => {
      const label = labelMeant(truth, state.labels ?? []);
      if (label === sighting.label) throw new Error(t("wrong.same"));
      await correct(sighting, "wrong", label);
    },
  });
}

/** There is an animal on the stage, and the model does not say so. */
function tellMissed() {
  const [id, mediaS] = [state.open, player.mediaS];
  $("video").pause();
  askName({
    title: t("wrong.title"),
    was: t("missed.was", { at: mediaTime(mediaS) }),
    hint: t("wrong.hint"),
    yes: t("wrong.yes"),
    value: "",
    list: true,
    take: async (words) => {
      await tell(`api/dives/${id}/missed`, "POST", { label: labelMeant(words, state.labels ?? []), media_s: mediaS, by: $("by").value.trim() });
      await hearOthers(id);
    },
  });
}

async function takeBack({ label, file, peak_frame: frame }) {
  const id = state.open;
  const which = new URLSearchParams({ label, file, peak_frame: frame, by: $("by").value.trim() });
  try {
    await tell(`api/dives/${id}/missed?${which}`, "DELETE");
    await hearOthers(id);
  } catch (error) {
    say(t("play.not-kept", { reason: error.message }));
  }
}

async function correct(sighting, verdict, truth) {
  if (sighting.correction?.verdict === "missed") return takeBack(sighting);
  const id = state.open;
  const { number, peak_frame: frame, label } = sighting;
  try {
    const now = await tell(`api/dives/${id}/corrections`, "POST", { number, peak_frame: frame, label, verdict, truth, by: $("by").value.trim() });
    if (id !== state.open) return;
    state.sightings = state.sightings.map((one) => (one.number === now.number ? now : one));
    const { scrollTop } = $("found");
    showSightings();
    $("found").scrollTop = scrollTop;
  } catch (error) {
    if (verdict === "wrong") throw error;
    say(t("play.not-kept", { reason: error.message }));
  }
}

function askName({ title, was, hint, yes, value, list, take: onName }) {
  $("naming-title").textContent = title;
  $("naming-was").textContent = was;
  $("naming-hint").textContent = hint;
  $("naming-yes").textContent = yes;
  $("naming-text").value = value;
  if (list) $("naming-text").setAttribute("list", "labels");
  else $("naming-text").removeAttribute("list");
  $("naming-form").onsubmit = async (event) => {
    event.preventDefault();
    try {
      await onName($("naming-text").value.trim());
      $("naming").close();
    } catch (error) {
      $("naming-hint").textContent = error.message;
    }
  };
  $("naming").showModal();
  $("naming-text").select();
}

$("naming-no").addEventListener("click", () => $("naming").close());
$("sure-no").addEventListener("click", () => $("sure").close());

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

function toSighting(by) {
  const at = placeAt(state.shown, player.mediaS);
  // Within a sighting "before" leads to its own beginning first, as players do with chapters.
  const inside = at >= 0 && player.mediaS - state.shown[at].start_s > 1;
  const next = state.shown[by < 0 && inside ? at : at + by];
  if (next !== undefined) player.seek(next.start_s);
}

async function fullScreen() {
  try {
    if (document.fullscreenElement) await document.exitFullscreen();
    else await $("stage").requestFullscreen();
  } catch (error) {
    say(t("full-screen.no", { reason: error.message }));
  }
}

function help() {
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
$("full-screen").addEventListener("click", fullScreen);
$("full-screen").hidden = !document.fullscreenEnabled;
$("help").addEventListener("click", help);
$("overlay").addEventListener("change", (event) => setView({ on: event.target.checked }));
$("opacity").addEventListener("input", (event) => setView({ opacity: event.target.valueAsNumber / 100 }));
$("speed").addEventListener("change", (event) => {
  $("video").playbackRate = Number(event.target.value);
});
$("pane").addEventListener("click", COMMANDS.play);
$("theme").addEventListener("click", () => {
  const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  remember("theme", theme);
  line.draw();
});
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

/** Says everything in `spoken` from now on: the words that both pages share, and the dives' own. */
async function learn(spoken, answers) {
  const [shared, own] = await Promise.all(answers.map(async (answer) => read(await answer)));
  speak(spoken, { ...shared, ...own });
}

/** Everything that dives.html leaves to the catalogues, and everything that was said already. */
function translate() {
  $("language").value = document.documentElement.lang = language();
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = t(element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]")) {
    element.ariaLabel = t(element.dataset.label);
    if (element.tagName === "BUTTON") element.title = element.ariaLabel;
  }
  for (const element of document.querySelectorAll("[data-placeholder]")) element.placeholder = t(element.dataset.placeholder);
  for (const option of $("speed").options) option.text = t("speed.times", { n: Number(option.value) });
  setView({});
  for (const list of [shelf, uploads, rows]) list.clear();
  if (state.library !== null) {
    showLibrary();
    showUploads();
  }
  titled();
  if (state.dive === null) return;
  showFiles(state.files);
  showSightings();
  showDive();
  written = { answer: "", clock: "" };
  onPicture({ mediaS: player.mediaS, row: player.row });
}

$("language").addEventListener("change", async ({ target }) => {
  try {
    await learn(target.value, catalogues(target.value).map((path) => fetch(path)));
    remember("language", target.value);
    translate();
  } catch (error) {
    target.value = language();
    say(t("said.language", { why: error.message }));
  }
});

function say(text, kind = "") {
  if (kind === "lost" && text === "" && $("toast").dataset.kind !== "lost") return;
  clearTimeout(toastTimer);
  $("toast").textContent = text;
  $("toast").dataset.kind = kind;
  if (kind !== "lost") toastTimer = setTimeout(() => say(""), TOAST_MS);
}

// Start

$("language").append(...Object.entries(LANGUAGES).map(([code, name]) => new Option(name, code)));
await learn(document.documentElement.lang, [window.early.catalogue, window.early.dives]); // asked for while the page was loading
translate();
$("play").dataset.paused = "yes";

const idInAddress = () => /^#([0-9a-f]{16})$/.exec(location.hash)?.[1] ?? null;

function follow() {
  const id = idInAddress();
  if (id === state.open && (id !== null || state.library !== null)) return;
  if (id !== null) openDive(id);
  else closeDive();
}

addEventListener("hashchange", follow);
addEventListener("online", () => {
  for (const sending of state.sendings) sending.hurry();
  poll();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) poll();
});
follow();
window.early.sources.then(read).then(
  (sources) => ($("to-live").hidden = sources.length === 0),
  () => {}, // the page has its own words for a server that is gone
);
setInterval(() => {
  if (state.sendings.some(({ state: at }) => at === "retrying")) showUploads(); // its seconds count down
}, 1_000);
