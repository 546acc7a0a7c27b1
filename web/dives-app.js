// The page of the dives put together: the library, and the way to the dive that the address names (#ID).
//
// What the first screen of the library needs is here and in what is imported here; the player, uploads and dialogs come
// right after it, before anybody can have asked for them.

import { ask, read, tell } from "./dives-server.js";
import { Shelf, countWords, fillSpecies, speciesOfAll } from "./dives-shelf.js";
import { bytes, workShare } from "./dives-words.js";
import { remember } from "./preferences.js";
import { LANGUAGES, language, speak, t } from "./text.js";

const BUSY_MS = 1_000; // between two looks at the server while something goes on there
const IDLE_MS = 10_000;
const TOAST_MS = 4_000;
const TOGETHER_MS = 100; // for which words wait for the first cards, so that the page is laid out and painted once

const $ = (id) => document.getElementById(id);
const nearby = (name) => new URL(name, import.meta.url).href;

let library = null; // what the server told last
let listed = null; // what it is about to tell
let opened = null; // id of the dive in the player
let pollTimer = 0;
let toastTimer = 0;
const began = new Map(); // job -> when this page first saw it, for the time left
const page = { poll, say, timed, isBusy, wanted: () => opened };

// What comes when it is wanted, or when there is nothing better to do

/** A function that gets something once; when that fails, again at the next call. */
function once(get) {
  let got = null;
  return () =>
    (got ??= get().catch((error) => {
      got = null;
      throw error;
    }));
}

let [made, madeIntake] = [null, null]; // to translate what is there
const theDive = once(async () => {
  for (const link of $("player-modules").content.querySelectorAll("link")) document.head.append(link.cloneNode());
  const dive = await import("./dives-open.js");
  dive.begin(page);
  return (made = dive);
});
const theIntake = once(async () => {
  const { Intake } = await import("./dives-intake.js");
  return (madeIntake = new Intake(page));
});

/** After the next paint: what can wait must not hold it up. */
const painted = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));

// Asking the server

async function poll() {
  clearTimeout(pollTimer);
  let busy = false;
  try {
    busy = await (opened === null ? loadLibrary() : (await theDive()).load());
    say("", "lost");
  } catch (error) {
    if (error.status === 404) busy = false;
    else say(t("play.lost"), "lost");
  }
  if (!document.hidden) pollTimer = setTimeout(poll, busy ? BUSY_MS : IDLE_MS);
}

async function loadLibrary() {
  const first = library === null;
  const early = listed; // a first screen of it, asked for while the page was loading
  listed = null;
  try {
    library = await (early ?? ask("api/dives"));
    showLibrary();
    if (first) await painted();
    if (library.count > library.dives.length) library = await ask("api/dives");
  } catch (error) {
    if (error.status === 404) {
      $("no-library").hidden = false;
      for (const id of ["intake", "uploads"]) $(id).hidden = true;
      document.querySelector(".shelf").hidden = true;
    }
    throw error;
  }
  if (first) showLibrary();
  const sending = await (await theIntake()).load();
  if (first) theDive().catch(() => {}); // asked for again when a dive is opened
  return sending || library.dives.some(isBusy);
}

function isBusy({ state, copy_state: copy, overlay_state: overlay, times_state: times, work }) {
  return ["queued", "running"].includes(state) || [copy, overlay, times].includes("wanted") || work !== null;
}

/** Adds how long this page has watched the job, which is what the time left is made of. */
function timed(dive) {
  if (dive.work === null) return;
  const key = `${dive.id} ${dive.work.step} ${dive.work.phase}`;
  const begun = began.get(key) ?? { ms: performance.now(), share: workShare(dive.work) ?? 0 };
  began.set(key, begun);
  const share = workShare(dive.work) ?? 0;
  const watchedS = (performance.now() - begun.ms) / 1000;
  // As if it had gone on like this from its beginning.
  dive.work.wallS = share > begun.share ? (watchedS * share) / (share - begun.share) : 0;
}

