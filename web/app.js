// The page put together: sockets, clock, canvases and keys at the rim, one state in the middle.

import { CAMERA, hashFor, liveUrl, sourceInHash, sourceName, webcamUrl } from "./address.js";
import { COLOURS } from "./colourmap.js";
import { Connection } from "./connection.js";
import { classRows, MOST_PROBABLE } from "./explained.js";
import { CONTROLS, isNeutral } from "./eye.js";
import { commandFor } from "./keys.js";
import { NewestFrame } from "./newest.js";
import { recall, remember } from "./preferences.js";
import { createRenderer, LISTED } from "./render.js";
import { Replay } from "./replay.js";
import { INITIAL, OPACITY_STEP, reduce, sameLabels, sightingsOf } from "./state.js";
import { decodeJpeg, Stage } from "./stage.js";
import { speak, t } from "./text.js";
import { isPresent } from "./words.js";

const READ_MS = 250; // figures change four times a second: faster cannot be read
const SERVER_MS = 15_000; // whether it can record
const LIST_MS = 5_000; // the source's state, and the sightings' newer peaks
const GLANCE_MS = 2_000; // all sources at a glance, where there are several
const GONE_MS = 2_500; // an animal that is away for longer than the server waits has ended its sighting
const TOAST_MS = 4_000;

const $ = (id) => document.getElementById(id);
const now = () => performance.now();

const world = {
  openSocket: (url) => new WebSocket(url),
  refusal: (url) => import("./refused.js").then((found) => found.refusal(url), () => null),
  now,
  setTimer: (callback, ms) => setTimeout(callback, ms),
  clearTimer: (id) => clearTimeout(id),
  random: Math.random,
};

let state = { ...INITIAL, theme: document.documentElement.dataset.theme };
let connection = null;
let toastTimer = 0;
let stepOwn = null; // sightings of this device's own camera, where that was chosen
let eyepiece = null; // of those who want a clearer picture

const renderer = createRenderer(document);
const stage = new Stage({
  room: $("room"),
  panes: $("panes"),
  second: $("second"),
  picture: $("picture"),
  heat: $("heat"),
  plain: $("plain"),
});
const frames = {
  decode: decodeJpeg,
  nextFrame: (callback) => requestAnimationFrame(callback),
  cancelFrame: (id) => cancelAnimationFrame(id),
};
const replay = new Replay({ ...frames, draw: drawKept, unreadable: () => dispatch({ type: "unreadable" }) });
const newest = new NewestFrame({
  ...frames,
  draw,
  unreadable: ({ header }) => {
    connection?.ack(header.seq); // or the server would wait for it
    dispatch({ type: "unreadable" });
  },
});

/** Takes an event in and brings the page up to date. */
function dispatch(event) {
  const before = state;
  state = reduce(before, event);
  if (state === before) return;
  stage.show(state);
  if (state.eye !== before.eye) wear();
  // Drawn frames come too fast to read: their figures wait for the next READ_MS, a new answer does not.
  const news = event.type === "drawn" && isNews(before.shown, state.shown);
  if (event.type !== "drawn" || news) renderer.render(state, now());
  if (!news) return;
  loadSightings(); // a label that came is a sighting that began
  if (before.shown !== null && state.shown.header.stable.index === null) setTimeout(loadSightings, GONE_MS);
}

async function wear() {
  if (eyepiece === null && !isNeutral(state.eye)) {
    const { Eyepiece } = await import("./eyepiece.js");
    eyepiece ??= new Eyepiece($("stage"), [$("look-red"), $("look-green"), $("look-blue")], now);
  }
  eyepiece?.set(state.eye, state.shown && $("picture"));
}

function isNews(before, shown) {
  return before === null || before.header.stable.index !== shown.header.stable.index;
}

function draw(message, bitmap) {
  const { header, cam, receivedMs } = message;
  stage.draw(message, bitmap);
  eyepiece?.see($("picture"));
  replay.drawn(message);
  connection?.ack(header.seq);
  const atMs = now();
  const rttMs = connection?.rttMs ?? null;
  const ageMs = ageAt(atMs, message, rttMs);
  const own = state.source === CAMERA ? stepOwn(state.own, header, state.model.labels[header.stable.index] ?? "") : null;
  dispatch({ type: "drawn", header, cam, ageMs, atMs, receivedMs, own });
  const [sighting] = state.own.entries;
  if (state.source === CAMERA && sighting?.ongoing && sighting.peak_frame === header.frame && bitmap !== null) {
    const canvas = renderer.thumbnailOf(sighting.id);
    if (canvas !== null) stage.thumbnail(canvas);
  }
}

