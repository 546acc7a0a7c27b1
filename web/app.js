// The page put together: sockets, clock, canvases and keys at the rim, one state in the middle.

import { hashFor, liveUrl, sourceInHash } from "./address.js";
import { Connection } from "./connection.js";
import { commandFor } from "./keys.js";
import { NewestFrame } from "./newest.js";
import { recall, remember } from "./preferences.js";
import { createRenderer } from "./render.js";
import { INITIAL, OPACITY_STEP, reduce } from "./state.js";
import { decodeJpeg, Stage } from "./stage.js";
import { composeStill, download } from "./still.js";
import { stillWords } from "./words.js";

const READ_MS = 250; // figures change four times a second: faster cannot be read
const LIST_MS = 5_000; // the other sources' states
const TOAST_MS = 4_000;

const $ = (id) => document.getElementById(id);
const now = () => performance.now();

let state = { ...INITIAL, theme: document.documentElement.dataset.theme };
let connection = null;
let toastTimer = 0;

const renderer = createRenderer(document);
const stage = new Stage({
  room: $("room"),
  panes: $("panes"),
  second: $("second"),
  picture: $("picture"),
  heat: $("heat"),
  plain: $("plain"),
});
const newest = new NewestFrame({
  decode: decodeJpeg,
  nextFrame: (callback) => requestAnimationFrame(callback),
  cancelFrame: (id) => cancelAnimationFrame(id),
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
  stage.show(state.view, state.opacity);
  // Drawn frames come too fast to read: their figures wait for the next READ_MS, a new answer does not.
  if (event.type !== "drawn" || isNews(before.shown, state.shown)) renderer.render(state, now());
}

function isNews(before, shown) {
  return before === null || before.header.stable.index !== shown.header.stable.index;
}

function draw(message, bitmap) {
  const { header, cam, receivedMs } = message;
  stage.draw(message, bitmap);
  connection?.ack(header.seq);
  const atMs = now();
  const rttMs = connection?.rttMs ?? null;
  // Without a measured round trip the age would miss the way here, so there is none yet.
  const ageMs = rttMs === null ? null : header.age_ms + rttMs / 2 + (atMs - receivedMs);
  dispatch({ type: "drawn", header, cam, ageMs, atMs, receivedMs });
  const [sighting] = state.sightings.entries;
  if (sighting?.open && sighting.peak_frame === header.frame && bitmap !== null) {
    const canvas = renderer.thumbnailOf(sighting.id);
    if (canvas !== null) stage.thumbnail(canvas);
  }
}

// Which source

function choose(source) {
  if (source === state.source) return;
  disconnect();
  dispatch({ type: "choose", source });
  document.title = source === null ? "Reeflens" : `${source} – Reeflens`;
  if (source !== null) connect();
}

function connect() {
  const handlers = {
    link: (link) => {
      // What an earlier socket brought must not be acknowledged on this one: the server never sent it here.
      if (link.phase === "connecting") newest.clear();
      dispatch({ type: "link", link });
    },
    hello: (hello) => {
      dispatch({ type: "hello", hello });
      loadServer();
    },
    status: (status) => dispatch({ type: "status", status }),
    rtt: (ms) => dispatch({ type: "rtt", ms }),
    result: (message) => newest.push(message),
  };
  const world = {
    openSocket: (url) => new WebSocket(url),
    now,
    setTimer: (callback, ms) => setTimeout(callback, ms),
    clearTimer: (id) => clearTimeout(id),
    random: Math.random,
  };
  connection = new Connection(liveUrl(document.baseURI, state.source), handlers, world);
  connection.open();
}

function disconnect() {
  connection?.close();
  connection = null;
  newest.clear();
  newest.resume();
  stage.clear();
}

function tryAgain() {
  loadSources();
  if (state.link.phase === "closed") {
    connection?.close();
    connect();
  } else {
    connection?.retryNow();
  }
}

async function fetchJson(path) {
  const response = await fetch(path, { headers: { accept: "application/json" }, signal: AbortSignal.timeout(8_000) });
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return response.json();
}

async function loadSources() {
  try {
    const sources = await fetchJson("api/sources");
    dispatch({ type: "sources", sources });
  } catch (error) {
    dispatch({ type: "sources-failed", reason: error.message });
    return;
  }
  if (state.source === null && state.sources.length > 0) {
    // The address names the source from now on, but the way back must not lead to the same page without it.
    history.replaceState(null, "", hashFor(state.sources[0].name));
    choose(state.sources[0].name);
  }
}

async function loadServer() {
  try {
    dispatch({ type: "server", server: await fetchJson("api/status") });
  } catch {
    // The hello already named the provider; this only adds details to the facts.
  }
}

// What the viewer does

function pause() {
  if (state.shown === null && !state.paused) return;
  dispatch({ type: "pause", atMs: now() });
  if (state.paused) newest.pause();
  else newest.resume();
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  remember("theme", theme);
  dispatch({ type: "theme", theme });
}

function change(event) {
  dispatch(event);
  remember("view", state.view);
  remember("opacity", state.opacity);
}

async function saveStill() {
  if (state.shown === null) return;
  const { lines, fileName } = stillWords(state);
  try {
    download(await composeStill(stage.layers(), lines), fileName);
    say(`Saved ${fileName}`);
  } catch (error) {
    say(`The still could not be saved: ${error.message}`);
  }
}

async function fullScreen() {
  try {
    if (document.fullscreenElement) await document.exitFullscreen();
    else await $("stage").requestFullscreen();
  } catch (error) {
    say(`Full screen is not possible: ${error.message}`);
  }
}

function help() {
  if ($("dialog").open) return;
  $("dialog").showModal();
  renderer.render(state, now());
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
  help,
};

document.addEventListener("keydown", (event) => {
  if ($("dialog").open) return;
  const { key, ctrlKey, metaKey, repeat, target } = event;
  const command = commandFor({
    key,
    ctrlKey,
    metaKey,
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

// What the browser does

addEventListener("hashchange", () => choose(sourceInHash(location.hash) ?? state.source));
addEventListener("online", () => connection?.retryNow());
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  dispatch({ type: "seen-again", atMs: now() });
  connection?.retryNow();
});
// A page kept for the back button must not keep a viewer's place on the server.
addEventListener("pagehide", () => connection?.close());
addEventListener("pageshow", (event) => {
  if (event.persisted && state.source !== null) connect();
});

// Start

if (recall("view") !== null) dispatch({ type: "view", view: recall("view") });
if (recall("opacity") !== null) dispatch({ type: "opacity", value: Number.parseFloat(recall("opacity")) });
stage.show(state.view, state.opacity);
renderer.render(state, now());
choose(sourceInHash(location.hash));
loadSources();
setInterval(() => renderer.render(state, now()), READ_MS);
setInterval(() => {
  if (!document.hidden) loadSources();
}, LIST_MS);
