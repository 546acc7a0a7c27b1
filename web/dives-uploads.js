// The uploads out to the page, a row each. Writes what differs and nothing else.

import { button, make, put } from "./dives-shelf.js";
import { uploadWords } from "./dives-words.js";
import { t } from "./text.js";

const ACTIONS = {
  sending: ["pause", "cancel"],
  retrying: ["pause", "cancel"],
  waiting: ["cancel"],
  here: ["cancel"],
  paused: ["resume", "cancel"],
};

export class Uploads {
  #rows = new Map(); // key -> its elements
  #list;

  /** @param {(what: string, key: string) => void} does "pause", "resume", "cancel" or "remove" was pressed */
  constructor(list, does) {
    this.#list = list;
    list.addEventListener("click", (event) => {
      const [pressed, row] = [event.target.closest("button"), event.target.closest("li")];
      if (pressed && row) does(pressed.dataset.does, row.dataset.key);
    });
  }

  /** Forgets every row: the next `show` makes them in another language. */
  clear() {
    this.#list.replaceChildren();
    this.#rows.clear();
  }

  /** @param {{key, name, state, offset, size, rate, reason, retryAtMs}[]} uploads */
  show(uploads, nowMs) {
    const kept = new Set(uploads.map(({ key }) => key));
    for (const [key, { item }] of this.#rows) {
      if (kept.has(key)) continue;
      item.remove();
      this.#rows.delete(key);
    }
    for (const upload of uploads) {
      if (!this.#rows.has(upload.key)) this.#rows.set(upload.key, this.#make(upload));
      const { item, name, words, bar, tools } = this.#rows.get(upload.key);
      item.dataset.state = upload.state;
      put(name, upload.name);
      put(words, uploadWords(upload, nowMs));
      bar.value = upload.size > 0 ? upload.offset / upload.size : 0;
      const actions = ACTIONS[upload.state] ?? ["remove"];
      if (tools.dataset.actions !== actions.join()) {
        tools.dataset.actions = actions.join();
        tools.replaceChildren(...actions.map((does) => button(does, t(`upload.${does}`))));
      }
    }
  }

  #make({ key }) {
    const item = make("li");
    item.dataset.key = key;
    const [name, words, bar, tools] = [make("p", "name"), make("p", "quiet"), make("progress"), make("div", "card-tools")];
    bar.max = 1;
    item.append(name, words, bar, tools);
    this.#list.append(item);
    return { item, name, words, bar, tools };
  }
}
