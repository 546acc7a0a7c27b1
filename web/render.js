// State out to the page: the only file that writes into the document, the stage's canvases aside.
//
// It writes what differs and nothing else, so that nothing moves but what changed and a reader's selection stays.

import { CAMERA, hashFor, sourceName } from "./address.js";
import { classRows, MOST_PROBABLE, ROWS } from "./explained.js";
import { colourTable } from "./colourmap.js";
import { CONTROLS, isNeutral } from "./eye.js";
import { percent } from "./format.js";
import { labelOf, sightingsOf, taxonOf } from "./state.js";
import { LANGUAGES, t } from "./text.js";
import {
  agoWords,
  announcement,
  answerWords,
  chipWords,
  connectionWords,
  heatWords,
  isPresent,
  linkAnnouncement,
  lossWords,
  saidWords,
  sightingWords,
  tileWords,
} from "./words.js";

export const LISTED = 100; // sightings on the page
const THUMBNAIL = [192, 108]; // twice its size on the page, for screens with two pixels per pixel

/** Binds to the document; returns {render(state, nowMs), thumbnailOf(id), say(text), tell(facts, state, nowMs)}. */
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
  const drawn = {}; // what the parts that cost something were drawn from
  const legend = $("legend").getContext("2d");
  $("language").append(...Object.entries(LANGUAGES).map(([code, name]) => new Option(name, code)));

  function render(state, nowMs) {
    if (state.language === "") return; // its words are still on the way
    if (drawn.language !== state.language) translate(state.language);
    renderConnection(state, nowMs);
    renderSources(state);
    renderChips(state, nowMs);
    renderAnswer(state);
    renderFrame(state);
    renderSightings(state);
    renderControls(state);
    renderCamera(state);
    if ($("dialog").open && drawn.facts) renderRows($("facts"), drawn.facts(state));
  }

  /** Everything that index.html leaves to the catalogue. */
  function translate(language) {
    drawn.language = language;
    drawn.sightings = null;
    $("language").value = document.documentElement.lang = language;
    for (const element of document.querySelectorAll("[data-t]")) put(element, t(element.dataset.t));
    for (const element of document.querySelectorAll("[data-title]")) element.title = t(element.dataset.title);
    for (const element of document.querySelectorAll("[data-name]")) element.ariaLabel = t(element.dataset.name);
  }

  function renderConnection(state, nowMs) {
    const words = connectionWords(state, nowMs);
    put($("link-text"), words.brief);
    $("link").dataset.tone = words.tone;
    $("stage").dataset.fresh = words.fresh ? "yes" : "no";
    $("stage").dataset.picture = state.shown === null ? "no" : "yes";
    const [height, width] = state.shown?.header.size ?? [9, 16];
    const [down, across] = state.view !== "both" ? [1, 1] : height > width ? [1, 2] : [2, 1];
    $("stage").style.setProperty("--ratio", String((height * down) / (width * across)));
    $("notice").hidden = words.fresh;
    const ago = agoWords(state, nowMs);
    const now = t(words.fresh || state.shown === null ? "now" : "now.last");
    put($("now-title"), state.paused && ago ? t("now.paused", { ago }) : now);
    renderReplay(state, ago);
    put($("notice-text"), words.full);
    $("retry").hidden = !words.retry;
    put($("announce-link"), linkAnnouncement(state, nowMs));
  }

  function renderReplay({ place, shown, paused }, ago) {
    const held = paused && place !== null && shown !== null;
    $("replay").hidden = !held;
    if (!held) return;
    const [last, at] = [String(Math.max(0, place.count - 1)), String(place.at)];
    if ($("place").max !== last) $("place").max = last;
    if ($("place").value !== at) $("place").value = at;
    $("place").setAttribute("aria-valuetext", t("replay.place", { ago, frame: String(shown.header.frame) }));
    $("place").disabled = place.count < 2;
    put($("ago"), ago);
    // aria-disabled, not disabled: a button that is held down must not lose the focus at the end
    $("back").ariaDisabled = String(place.at <= 0);
    $("forward").ariaDisabled = String(place.at >= place.count - 1);
  }

  function renderSources(state) {
    const { sources, source } = state;
    const known = sources ?? [];
    // A source that the address names and the server does not list stays visible: it is what is being tried.
    const missing = source !== null && source !== CAMERA && !known.some(({ name }) => name === source);
    const listed = missing ? [...known, { name: source, state: sources === null ? "" : "unlisted" }] : [...known];
    // Last, and not before the others: what a finger is on its way to must not move.
    if (sources !== null || source === CAMERA) listed.push({ name: CAMERA, kind: "device", state: "" });
    const list = $("sources");
    while (list.children.length > listed.length) list.lastChild.remove();
    listed.forEach((entry, i) => {
      if (!list.children[i]) {
        const [link, picture] = [make("a"), make("img")];
        picture.alt = "";
        link.append(picture, make("b"), make("small"));
        const item = make("li");
        item.append(link);
        list.append(item);
      }
      const link = list.children[i].firstChild;
      const mayNot = entry.name === CAMERA && state.server?.role === "view"; // send pictures
      const [picture, name, words] = link.children;
      if (mayNot) link.removeAttribute("href");
      else if (link.hash !== hashFor(entry.name)) link.href = hashFor(entry.name);
      picture.hidden = entry.name === CAMERA; // nobody looks through it before it is chosen
      if (!entry.thumbnail) picture.removeAttribute("src");
      else if (picture.getAttribute("src") !== entry.thumbnail) picture.src = entry.thumbnail;
      if (entry.name === source) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
      const said = mayNot ? { words: t("closed.4403"), title: t("closed.4403"), tone: "" } : tileWords(entry, state);
      link.title = said.title;
      link.dataset.tone = said.tone;
      put(name, sourceName(entry.name));
      put(words, said.words || "\u00a0");
    });
    const chosen = list.querySelector("[aria-current]");
    if (chosen === null || drawn.chosen === source) return;
    drawn.chosen = source;
    chosen.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  function renderChips(state, nowMs) {
    const words = chipWords(state, nowMs);
    put($("rate"), words.rate);
    put($("rate-note"), words.rateNote);
    put($("age"), words.age);
    put($("age-note"), words.ageNote);
    put($("device"), words.device);
    put($("device-note"), words.deviceNote);
    const losses = lossWords(state);
    put($("lost"), losses.total);
    if ($("losses").open) renderRows($("loss-rows"), losses.rows);
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
    const picture = state.source === null ? t("picture.none") : t("picture.of", { name: sourceName(state.source) });
    $("picture").setAttribute("aria-label", picture);
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
    if (Number.isFinite(extra?.below)) put(extraRow.share, percent(extra.below).replace(/^(?!<)/, "≤"));
    put(noneRow.name, t("top.none"));
    renderBar(noneRow, header?.unknown ?? null, thresholds.unknown); // "none of my classes"
    press($("most-probable"), state.explain === MOST_PROBABLE);
    const known = header && Number.isFinite(thresholds.show);
    put($("show-from"), known ? t("top.from", { share: percent(thresholds.show) }) : "");
    put($("heat-words"), heatWords(state));
  }

  function renderClass({ row, bar, name }, state, index, key) {
    row.classList.toggle("shown", index !== null && index === state.shown?.header.stable.index);
    row.classList.toggle("empty", index === null);
    put(name, index === null ? "–" : labelOf(state, index));
    bar.disabled = index === null;
    bar.dataset.class = index === null ? "" : String(index);
    press(bar, index !== null && index === state.explain);
    const title = index === null ? [] : [taxonOf(state, index), [t("top.map", { label: labelOf(state, index) }), key].join(" ")];
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
    const listed = sightingsOf(state);
    // A hundred entries, four times a second: only when something is different.
    const key = [listed, state.feed.state, state.shown?.header.stable.index];
    if (key.every((value, i) => value === drawn.sightings?.[i])) return;
    drawn.sightings = key;
    const list = $("sightings");
    const kept = new Set(listed.map(({ id }) => id));
    for (const [id, { item }] of entries) {
      if (kept.has(id)) continue;
      item.remove();
      entries.delete(id);
    }
    listed.forEach((entry, i) => {
      if (!entries.has(entry.id)) entries.set(entry.id, sightingItem(entry));
      const { item, button, name, when, note, picture } = entries.get(entry.id);
      if (list.children[i] !== item) list.insertBefore(item, list.children[i] ?? null);
      const present = isPresent(entry, state);
      const words = sightingWords(entry, present);
      item.dataset.open = present ? "yes" : "no";
      put(name, words.label);
      put(when, words.when);
      const line = [words.note, saidWords(entry.correction)].filter(Boolean).join(" · ");
      put(note, line);
      when.title = [entry.start_utc, entry.end_utc].filter(Boolean).join(" – ");
      button.disabled = !entry.still; // one of this device's own camera has no more than its thumbnail
      button.ariaLabel = entry.still ? `${t("sighting.open", words)}, ${line}` : null;
      if (entry.still && picture.getAttribute("src") !== entry.still) picture.src = entry.still;
    });
    $("no-sightings").hidden = listed.length > 0;
    const number = listed.length < LISTED ? String(listed.length || "") : t("sightings.latest", { n: LISTED });
    put($("sightings-count"), number);
  }

  function sightingItem({ still }) {
    const [item, button, text] = [make("li"), make("button"), make("span", "text")];
    const picture = make(still ? "img" : "canvas");
    [picture.width, picture.height] = THUMBNAIL;
    if (still) [picture.loading, picture.alt] = ["lazy", ""]; // far down the list nothing is fetched
    const [name, when, note] = [make("span", "name"), make("span", "when"), make("span", "when")];
    button.type = "button";
    text.append(name, when, note);
    button.append(picture, text);
    item.append(button);
    return { item, button, picture, name, when, note };
  }

  function renderControls(state) {
    $("dives").hidden = !state.server?.library;
    const failing = state.server?.recording?.state === "retrying";
    $("recording").hidden = !failing;
    put($("recording"), failing ? t("recording.retrying") : "");
    for (const input of $("views").querySelectorAll("input")) input.checked = input.value === state.view;
    const share = Math.round(state.opacity * 100);
    if (Number($("opacity").value) !== share) $("opacity").value = String(share);
    $("opacity").disabled = $("colours").disabled = state.view === "camera";
    renderLegend(state.colours);
    put($("opacity-text"), percent(state.opacity));
    $("opacity").setAttribute("aria-valuetext", percent(state.opacity));
    $("pause").dataset.paused = state.paused ? "yes" : "no";
    $("pause").disabled = state.shown === null && !state.paused;
    const pause = t(state.paused ? "go-on" : "pause");
    put($("pause-text"), pause);
    $("pause").setAttribute("aria-label", pause); // the text hides where room is short
    $("still").disabled = state.shown === null;
    for (const name of CONTROLS) {
      const [input, shown] = [$(`eye-${name}`), String(Math.round(100 * state.eye[name]))];
      if (input.value !== shown) input.value = shown;
      input.setAttribute("aria-valuetext", percent(state.eye[name]));
    }
    const untouched = isNeutral(state.eye);
    $("eye").dataset.on = untouched ? "no" : "yes";
    $("eye-title").setAttribute("aria-label", t(untouched ? "eye.name" : "eye.on"));
    const other = t(state.theme === "dark" ? "theme.light" : "theme.dark");
    $("theme").setAttribute("aria-label", other);
    $("theme").title = other;
  }

  function renderCamera({ source, cameras, paused }) {
    $("stage").dataset.own = source === CAMERA && !paused ? "yes" : "no";
    $("camera").hidden = source !== CAMERA || cameras.list.length < 2;
    const names = cameras.list.map(({ name }, i) => name || t("camera.number", { n: i + 1 }));
    const key = names.join();
    if (drawn.cameras !== key) {
      drawn.cameras = key;
      $("camera").replaceChildren(...cameras.list.map(({ id }, i) => new Option(names[i], id)));
    }
    if ($("camera").value !== cameras.id) $("camera").value = cameras.id;
  }

  function renderRows(list, rows) {
    while (list.children.length > rows.length) list.lastChild.remove();
    rows.forEach(([name, value], i) => {
      if (!list.children[i]) {
        const row = make("div");
        row.append(make("dt"), make("dd"));
        list.append(row);
      }
      put(list.children[i].firstChild, name);
      put(list.children[i].lastChild, value);
    });
  }

  function renderLegend(colours) {
    if (drawn.colours === colours) return;
    drawn.colours = $("colours").value = colours;
    const [pixels, table] = [new ImageData(256, 1), colourTable(colours)];
    for (let i = 0; i < 256; i++) pixels.data.set([...table.subarray(3 * i, 3 * i + 3), 255], 4 * i);
    legend.putImageData(pixels, 0, 0);
  }

  /** The canvas of one sighting; null when it is not on the page. */
  const thumbnailOf = (id) => entries.get(id)?.picture ?? null;

  /** One sentence that passes: a still was saved, or could not be. */
  const say = (text) => put($("toast"), text);

  /** Shows facts.js's rows from now on, where the dialog is open. */
  function tell(facts, state, nowMs) {
    drawn.facts = facts;
    render(state, nowMs);
  }

  return { render, thumbnailOf, say, tell };
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