/** How old a message's picture is; one of this device's own camera carries this page's clock from its taking. */
function ageAt(atMs, { header, receivedMs }, rttMs) {
  if (header.t !== undefined) return atMs - header.t;
  // Without a measured round trip the age would miss the way here, so there is none yet.
  return rttMs === null ? null : header.age_ms + rttMs / 2 + (atMs - receivedMs);
}

/** Draws a message of before, which the pause went back to; or the newest there is, after it. */
function drawKept(message, bitmap) {
  const { header, cam, receivedMs } = message;
  // A live picture was quicker than this one.
  if (!state.paused && state.shown !== null && state.shown.atMs >= receivedMs) return;
  stage.draw(message, bitmap);
  eyepiece?.see($("picture"), true);
  const ageMs = ageAt(receivedMs, message, state.rttMs ?? 0);
  dispatch({ type: "stepped", header, cam, ageMs, atMs: receivedMs, place: replay.place });
}

// Which source

function choose(source) {
  if (source === state.source) return;
  disconnect();
  dispatch({ type: "choose", source });
  titled();
  if (source !== null) connect();
}

function titled() {
  document.title = state.source === null ? "Reeflens" : `${sourceName(state.source)} – Reeflens`;
}

async function connect() {
  const handlers = {
    link: (link) => {
      // What an earlier socket brought must not be acknowledged on this one.
      if (link.phase === "connecting") newest.clear();
      dispatch({ type: "link", link });
    },
    hello: (hello) => {
      if (!sameLabels(state.model, hello)) replay.clear(); // in another model's words
      dispatch({ type: "hello", hello });
      if (state.explain !== MOST_PROBABLE) connection.explain(state.explain);
      loadServer();
      loadSightings();
    },
    status: (status) => dispatch({ type: "status", status }),
    notice: (message) => {
      dispatch({ type: "explains", index: message.explain });
      say(t("said.no-map"));
    },
    rtt: (ms) => dispatch({ type: "rtt", ms }),
    result: (message) => {
      replay.add(message);
      if (state.paused) dispatch({ type: "place", place: replay.place });
      newest.push(message);
    },
  };
  if (state.source !== CAMERA) {
    connection = new Connection(liveUrl(document.baseURI, state.source), handlers, world);
  } else {
    let made;
    try {
      made = await ownCamera(handlers);
    } catch {
      const reason = { key: "closed.1006" }; // its code could not be loaded
      if (state.source === CAMERA) dispatch({ type: "link", link: { ...INITIAL.link, phase: "closed", reason } });
      return;
    }
    if (state.source !== CAMERA || connection !== null) return; // another one was chosen meanwhile
    connection = made;
    connection.setHidden(document.hidden);
  }
  connection.open();
}

/** Its code is loaded by those who choose it. */
async function ownCamera(handlers) {
  const [{ askForCamera, listCameras }, { Film }, { Webcam }, { stepSightings }] = await Promise.all([
    import("./camera.js"),
    import("./film.js"),
    import("./webcam.js"),
    import("./sightings.js"),
  ]);
  stepOwn = stepSightings;
  const found = navigator.mediaDevices; // undefined where the page is neither on https nor on localhost
  const devices = found && {
    ask: (deviceId) => askForCamera(found, deviceId),
    list: () => listCameras(found),
    onChange(callback) {
      found.addEventListener("devicechange", callback);
      return () => found.removeEventListener("devicechange", callback);
    },
  };
  const cameras = (event) => dispatch({ type: "cameras", ...event });
  const more = { film: new Film($("own")), devices: devices ?? null, secure: isSecureContext };
  const remembered = recall("camera") ?? "";
  return new Webcam(webcamUrl(document.baseURI), remembered, { ...handlers, cameras }, { ...world, ...more });
}

function disconnect() {
  connection?.close();
  connection = null;
  newest.clear();
  newest.resume();
  replay.clear();
  stage.clear();
  eyepiece?.see(null);
}

function tryAgain() {
  loadSources();
  if (["closed", "no-camera", "resting"].includes(state.link.phase)) {
    connection?.close();
    connection = null;
    connect();
  } else {
    connection?.retryNow();
  }
}

async function fetchJson(path) {
  return answered(await fetch(path, { signal: AbortSignal.timeout(8_000) }));
}

async function answered(response) {
  if (response.status === 401) location.reload(); // to log in
  if (!response.ok) throw Object.assign(new Error(), { reason: { key: "link.refused", code: String(response.status) } });
  return response.json();
}

let listing = false; // a slow server is not asked twice

async function loadSources(early) {
  if (listing) return;
  listing = true;
  try {
    const sources = early ? await answered(await early) : await fetchJson("api/sources");
    dispatch({ type: "sources", sources });
  } catch (error) {
    dispatch({ type: "sources-failed", reason: error.reason ?? { key: "closed.1006", detail: error.message } });
    return;
  } finally {
    listing = false;
  }
  if (state.source === null && state.sources.length > 0) {
    // The address names the source from now on, but the way back must not lead to the same page without it.
    history.replaceState(null, "", hashFor(state.sources[0].name));
    choose(state.sources[0].name);
  }
}

