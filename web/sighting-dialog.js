// One sighting, larger, and what people say of it. Loaded with its words when somebody opens one.
//
//      asked ── right, nothing ──▶ said ── undo ──▶ asked (or said: the word before it)
//        └── wrong ──▶ naming ── keep ──▶ said
//
// Only of a sighting that the server records, and by those who may do more than look, is anything asked.

import { percent } from "./format.js";
import { labelMeant } from "./named.js";
import { recall, remember } from "./preferences.js";
import { labelText, language, learn, t } from "./text.js";
import { saidWords, sightingWords } from "./words.js";

let dialog = null; // its elements, made when the first sighting is opened

/**
 * @param {object} entry of GET /api/sightings
 * @param {boolean} present whether its animal is in view
 * @param {string[]} labels the model's
 * @param {() => void} onSaid something was said, and is kept
 */
export async function showSighting(entry, present, labels, onSaid) {
  const [may] = await Promise.all([entry.recorded ? whoMay() : "", learnWords()]);
  dialog ??= new SightingDialog();
  dialog.show(entry, present, labels, may, onSaid);
}

/** What a refusal means, in words: of an answer's status and its cause. */
export function refusalWords(status, cause) {
  if (status === 0) return t("closed.1006");
  if (status === 403) return t("closed.4403");
  if (status === 404) return t("kept.gone");
  if (status === 409 && cause) return t(`kept.${cause}`);
  return status === 507 ? t("kept.disk") : t("link.refused", { code: String(status) });
}

async function whoMay() {
  const answer = await fetch("api/session");
  return answer.ok ? (await answer.json()).role : "";
}

async function learnWords() {
  if (t("say", {}, "") !== "") return; // already, in this language
  const answer = await fetch(`assets/sighting-${language()}.json`);
  if (!answer.ok) throw new Error(refusalWords(answer.status));
  learn(await answer.json());
}

const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

class SightingDialog {
  #parts;
  #entry = null;
  #labels = [];
  #onSaid = null;

