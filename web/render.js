// State out to the page: the only file that writes into the document, the stage's canvases aside.
//
// It writes what differs and nothing else, so that nothing moves but what changed and a reader's selection stays.

import { percent } from "./format.js";
import { hashFor } from "./address.js";
import { labelOf, taxonOf } from "./state.js";
import {
  announcement,
  answerWords,
  chipWords,
  connectionWords,
  countWords,
  factRows,
  heatWords,
  isPresent,
  sightingTime,
  sourceWords,
} from "./words.js";

const ROWS = 5;
const THUMBNAIL = [192, 108]; // twice its size on the page, for screens with two pixels per pixel

const COUNTS_MEAN =
  "Dropped: the model had no time for the frame. Skipped: classified, but this page was shown a newer one instead.";

/** Binds to the document; returns {render(state, nowMs), thumbnailOf(id), say(text)}. */
export function createRenderer(document) {
  const $ = (id) => document.getElementById(id);
  const make = (tag, className = "", text = "") => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text) element.textContent = text;
    return element;
  };

  const rows = Array.from({ length: ROWS + 1 }, (_, i) => {
    const row = make("li", i === ROWS ? "none" : "");
    const [name, share] = [make("span", "name"), make("span", "share")];
    const [track, fill, mark] = [make("div", "track"), make("div", "fill"), make("div", "mark")];
    track.ariaHidden = "true"; // the same number stands beside it
    track.append(fill, mark);
    row.append(name, share, track);
    $("top").append(row);
    return { row, name, share, fill, mark };
  });
  const entries = new Map(); // sighting id -> its elements

  function render(state, nowMs) {
    renderConnection(state, nowMs);
    renderSources(state);
    renderChips(state, nowMs);
    renderAnswer(state);
    renderFrame(state);
    renderSightings(state);
    renderControls(state);
    if ($("dialog").open) renderFacts(state);
  }

  function renderConnection(state, nowMs) {
    const words = connectionWords(state, nowMs);
    put($("link-text"), words.brief);
    $("link").dataset.tone = words.tone;
    put($("counts"), countWords(state));
    $("counts").title = COUNTS_MEAN;
    $("stage").dataset.fresh = words.fresh ? "yes" : "no";
    $("stage").dataset.picture = state.shown === null ? "no" : "yes";
    const [height, width] = state.shown?.header.size ?? [9, 16];
    const [down, across] = state.view !== "both" ? [1, 1] : height > width ? [1, 2] : [2, 1];
    $("stage").style.setProperty("--ratio", String((height * down) / (width * across)));
    $("notice").hidden = words.fresh;
    put($("now-title"), state.paused ? "Paused" : words.fresh || state.shown === null ? "Now" : "Last picture");
    put($("notice-text"), words.full);
    $("retry").hidden = !words.retry;
  }

  function renderSources({ sources, source }) {
    const known = sources ?? [];
    // A source that the address names and the server does not list stays visible: it is what is being tried.
    const missing = source !== null && !known.some(({ name }) => name === source);
    const listed = missing ? [...known, { name: source, state: sources === null ? "" : "not listed" }] : known;
    const list = $("sources");
    while (list.children.length > listed.length) list.lastChild.remove();
    listed.forEach((entry, i) => {
      if (!list.children[i]) {
        const link = make("a");
        link.append(make("b"), make("small"));
        const item = make("li");
        item.append(link);
        list.append(item);
      }
      const link = list.children[i].firstChild;
      const href = hashFor(entry.name);
      if (link.getAttribute("href") !== href) link.setAttribute("href", href);
      if (entry.name === source) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
      link.title = entry.reason ?? "";
      put(link.firstChild, entry.name);
      put(link.lastChild, sourceWords(entry) || "\u00a0");
    });
  }

  function renderChips(state, nowMs) {
    const words = chipWords(state, nowMs);
    put($("rate"), words.rate);
    put($("rate-note"), words.rateNote);
    put($("age"), words.age);
    put($("age-note"), words.ageNote);
    put($("device"), words.device);
    put($("device-note"), words.deviceNote);
  }

  function renderAnswer(state) {
    const words = answerWords(state);
    put($("answer"), words.title);
    $("answer").dataset.known = words.known ? "yes" : "no";
    put($("taxon"), words.taxon);
    put($("probability"), words.probability);
    put($("since"), words.since);
    put($("closest"), words.note);
    put($("announce"), announcement(state));
    put($("subtitle"), [words.title, words.probability].filter(Boolean).join(" "));
    $("picture").setAttribute("aria-label", state.source === null ? "No picture" : `Picture of ${state.source}`);
  }

  function renderFrame(state) {
    const header = state.shown?.header;
    const thresholds = state.model?.thresholds ?? {};
    for (let i = 0; i < ROWS; i++) {
      const [index, share] = header?.top[i] ?? [null, 0];
      rows[i].row.hidden = header !== undefined && index === null; // a model of fewer than five classes
      rows[i].row.classList.toggle("shown", index !== null && index === header.stable.index);
      rows[i].row.classList.toggle("empty", index === null);
      put(rows[i].name, index === null ? "–" : labelOf(state, index));
      rows[i].name.title = index === null ? "" : taxonOf(state, index);
      renderBar(rows[i], index === null ? null : share, thresholds.show);
    }
    put(rows[ROWS].name, "None of these");
    renderBar(rows[ROWS], header?.unknown ?? null, thresholds.unknown); // "none of my classes"
    const from = header && Number.isFinite(thresholds.show) ? `A label appears from ${percent(thresholds.show)} and stays a little below it` : "";
    put($("show-from"), from);
    put($("heat-words"), heatWords(state));
  }

  function renderBar({ share: text, fill, mark }, share, threshold) {
    const across = (value) => `${(100 * Math.min(1, Math.max(0, value))).toFixed(1)}%`;
    put(text, share === null ? "" : percent(share));
    fill.style.width = across(share ?? 0);
    mark.hidden = share === null || !(threshold > 0 && threshold < 1);
    if (!mark.hidden) mark.style.left = across(threshold);
  }

  function renderSightings(state) {
    const { sightings, sources } = state;
    const list = $("sightings");
    const kept = new Set(sightings.entries.map(({ id }) => id));
    for (const [id, { item }] of entries) {
      if (kept.has(id)) continue;
      item.remove();
      entries.delete(id);
    }
    for (const entry of [...sightings.entries].reverse()) {
      if (!entries.has(entry.id)) {
        entries.set(entry.id, sightingItem());
        list.prepend(entries.get(entry.id).item);
      }
      const { item, name, where, when, canvas } = entries.get(entry.id);
      const present = isPresent(entry, state);
      item.dataset.open = present ? "yes" : "no";
      put(name, entry.label);
      put(where, sources?.length > 1 ? entry.source : "");
      put(when, `${sightingTime(entry, present)} · best ${percent(entry.peak_probability)}`);
      when.title = [entry.start_utc, entry.end_utc].filter(Boolean).join(" – ");
      canvas.setAttribute("aria-label", `${entry.label}, frame ${entry.peak_frame} of ${entry.source}`);
    }
    $("no-sightings").hidden = sightings.total > 0;
    const gone = sightings.total - sightings.entries.length;
    const number = gone > 0 ? `latest ${kept.size} of ${sightings.total}` : `${kept.size}`;
    put($("sightings-count"), sightings.total === 0 ? "" : number);
  }

  function sightingItem() {
    const item = make("li");
    const canvas = make("canvas");
    [canvas.width, canvas.height] = THUMBNAIL;
    canvas.setAttribute("role", "img");
    const text = make("div");
    const [title, name, where, when] = [make("p", "name"), make("span"), make("span", "where"), make("p", "when")];
    title.append(name, where);
    text.append(title, when);
    item.append(canvas, text);
    return { item, canvas, name, where, when };
  }

  function renderControls(state) {
    for (const input of $("views").querySelectorAll("input")) input.checked = input.value === state.view;
    const share = Math.round(state.opacity * 100);
    if (Number($("opacity").value) !== share) $("opacity").value = String(share);
    $("opacity").disabled = state.view === "camera";
    put($("opacity-text"), percent(state.opacity));
    $("opacity").setAttribute("aria-valuetext", percent(state.opacity));
    $("pause").dataset.paused = state.paused ? "yes" : "no";
    $("pause").disabled = state.shown === null && !state.paused;
    put($("pause-text"), state.paused ? "Go on" : "Pause");
    $("pause").setAttribute("aria-label", state.paused ? "Go on" : "Pause"); // the text hides where room is short
    $("still").disabled = state.shown === null;
    const other = state.theme === "dark" ? "Light theme" : "Dark theme";
    $("theme").setAttribute("aria-label", other);
    $("theme").title = other;
  }

  function renderFacts(state) {
    const list = $("facts");
    const facts = factRows(state);
    while (list.children.length > facts.length) list.lastChild.remove();
    facts.forEach(([name, value], i) => {
      if (!list.children[i]) {
        const row = make("div");
        row.append(make("dt"), make("dd"));
        list.append(row);
      }
      put(list.children[i].firstChild, name);
      put(list.children[i].lastChild, value);
    });
  }

  /** The canvas of one sighting; null when it is not on the page. */
  const thumbnailOf = (id) => entries.get(id)?.canvas ?? null;

  /** One sentence that passes: a still was saved, or could not be. */
  const say = (text) => put($("toast"), text);

  return { render, thumbnailOf, say };
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