async function loadServer() {
  try {
    const [server, { role }] = await Promise.all([fetchJson("api/status"), fetchJson("api/session")]);
    dispatch({ type: "server", server: { ...server, role } });
  } catch {
    // The hello already named the provider; this only adds details to the facts.
  }
}

/** The chosen source's sightings, those from before this page opened among them. */
async function loadSightings() {
  const { source } = state;
  // Before the server knows the source it would only answer that it does not.
  if (source === null || source === CAMERA || state.link.phase !== "live") return;
  try {
    const list = await fetchJson(`api/sightings?source=${encodeURIComponent(source)}&limit=${LISTED}`);
    dispatch({ type: "sightings", source, list });
  } catch {
    // The list stays, and is asked for again every LIST_MS; the connection has its own words.
  }
}

// What the viewer does

function pause() {
  if (state.shown === null && !state.paused) return;
  if (!state.paused) {
    newest.pause();
    replay.hold();
    dispatch({ type: "pause", atMs: now(), place: replay.place });
  } else {
    dispatch({ type: "pause", atMs: now() });
    replay.release();
    newest.resume();
  }
}

function step(by) {
  if (!state.paused && by < 0) pause();
  if (!state.paused) return;
  replay.step(by);
  dispatch({ type: "place", place: replay.place });
}

function explain(index) {
  const before = state.explain;
  if (index !== MOST_PROBABLE || before !== MOST_PROBABLE) dispatch({ type: "explain", index });
  if (state.explain !== before) connection?.explain(state.explain);
}

/** The choice by its row, as the keys count them; 0 gives it back. */
function explainRow(row) {
  const { rows } = classRows(state.shown?.header.top ?? [], state.explain);
  if (row === 0) explain(MOST_PROBABLE);
  else if (rows[row - 1] !== undefined) explain(rows[row - 1].index);
}

function changeEye(event) {
  dispatch(event);
  remember("eye", JSON.stringify(state.eye));
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  remember("theme", theme);
  dispatch({ type: "theme", theme });
}

function change(event) {
  dispatch(event);
  for (const name of ["view", "opacity", "colours"]) remember(name, state[name]);
}

async function setLanguage(language) {
  try {
    const catalogue = await fetchJson(`assets/${language}.json`);
    remember("language", language);
    speak(language, catalogue);
    dispatch({ type: "language", language });
    titled();
  } catch (error) {
    renderer.render(state, now());
    say(t("said.language", { why: error.message }));
  }
}

async function saveStill() {
  try {
    const { composeStill, download, stillWords } = await import("./still.js");
    if (state.shown === null) return;
    const { lines, fileName } = stillWords(state); // in one turn with the drawing, or it might speak of another frame
    download(await composeStill(stage.layers(), lines, eyepiece?.look), fileName);
    say(t("said.saved", { name: fileName }));
  } catch (error) {
    say(t("said.not-saved", { why: error.message }));
  }
}

async function fullScreen() {
  try {
    if (document.fullscreenElement) await document.exitFullscreen();
    else await $("stage").requestFullscreen();
  } catch (error) {
    say(t("said.not-full", { why: error.message }));
  }
}

function help() {
  if ($("dialog").open) return;
  $("dialog").showModal();
  import("./facts.js").then(({ factRows }) => renderer.tell(factRows, state, now()), () => {}); // the keys are there
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {}; // another version's, or someone's hand
  }
}

function say(text) {
  clearTimeout(toastTimer);
  renderer.say(text);
  toastTimer = setTimeout(() => renderer.say(""), TOAST_MS);
}

const COMMANDS = {
  pause,
  overlay: () => change({ type: "toggle-overlay" }),
  fainter: () => change({ type: "nudge-opacity", by: -OPACITY_STEP }),
  stronger: () => change({ type: "nudge-opacity", by: OPACITY_STEP }),
  still: saveStill,
  "full-screen": fullScreen,
  view: () => change({ type: "next-view" }),
  colours: () => {
    const next = COLOURS[(COLOURS.indexOf(state.colours) + 1) % COLOURS.length];
    change({ type: "colours", colours: next });
  },
  back: () => step(-1),
  forward: () => step(1),
  ...Object.fromEntries(Array.from({ length: 6 }, (_, row) => [`explain-${row}`, () => explainRow(row)])),
  help,
};

document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]")) return;
  const { key, ctrlKey, metaKey, altKey, repeat, target } = event;
  const command = commandFor({
    key,
    ctrlKey,
    metaKey,
    altKey,
    repeat,
    altGraph: event.getModifierState("AltGraph"),
    tag: target.tagName ?? "",
    type: target.type ?? "",
  });
  if (command === null) return;
  event.preventDefault();
  COMMANDS[command]();
});

