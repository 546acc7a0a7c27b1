// The library out to the page: a card per dive. Writes what differs and nothing else.

import { bytes, dateWords, matching, speciesWords, stateWords, workShare } from "./dives-words.js";
import { mediaTime } from "./format.js";
import { labelText, language, t } from "./text.js";

export const make = (tag, className = "", text = "") => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
};

export const button = (does, text) => {
  const made = make("button", "small", text);
  made.type = "button";
  made.dataset.does = does;
  return made;
};

export const put = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

// A screen full of cards is painted first; then every other gets its place, and what stands on it in steps that nobody feels.
const FIRST = 24;
const MORE = 30;
const MORE_MS = 50;

export class Shelf {
  #cards = new Map(); // id -> its elements
  #most = FIRST;
  #painted = false; // the first screen
  #asked = [];
  #timer = 0;
  #list;
  #none;

  /** @param {(what: string, id: string) => void} does "rename", "delete", "again", "anew" or "stop" was pressed */
  constructor({ list, none }, does) {
    this.#list = list;
    this.#none = none;
    list.addEventListener("click", (event) => {
      const [pressed, card] = [event.target.closest("button"), event.target.closest("li")];
      if (pressed && card) does(pressed.dataset.does, card.dataset.id);
    });
  }

  /** Shows those of `dives` that `wanted` asks for; returns how many. */
  show(dives, wanted) {
    const found = matching(dives, wanted);
    this.#asked = [dives, wanted];
    clearTimeout(this.#timer);
    if (!this.#painted && found.length > 0) requestAnimationFrame(() => setTimeout(() => this.#placeAll()));
    else if (this.#most < found.length) this.#timer = setTimeout(() => this.#more(), MORE_MS);
    const kept = new Set(found.map(({ id }) => id));
    const made = document.createDocumentFragment(); // what comes after all that was there, put in at once
    for (const [id, { item }] of this.#cards) {
      if (kept.has(id)) continue;
      item.remove();
      this.#cards.delete(id);
    }
    let next = this.#list.firstElementChild;
    for (const [i, dive] of (this.#painted ? found : found.slice(0, FIRST)).entries()) {
      if (!this.#cards.has(dive.id)) this.#cards.set(dive.id, this.#make(dive));
      const card = this.#cards.get(dive.id);
      if (i < this.#most) this.#fill(card, dive);
      if (next === null) made.append(card.item);
      else if (next === card.item) next = next.nextElementSibling;
      else this.#list.insertBefore(card.item, next);
    }
    this.#list.append(made);
    this.#none.hidden = found.length > 0;
    put(this.#none, t(dives.length === 0 ? "shelf.empty" : "shelf.no-match"));
    return found.length;
  }

  /** Forgets every card: the next `show` makes them in another language. */
  clear() {
    this.#list.replaceChildren();
    this.#cards.clear();
  }

  #placeAll() {
    if (this.#painted) return;
    this.#painted = true;
    this.show(...this.#asked);
  }

  #more() {
    this.#most += MORE;
    this.show(...this.#asked);
  }

  #make(dive) {
    const item = make("li", "card");
    item.dataset.id = dive.id;
    return { item, told: "" };
  }

  /** What stands on a card, empty as yet. */
  #furnish(card, dive) {
    const { item } = card;
    const link = make("a", "open");
    link.href = `#${dive.id}`;
    const frame = make("span", "frame");
    const picture = make("img");
    [picture.alt, picture.loading, picture.decoding] = ["", "lazy", "async"];
    const length = make("span", "length");
    frame.append(picture, length);
    const title = make("span", "title");
    link.append(frame, title);
    const [date, species, state] = [make("p", "quiet"), make("p", "species"), make("p", "standing")];
    const bar = make("progress");
    bar.max = 1;
    const tools = make("div", "card-tools");
    item.append(link, date, species, state, bar, tools);
    Object.assign(card, { picture, length, title, date, species, state, bar, tools });
  }

  #fill(card, dive) {
    if (card.dive === dive) return;
    card.dive = dive;
    const told = JSON.stringify(dive);
    if (card.told === told) return;
    if (card.told === "") this.#furnish(card, dive);
    card.told = told;
    const { item, picture, length, title, date, species, state, bar, tools } = card;
    item.dataset.state = dive.state;
    picture.hidden = !dive.thumbnail;
    if (dive.thumbnail) {
      // Another picture is chosen when the results are there.
      const address = `api/dives/${dive.id}/thumbnail?${dive.has_results ? "found" : "first"}`;
      if (picture.getAttribute("src") !== address) picture.src = address;
    }
    put(length, dive.duration_s === null ? "" : mediaTime(dive.duration_s));
    put(title, dive.title);
    put(date, dateWords(dive));
    put(species, speciesWords(dive));
    put(state, stateWords(dive));
    const share = dive.work === null ? null : workShare(dive.work);
    bar.hidden = dive.work === null;
    if (share !== null) bar.value = share;
    else bar.removeAttribute("value");
    const actions = ["rename", ...actionsOf(dive), "delete"];
    if (tools.dataset.actions !== actions.join()) {
      tools.dataset.actions = actions.join();
      tools.replaceChildren(...actions.map((does) => button(does, t(`dive.${does}`))));
    }
  }
}

/** What can be done with a dive besides naming and deleting it. */
export function actionsOf({ state, width, overlay_state: overlay, times_state: times }) {
  if (state === "queued" || state === "running" || [overlay, times].includes("wanted")) return ["stop"];
  if (state === "cancelled") return ["go-on"];
  if (state === "failed") return width === null ? ["again"] : ["again", "anew"]; // one that was never seen has nothing to begin anew
  return state === "incomplete" ? ["again"] : [];
}

/** The choices of a filter: [label, number] most first, under a first one for all. Keeps what was chosen if it is there. */
export function fillSpecies(select, species) {
  const told = JSON.stringify([language(), species]);
  if (select.dataset.told === told) return;
  select.dataset.told = told;
  const chosen = select.value;
  const options = species.map(([label, n]) => new Option(t("filter.species.count", { label: labelText(label), n }), label));
  select.replaceChildren(new Option(t("filter.species"), ""), ...options);
  select.value = species.some(([label]) => label === chosen) ? chosen : "";
}

/** Dives in which each species is, most first. */
export function speciesOfAll(dives) {
  const counts = new Map();
  for (const { species } of dives) for (const label of Object.keys(species)) counts.set(label, (counts.get(label) ?? 0) + 1);
  return [...counts].sort(([a, n], [b, m]) => m - n || a.localeCompare(b));
}

export const countWords = (shown, all, usedBytes) =>
  shown === all ? t("shelf.count", { n: all, size: bytes(usedBytes) }) : t("shelf.some", { n: shown, all });
