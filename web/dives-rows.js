// The list of sightings. Only the rows in sight are in the document, whatever the length of the dive: some twenty elements
// that take another sighting's words while the list scrolls.

import { truthOf, windowOf } from "./dives-found.js";
import { mediaTime, percent } from "./format.js";
import { labelText, t } from "./text.js";

export const ROW_HEIGHT = 96; // as in dives.css

export class Rows {
  #list;
  #room;
  #pool = new Map(); // place in the list -> its element
  #free = [];
  #sightings = [];
  #hues = new Map(); // label -> its colour
  #current = -1;
  #still;
  #waiting = false;

  /**
   * @param {(sighting: object) => string|null} still the address of its picture
   * @param {(what: string, sighting: object) => void} does "seek", "right", "wrong", "nothing", "other" (on second thoughts), "note" or "undo" was pressed
   */
  constructor(list, room, still, does) {
    this.#list = list;
    this.#room = room;
    this.#still = still;
    list.addEventListener("scroll", () => this.#soon(), { passive: true });
    new ResizeObserver(() => this.#soon()).observe(list);
    room.addEventListener("click", (event) => {
      const [button, row] = [event.target.closest("button"), event.target.closest("[data-place]")];
      if (button && row) does(button.dataset.does, this.#sightings[Number(row.dataset.place)]);
    });
  }

  show(sightings, hues) {
    this.#hues = hues;
    const focused = document.activeElement;
    const at = [...this.#pool.values()].find(({ element }) => element.contains(focused));
    const { number } = at ?? {};
    this.#sightings = sightings;
    this.#room.style.height = `${sightings.length * ROW_HEIGHT}px`;
    // A sighting keeps its element, and with it what people have under their fingers.
    const rows = new Map([...this.#pool].map(([place, row]) => [row.number, { place, row }]));
    const kept = new Map();
    for (const [place, one] of sightings.entries()) {
      if (!rows.has(one.number)) continue;
      kept.set(place, rows.get(one.number).row);
      rows.delete(one.number);
    }
    for (const { place, row } of rows.values()) this.#release(place, row);
    this.#pool = kept;
    for (const place of kept.keys()) this.#fill(place);
    this.#render();
    if (at === undefined) return;
    // What was pressed may be gone: its undo is what comes next, and never a button of another sighting.
    if (at.element.hidden || at.number !== number) this.#list.focus({ preventScroll: true });
    else if (focused.closest("[hidden]")) (at.undo.hidden ? at.ask.firstElementChild : at.undo).focus({ preventScroll: true });
  }

  /** Forgets every row: the next `show` makes them in another language. */
  clear() {
    this.#room.replaceChildren();
    this.#pool.clear();
    this.#free = [];
  }

  /** Marks the one that is on the stage, and brings it into sight when it was not marked before. */
  mark(place, { follow }) {
    if (place === this.#current) return;
    this.#pool.get(this.#current)?.element.removeAttribute("aria-current");
    this.#current = place;
    this.#pool.get(place)?.element.setAttribute("aria-current", "true");
    if (!follow || place < 0) return;
    const [top, bottom] = [place * ROW_HEIGHT, (place + 1) * ROW_HEIGHT];
    const { scrollTop, clientHeight } = this.#list;
    if (top < scrollTop) this.#list.scrollTop = top;
    else if (bottom > scrollTop + clientHeight) this.#list.scrollTop = bottom - clientHeight;
  }

  #soon() {
    if (this.#waiting) return;
    this.#waiting = true;
    requestAnimationFrame(() => {
      this.#waiting = false;
      this.#render();
    });
  }

  #render() {
    const { scrollTop, clientHeight } = this.#list;
    const [first, end] = windowOf(scrollTop, clientHeight, ROW_HEIGHT, this.#sightings.length);
    for (const [place, row] of this.#pool) if (place < first || place >= end) this.#release(place, row);
    for (let place = first; place < end; place++) if (!this.#pool.has(place)) this.#fill(place);
  }

  #release(place, row) {
    this.#pool.delete(place);
    row.element.hidden = true;
    this.#free.push(row);
  }

  /** A free element, put where Tab and screen readers expect it. */
  #take(place) {
    const row = this.#free.pop() ?? this.#make();
    const before = Math.max(...[...this.#pool.keys()].filter((other) => other < place));
    if (before >= 0) this.#pool.get(before).element.after(row.element);
    else this.#room.prepend(row.element);
    this.#pool.set(place, row);
    return row;
  }

  #fill(place) {
    const row = this.#pool.get(place) ?? this.#take(place);
    const one = this.#sightings[place];
    row.number = one.number;
    const truth = truthOf(one);
    const { element, picture, name, when, said, words, ask, other, note: noting, undo } = row;
    element.hidden = false;
    element.dataset.place = String(place);
    element.style.transform = `translateY(${place * ROW_HEIGHT}px)`;
    element.setAttribute("aria-posinset", String(place + 1));
    element.setAttribute("aria-setsize", String(this.#sightings.length));
    element.toggleAttribute("data-nothing", truth === null);
    if (place === this.#current) element.setAttribute("aria-current", "true");
    else element.removeAttribute("aria-current");
    element.style.setProperty("--hue", (this.#hues.get(truth ?? one.label) ?? 0).toFixed(0));
    name.textContent = labelText(one.label);
    const times = { start: mediaTime(one.start_s), end: mediaTime(one.end_s), share: percent(one.peak_probability) };
    const moment = one.correction?.verdict === "missed" ? "sighting.seen" : "sighting.moment";
    when.textContent = t(times.start === times.end ? moment : "sighting.when", times);
    said.hidden = one.correction === null;
    ask.hidden = one.correction !== null;
    noting.hidden = undo.hidden = one.correction === null;
    other.hidden = !["right", "nothing"].includes(one.correction?.verdict); // a second thought needs no undo first
    if (one.correction !== null) {
      const { verdict, label, note } = one.correction;
      words.textContent = [t(`said.${verdict}`, { label: labelText(label) }), note].filter(Boolean).join(" · ");
      said.title = note;
      said.dataset.verdict = one.correction.verdict;
    }
    const address = this.#still(one);
    picture.hidden = address === null;
    if (address !== null && picture.getAttribute("src") !== address) picture.src = address;
  }

  #make() {
    const make = (tag, className = "", text = "") => {
      const element = document.createElement(tag);
      if (className) element.className = className;
      if (text) element.textContent = text;
      return element;
    };
    const button = (does, text, className = "small") => {
      const made = make("button", className, text);
      made.type = "button";
      made.dataset.does = does;
      return made;
    };
    const element = make("div", "sighting");
    element.setAttribute("role", "listitem");
    const go = button("seek", "", "go");
    const [frame, picture, text] = [make("span", "frame"), make("img"), make("span", "text")];
    [picture.alt, picture.loading, picture.decoding] = ["", "lazy", "async"];
    frame.append(picture);
    const [name, when] = [make("span", "name"), make("span", "when")];
    text.append(name, when);
    go.append(frame, text);
    const [line, said, words, ask] = [make("div", "said-line"), make("p", "said"), make("span"), make("div", "ask")];
    said.append(words);
    ask.append(...["right", "wrong", "nothing"].map((does) => button(does, t(`sighting.${does}`))));
    const [note, undo, other] = [button("note", t("sighting.note")), button("undo", t("sighting.undo")), button("other", t("sighting.wrong"))];
    line.append(said, undo, note, other, ask);
    element.append(go, line);
    return { element, picture, name, when, said, words, ask, other, note, undo, number: -1 };
  }
}
