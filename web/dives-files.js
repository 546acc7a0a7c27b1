// What can be taken home of a dive: its results, file by file or in one zip, the overlay video on request, the original.

import { make } from "./dives-shelf.js";
import { bytes, why, workShare, workWords } from "./dives-words.js";
import { t } from "./text.js";

const OVERLAY = "overlay.mp4";

export class Files {
  #list;
  #draw;
  #told = "";

  /** @param {() => void} draw the overlay video was asked for */
  constructor(list, draw) {
    this.#list = list;
    this.#draw = draw;
  }

  /** Forgets what it says: the next `show` says it in another language. */
  clear() {
    this.#told = "";
  }

  /** @param {{name: string, bytes: number}[]} files of the results; originals: likewise of the recording, in order */
  show(dive, files, originals) {
    const drawing = drawingOf(dive, files);
    const told = JSON.stringify([dive.id, files, originals, drawing]);
    if (told === this.#told) return;
    this.#told = told;
    const base = `api/dives/${dive.id}`;
    const results = files.filter(({ name }) => !name.includes("/"));
    this.#list.replaceChildren(
      ...(results.length > 0 ? [link(`${base}/results.zip`, t("files.all"), "")] : []),
      ...results.map(({ name, bytes: size }) => link(`${base}/files/${encodeURIComponent(name)}`, name, bytes(size))),
      ...(drawing === null ? [] : [this.#drawing(drawing)]),
      ...originals.map(({ name, bytes: size }, part) =>
        link(`${base}/original?part=${part}`, originals.length > 1 ? name : t("files.original"), bytes(size)),
      ),
    );
  }

  #drawing({ words, share, ask }) {
    const item = make("li", "drawing");
    if (words) item.append(make("span", "", words));
    if (share !== null) item.append(Object.assign(make("progress"), { max: 1, value: share }));
    if (!ask) return item;
    const button = make("button", "small", t(words ? "dive.again" : "overlay.make"));
    button.type = "button";
    button.addEventListener("click", () => {
      button.disabled = true;
      this.#draw();
    });
    item.append(button);
    return item;
  }
}

/** How the overlay video stands, {words, share, ask}; null where it is there, or cannot be. */
export function drawingOf({ state, work, overlay_state: stands, overlay_reason: reason, overlay_cause: cause }, files) {
  if (state !== "complete" || files.some(({ name }) => name === OVERLAY)) return null;
  if (stands === "failed") return { words: t("overlay.failed", { reason: why(cause, reason) }), share: null, ask: true };
  if (stands !== "wanted") return { words: "", share: null, ask: true };
  if (work?.step !== "overlay") return { words: t("overlay.waiting"), share: null, ask: false };
  return { words: workWords(work), share: workShare(work), ask: false };
}

function link(href, text, note) {
  const [item, anchor] = [make("li"), make("a", "", text)];
  anchor.href = href;
  anchor.setAttribute("download", "");
  item.append(anchor, make("span", "", note));
  return item;
}