// The library

const shelf = new Shelf({ list: $("cards"), none: $("no-cards") }, onCard);

function showLibrary() {
  const { dives, count: all, used_bytes: used, upload_limit: limit } = library;
  const whole = dives.length === all;
  dives.forEach(timed);
  fillSpecies($("by-species"), whole ? speciesOfAll(dives) : []);
  const wanted = { query: $("search").value, species: $("by-species").value, state: $("by-state").value };
  const shown = shelf.show(dives, wanted);
  $("shelf-count").textContent = all === 0 ? "" : countWords(whole ? shown : all, all, used);
  $("drop-limits").textContent = t("drop.limits", { limit: bytes(limit) });
  $("search").parentElement.classList.toggle("bare", dives.length === 0);
}

async function onCard(does, id) {
  const dive = library.dives.find((one) => one.id === id);
  try {
    if (does === "rename") return await rename(dive);
    if (does === "delete") return await remove(dive);
    if (does === "stop") await tell(`api/dives/${id}/cancel`, "POST");
    else await tell(`api/dives/${id}/again`, "POST", { what: "dive", anew: does === "anew" });
  } catch (error) {
    say(error.message);
  }
  return poll();
}

async function rename(dive) {
  const { askName } = await import("./dives-dialogs.js");
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

async function remove(dive) {
  const { askSure } = await import("./dives-dialogs.js");
  askSure({
    title: t("delete.title", { title: dive.title }),
    text: t("delete.text", { size: bytes(dive.bytes) }),
    go: async () => {
      try {
        await tell(`api/dives/${dive.id}`, "DELETE");
        say(t("deleted", { title: dive.title }));
      } catch (error) {
        say(error.message);
      }
      poll();
    },
  });
}

for (const id of ["search", "by-species", "by-state"]) $(id).addEventListener("input", () => library && showLibrary());

// Files that are chosen or dropped

const take = (files) => theIntake().then((intake) => intake.take(files)).catch(() => say(t("play.lost")));

$("choose").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", () => {
  const files = [...$("file").files];
  $("file").value = ""; // or the same file could not be chosen again
  take(files);
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
  if (opened === null && library !== null) take([...event.dataTransfer.files]);
});

// From the library to a dive and back

const idInAddress = () => /^#([0-9a-f]{16})$/.exec(location.hash)?.[1] ?? null;

function follow() {
  const id = idInAddress();
  if (id === opened && (id !== null || library !== null)) return;
  opened = id;
  document.body.dataset.place = id === null ? "library" : "player";
  $("library").hidden = id !== null;
  $("player").hidden = id === null;
  if (id === null) document.title = t("title", { name: t("dives") });
  made?.open(id);
  poll();
}

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
  document.title = t("title", { name: t("dives") });
  shelf.clear();
  if (library !== null) showLibrary();
  madeIntake?.translate();
  made?.translate();
}

$("language").addEventListener("change", async ({ target }) => {
  try {
    await learn(target.value, [`${target.value}.json`, `dives-${target.value}.json`].map((name) => fetch(nearby(name))));
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

$("theme").addEventListener("click", () => {
  const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  remember("theme", theme);
});
$("help").addEventListener("click", () => theDive().then(
  (dive) => dive.help(),
  () => say(t("play.lost")),
));
$("language").append(...Object.entries(LANGUAGES).map(([code, name]) => new Option(name, code)));
// Asked for while the page was loading (early.js, dives-early.js).
listed = window.early.list && window.early.list.then(read);
const cards = Promise.race([listed, new Promise((resolve) => setTimeout(resolve, TOGETHER_MS))]).catch(() => {}); // said by `poll`
await learn(document.documentElement.lang, window.early.words);
await cards;
translate();
addEventListener("hashchange", follow);
addEventListener("online", poll);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) poll();
});
follow();
painted().then(async () => {
  const sources = await ask("api/sources").catch(() => []); // the page has its own words for a server that is gone
  $("to-live").hidden = sources.length === 0;
});
