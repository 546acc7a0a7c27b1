// State out to the page: the only file that writes into the document, the stage's canvases aside.
//
// It writes what differs and nothing else, so that nothing moves but what changed and a reader's selection stays.

import { CAMERA, hashFor, sourceName } from "./address.js";
import { classRows, MOST_PROBABLE, ROWS } from "./explained.js";
import { isNeutral, NAMES } from "./eye.js";
import { percent } from "./format.js";
import { labelOf, taxonOf } from "./state.js";
import {
  agoWords,
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

  const makeRow = (kind) => {
    const row = make("li", kind);
    const bar = make(kind === "none" ? "div" : "button", "row"); // a class's heat map is a press away
    if (kind !== "none") bar.type = "button";
    const [name, share] = [make("span", "name"), make("span", "share")];
    const [track, fill, mark] = [make("span", "track"), make("span", "fill"), make("span", "mark")];
    track.ariaHidden = "true"; // the same number stands beside it
    track.append(fill, mark);
    bar.append(name, share, track);
    row.append(bar);
    $("top").append(row);
    return { row, bar, name, share, fill, mark };
  };
  const rows = Array.from({ length: ROWS }, () => makeRow(""));
  const extraRow = makeRow("extra");
  const noneRow = makeRow("none");
  const entries = new Map(); // sighting id -> its elements

  function render(state, nowMs) {
    renderConnection(state, nowMs);
    renderSources(state);
    renderChips(state, nowMs);
    renderAnswer(state);
    renderFrame(state);
    renderSightings(state);
    renderControls(state);
    renderCamera(state);
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
    const ago = agoWords(state, nowMs);
    const now = words.fresh || state.shown === null ? "Now" : "Last picture";
    put($("now-title"), state.paused ? ["Paused", ago].filter(Boolean).join(", ") : now);
    renderReplay(state, ago);
    put($("notice-text"), words.full);
    $("retry").hidden = !words.retry;
  }

  function renderReplay({ place, shown, paused }, ago) {
    const held = paused && place !== null && shown !== null;
    $("replay").hidden = !held;
    if (!held) return;
    const [last, at] = [String(Math.max(0, place.count - 1)), String(place.at)];
    if ($("place").max !== last) $("place").max = last;
    if ($("place").value !== at) $("place").value = at;
    $("place").setAttribute("aria-valuetext", `${ago}, frame ${shown.header.frame}`);
    $("place").disabled = place.count < 2;
    put($("ago"), ago);
    // aria-disabled, not disabled: a button that is held down must not lose the focus at the end
    $("back").ariaDisabled = String(place.at <= 0);
    $("forward").ariaDisabled = String(place.at >= place.count - 1);
  }

  function renderSources({ sources, source }) {
    const known = sources ?? [];
    // A source that the address names and the server does not list stays visible: it is what is being tried.
    const missing = source !== null && source !== CAMERA && !known.some(({ name }) => name === source);
    const listed = missing ? [...known, { name: source, state: sources === null ? "" : "not listed" }] : [...known];
    // Last, and not before the others: what a finger is on its way to must not move.
    if (sources !== null || source === CAMERA) listed.push({ name: CAMERA, kind: "this device", state: "" });
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
      put(link.firstChild, sourceName(entry.name));
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
    $("picture").setAttribute("aria-label", state.source === null ? "No picture" : `Picture of ${sourceName(state.source)}`);
  }

  function renderFrame(state) {
    const header = state.shown?.header;
    const thresholds = state.model?.thresholds ?? {};
    const found = classRows(header?.top ?? [], state.explain);
    rows.forEach((row, i) => {
      const { index, share } = found.rows[i] ?? { index: null, share: null };
      row.row.hidden = header !== undefined && index === null; // a model of fewer than five classes
      renderClass(row, state, index, `(${i + 1})`);
      renderBar(row, share, thresholds.show);
    });
    const { extra } = found;
    extraRow.row.hidden = (state.model?.labels.length ?? 0) <= ROWS; // else its place is kept free: nothing may jump
    extraRow.row.classList.toggle("vacant", extra === null);
    renderClass(extraRow, state, extra?.index ?? null, "");
    renderBar(extraRow, null);
    if (Number.isFinite(extra?.below)) put(extraRow.share, percent(extra.below).replace(/^(?!<)/, "≤\u202f"));
    put(noneRow.name, "None of these");
    renderBar(noneRow, header?.unknown ?? null, thresholds.unknown); // "none of my classes"
    press($("most-probable"), state.explain === MOST_PROBABLE);
    const from = header && Number.isFinite(thresholds.show) ? `A label appears from ${percent(thresholds.show)} and stays a little below it` : "";
    put($("show-from"), from);
    put($("heat-words"), heatWords(state));
  }

  function renderClass({ row, bar, name }, state, index, key) {
    row.classList.toggle("shown", index !== null && index === state.shown?.header.stable.index);
    row.classList.toggle("empty", index === null);
    put(name, index === null ? "–" : labelOf(state, index));
    bar.disabled = index === null;
    bar.dataset.class = index === null ? "" : String(index);
    press(bar, index !== null && index === state.explain);
    const title = index === null ? [] : [taxonOf(state, index), `Heat map of ${labelOf(state, index)} ${key}`];
    bar.title = title.filter(Boolean).join("\n");
  }

  function press(button, is) {
    if (button.ariaPressed !== String(is)) button.ariaPressed = String(is);
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
    for (const name of Object.keys(NAMES)) {
      const [input, shown] = [$(`eye-${name}`), String(Math.round(100 * state.eye[name]))];
      if (input.value !== shown) input.value = shown;
      input.setAttribute("aria-valuetext", percent(state.eye[name]));
    }
    const untouched = isNeutral(state.eye);
    $("eye").dataset.on = untouched ? "no" : "yes";
    $("eye-title").setAttribute("aria-label", untouched ? "Clearer picture" : "Clearer picture, on");
    const other = state.theme === "dark" ? "Light theme" : "Dark theme";
    $("theme").setAttribute("aria-label", other);
    $("theme").title = other;
  }

  function renderCamera({ source, cameras, paused }) {
    $("stage").dataset.own = source === CAMERA && !paused ? "yes" : "no";
    $("camera").hidden = source !== CAMERA || cameras.list.length < 2;
    const kept = [...$("camera").options].map(({ value, text }) => `${value} ${text}`).join();
    if (kept !== cameras.list.map(({ id, name }) => `${id} ${name}`).join()) {
      $("camera").replaceChildren(...cameras.list.map(({ id, name }) => new Option(name, id)));
    }
    if ($("camera").value !== cameras.id) $("camera").value = cameras.id;
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