$("pause").addEventListener("click", pause);
$("still").addEventListener("click", saveStill);
$("full-screen").addEventListener("click", fullScreen);
$("full-screen").hidden = !document.fullscreenEnabled;
$("help").addEventListener("click", help);
$("retry").addEventListener("click", tryAgain);
$("theme").addEventListener("click", () => setTheme(state.theme === "dark" ? "light" : "dark"));
$("views").addEventListener("change", (event) => change({ type: "view", view: event.target.value }));
$("opacity").addEventListener("input", (event) => change({ type: "opacity", value: event.target.valueAsNumber / 100 }));

$("colours").addEventListener("change", (event) => change({ type: "colours", colours: event.target.value }));
$("language").addEventListener("change", (event) => setLanguage(event.target.value));

$("sightings").addEventListener("click", async ({ target }) => {
  const at = [...$("sightings").children].indexOf(target.closest("li"));
  const entry = sightingsOf(state)[at];
  if (!entry?.still) return;
  try {
    const { showSighting } = await import("./sighting-dialog.js");
    await showSighting(entry, isPresent(entry, state), state.model?.labels ?? [], loadSightings);
  } catch {
    say(t("closed.1006"));
  }
});

$("camera").addEventListener("change", (event) => {
  remember("camera", event.target.value);
  connection?.use?.(event.target.value);
});

$("back").addEventListener("click", () => step(-1));
$("forward").addEventListener("click", () => step(1));
$("place").addEventListener("input", (event) => {
  replay.seek(event.target.valueAsNumber);
  dispatch({ type: "place", place: replay.place });
});

// The rows change places several times a second: what counts is the class that the finger went down on.
let aimedAt = null;
const classOf = ({ target }) => {
  const row = target.closest("button[data-class]");
  return row === null || row.dataset.class === "" ? null : Number(row.dataset.class);
};
$("top").addEventListener("pointerdown", (event) => {
  aimedAt = classOf(event);
});
$("top").addEventListener("click", (event) => {
  const index = event.detail > 0 && aimedAt !== null ? aimedAt : classOf(event); // detail 0: by keyboard
  aimedAt = null;
  if (index !== null) explain(index);
});
$("most-probable").addEventListener("click", () => explain(MOST_PROBABLE));

for (const name of CONTROLS) {
  const settings = ({ target }) => ({ [name]: target.valueAsNumber / 100 });
  $(`eye-${name}`).addEventListener("input", (event) => changeEye({ type: "eye", settings: settings(event) }));
}
$("eye-reset").addEventListener("click", () => changeEye({ type: "eye-reset" }));

for (const panel of document.querySelectorAll(".pop")) {
  panel.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !panel.open) return;
    panel.open = false;
    panel.querySelector("summary").focus();
  });
  panel.addEventListener("toggle", () => renderer.render(state, now()));
}

// What the browser does

addEventListener("hashchange", () => choose(sourceInHash(location.hash) ?? state.source));
addEventListener("online", () => connection?.retryNow());
document.addEventListener("visibilitychange", () => {
  connection?.setHidden?.(document.hidden);
  if (document.hidden) return;
  dispatch({ type: "seen-again", atMs: now() });
  connection?.retryNow();
  loadSources();
  loadSightings();
});
// A page kept for the back button must not keep a viewer's place on the server.
addEventListener("pagehide", () => connection?.close());
addEventListener("pageshow", (event) => {
  connection = event.persisted ? null : connection;
  if (event.persisted && state.source !== null) connect();
});

// Start

if (recall("view") !== null) dispatch({ type: "view", view: recall("view") });
if (recall("colours") !== null) dispatch({ type: "colours", colours: recall("colours") });
if (recall("opacity") !== null) dispatch({ type: "opacity", value: Number.parseFloat(recall("opacity")) });
if (recall("eye") !== null) dispatch({ type: "eye", settings: parsed(recall("eye")) });
stage.show(state);
choose(sourceInHash(location.hash)); // before the words are there: pictures take longer
loadSources(window.early.list);
loadServer();
try {
  speak(document.documentElement.lang, await answered(await window.early.words[0])); // asked for by early.js
} catch {
  setTimeout(() => location.reload(), LIST_MS); // the server went away just now; without words there is no page
}
dispatch({ type: "language", language: document.documentElement.lang });
titled();
setInterval(() => renderer.render(state, now()), READ_MS);
every(LIST_MS, loadSightings);
every(SERVER_MS, loadServer);
every(LIST_MS, () => state.sources?.length > 1 || loadSources());
every(GLANCE_MS, () => state.sources?.length > 1 && loadSources());

function every(ms, look) {
  setInterval(() => document.hidden || look(), ms);
}