  constructor() {
    const button = (does) => make("button", { type: "button", onclick: () => this.#pressed(does) });
    const verdicts = ["right", "wrong", "nothing", "undo"].map((does) => [does, button(does)]);
    const parts = {
      ...Object.fromEntries(verdicts),
      close: make("button", { className: "icon", textContent: "✕" }),
      title: make("h2", { id: "sighting-title" }),
      words: make("p", { className: "quiet" }),
      still: make("img", { id: "sighting-still" }),
      clip: make("a", { id: "sighting-clip", target: "_blank" }),
      said: make("p", { id: "said", className: "said" }),
      told: make("p", { className: "quiet" }),
      question: make("label", { htmlFor: "truth" }),
      truth: make("input", { id: "truth", maxLength: 200, autocomplete: "off", spellcheck: false, required: true }),
      names: make("datalist", { id: "truths" }),
      hint: make("p", { className: "quiet" }),
      keep: make("button", {}),
      cancel: make("button", { type: "button", onclick: () => this.#render("wrong") }),
      byWords: make("label", { htmlFor: "by" }),
      by: make("input", { id: "by", maxLength: 200, autocomplete: "name", spellcheck: false, value: recall("by") ?? "" }),
    };
    const { right, wrong, nothing, undo, close, title, words, still, clip, told, question, truth, names, hint, keep, cancel } = parts;
    parts.ask = make("div", {}, right, wrong, nothing);
    parts.naming = make("form", { onsubmit: (event) => this.#named(event) }, question, truth, names, keep, cancel, hint);
    parts.who = make("p", { className: "by" }, parts.byWords, parts.by);
    parts.say = make("section", { className: "say" }, parts.said, undo, parts.ask, parts.naming, parts.who, told);
    truth.setAttribute("list", "truths");
    undo.setAttribute("aria-describedby", "said");
    for (const live of [parts.said, told]) live.setAttribute("role", "status"); // said to those who cannot see it
    parts.by.addEventListener("input", () => remember("by", parts.by.value.trim()));
    parts.box = make("dialog", { id: "sighting" }, make("form", { method: "dialog" }, close), title, words, still, clip, parts.say);
    parts.box.setAttribute("aria-labelledby", "sighting-title");
    document.body.append(parts.box);
    this.#parts = parts;
  }

  show(entry, present, labels, may, onSaid) {
    [this.#entry, this.#labels, this.#onSaid] = [entry, labels, onSaid];
    const { box, close, title, words, still, clip, say, who, undo, ask, told } = this.#parts;
    const { label, when, note } = sightingWords(entry, present);
    close.ariaLabel = t("close");
    title.textContent = label;
    const more = [t("sighting.mean", { share: percent(entry.mean_probability) }), t("sighting.frames", { n: entry.frames })];
    words.textContent = [when, note, ...more].join(" · ");
    still.alt = t("sighting.still", { label, frame: String(entry.peak_frame), source: entry.source });
    still.src = entry.overlay ?? entry.still;
    clip.hidden = !entry.clip;
    clip.textContent = t("sighting.clip");
    if (entry.clip) clip.href = entry.clip;
    say.hidden = !entry.recorded;
    say.ariaLabel = t("say");
    this.#translate();
    this.#render();
    const looksOnly = may === "view";
    who.hidden = looksOnly;
    if (looksOnly) undo.hidden = ask.hidden = true;
    told.textContent = looksOnly ? t("say.look") : "";
    if (!box.open) box.showModal(); // it may have been pressed twice
  }

  #translate() {
    const { question, hint, keep, cancel, byWords, names } = this.#parts;
    for (const does of ["right", "wrong", "nothing", "undo"]) this.#parts[does].textContent = t(`say.${does}`);
    question.textContent = t("say.what");
    hint.textContent = t("say.any");
    keep.textContent = t("say.keep");
    cancel.textContent = t("say.cancel");
    byWords.textContent = t("say.by");
    names.replaceChildren(...this.#labels.map((label) => new Option(labelText(label))));
  }

  /** Shows what stands and what can be said now. focus: which of the buttons has it, if one was pressed. */
  #render(focus = "") {
    const { said, undo, ask, naming } = this.#parts;
    const { correction } = this.#entry;
    said.textContent = saidWords(correction);
    said.hidden = undo.hidden = correction === null;
    said.dataset.verdict = correction?.verdict ?? "";
    ask.hidden = correction !== null;
    naming.hidden = true;
    if (focus) this.#parts[focus].focus();
  }

  #pressed(does) {
    if (does !== "wrong") return this.#keep(does, "");
    const { ask, naming, truth } = this.#parts;
    truth.value = "";
    ask.hidden = true;
    naming.hidden = false;
    truth.focus();
  }

  #named(event) {
    event.preventDefault();
    const { truth, told } = this.#parts;
    const label = labelMeant(truth.value.trim(), this.#labels);
    if (label === this.#entry.label) told.textContent = t("say.same");
    else if (label !== "") this.#keep("wrong", label);
  }

  async #keep(verdict, truth) {
    const { told, by } = this.#parts;
    const entry = this.#entry;
    const said = await tell(entry.id, { verdict, truth, by: by.value.trim() });
    if (said.entry) this.#onSaid();
    if (entry !== this.#entry) return; // another one was opened meanwhile
    told.textContent = said.entry ? "" : t("say.not-kept", { reason: said.reason });
    if (!said.entry) return;
    this.#entry = { ...entry, correction: said.entry.correction };
    this.#render(said.entry.correction === null ? "right" : "undo"); // what was pressed is gone
  }
}

/** @returns {Promise<{entry?: object, reason?: string}>} the sighting as it is now, or why nothing was kept */
async function tell(id, word) {
  const headers = { "content-type": "application/json" };
  try {
    const answer = await fetch(`api/sightings/${id}/correction`, { method: "POST", headers, body: JSON.stringify(word) });
    if (answer.status === 401) location.reload(); // to log in
    if (answer.ok) return { entry: await answer.json() };
    const { cause } = await answer.json().catch(() => ({}));
    return { reason: refusalWords(answer.status, cause) };
  } catch {
    return { reason: refusalWords(0) };
  }
}
