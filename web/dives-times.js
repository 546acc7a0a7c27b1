// When a dive was, and which dive log belongs to it: what is known of it, where that is from, and another instead.
//
//      known ── join ──▶ asked ── the server takes it ──▶ closed
//        ▲                  └── the log does not fit: why, and what would ──┐
//        └──────────────────────────────────────────────────────────────────┘
//
// Loaded with its words when somebody opens it.

import { ZONES, localOf, misfitWords, momentWords, offsetWords, spanWords, stretchWords, utcOf, zoneHere, zoneWords } from "./dives-clock.js";
import { ask, tell } from "./dives-server.js";
import { make } from "./dives-shelf.js";
import { BROWSER, Sending } from "./dives-upload.js";
import { language, learn, t } from "./text.js";

let dialog = null; // made when it is first wanted

/**
 * @param {string} id of a dive
 * @param {() => Promise} asked the server takes it
 */
export async function askTimes(id, asked) {
  const [known] = await Promise.all([ask(`api/dives/${id}/times`), learnWords()]);
  dialog ??= new TimesDialog();
  dialog.show(id, known, asked);
}

async function learnWords() {
  if (t("times.title", {}, "") !== "") return; // already, in this language
  learn(await ask(new URL(`times-${language()}.json`, import.meta.url)));
}

const element = (tag, properties = {}, ...children) => {
  const found = Object.assign(document.createElement(tag), properties);
  found.append(...children);
  return found;
};

class TimesDialog {
  #parts;
  #words = []; // [element, key]
  #id = "";
  #known = null;
  #asked = null;
  #sending = null; // the log that was chosen

  constructor() {
    const said = (tag, key, properties = {}) => {
      const found = element(tag, properties);
      this.#words.push([found, key]);
      return found;
    };
    const choice = (name, value, ...more) => {
      const input = element("input", { type: "radio", name, value, id: `${name}-${value}` });
      const text = element("span");
      return { input, text, row: element("label", { className: "switch" }, input, text, ...more) };
    };
    const parts = {
      start: element("input", { type: "datetime-local", step: "1", id: "times-at" }),
      zone: element("select", { id: "times-zone" }),
      offset: element("input", { type: "number", step: "any", id: "times-offset" }),
      offsetText: element("span", { className: "quiet" }),
      file: element("input", { type: "file", accept: ".xml,.ssrf,.uddf,.csv", hidden: true, id: "times-file" }),
      now: element("p", { className: "quiet" }),
      joined: element("p", { className: "quiet" }),
      why: element("p", { className: "times-why", id: "times-why" }),
      fits: element("div", { className: "times-fits" }),
      choose: said("button", "times.choose", { type: "button", id: "times-choose" }),
      leave: said("button", "times.leave", { type: "button" }),
      cancel: said("button", "cancel", { type: "button" }),
      join: said("button", "times.join", { type: "submit", className: "main", id: "times-join" }),
      recording: choice("times-start", "recording"),
      given: choice("times-start", "given"),
      keep: choice("times-log", "keep"),
      upload: choice("times-log", "upload"),
      none: choice("times-log", "none"),
    };
    const { start, zone, offset, offsetText, file, now, joined, why, fits, choose, leave, cancel, join } = parts;
    why.setAttribute("role", "status");
    parts.where = element("div", { className: "times-more" }, start, zone);
    parts.which = element("div", { className: "times-more" }, choose, file);
    parts.far = element("div", { className: "field" }, said("label", "times.offset", { htmlFor: offset.id }), offset, offsetText);
    parts.form = element(
      "form",
      { id: "times-form" },
      said("h2", "times.title", { id: "times-title" }),
      element("fieldset", {}, said("legend", "times.began"), now, parts.recording.row, parts.given.row, parts.where),
      element("fieldset", {}, said("legend", "times.log"), joined, parts.keep.row, parts.upload.row, parts.which, parts.none.row, parts.far),
      why,
      fits,
      said("p", "times.hint", { className: "quiet" }),
      element("div", { className: "choices" }, leave, cancel, join),
    );
    parts.box = element("dialog", { id: "times-dialog" }, parts.form);
    parts.box.setAttribute("aria-labelledby", "times-title");
    this.#parts = parts;
    choose.addEventListener("click", () => file.click());
    file.addEventListener("change", () => file.files[0] && this.#take(file.files[0]));
    cancel.addEventListener("click", () => parts.box.close());
    leave.addEventListener("click", () => this.#leave());
    zone.addEventListener("change", () => this.#show());
    start.addEventListener("input", () => {
      parts.given.input.checked = true;
      this.#show();
    });
    parts.form.addEventListener("change", () => this.#show());
    parts.form.addEventListener("submit", (event) => this.#join(event));
    offset.addEventListener("input", () => this.#show());
    parts.box.addEventListener("close", () => this.#drop());
    document.body.append(parts.box);
  }

  show(id, known, asked) {
    [this.#id, this.#known, this.#asked] = [id, known, asked];
    const parts = this.#parts;
    for (const [found, key] of this.#words) found.textContent = t(key);
    const { given, wanted } = known;
    const holds = wanted ?? given;
    const began = holds.start_utc || known.start_utc || known.recording_utc;
    const zone = zoneHere(began);
    const zones = ZONES.includes(zone) ? ZONES : [...ZONES, zone].sort((a, b) => a - b);
    parts.zone.replaceChildren(...zones.map((minutes) => new Option(zoneWords(minutes), minutes)));
    parts.zone.value = String(zone);
    parts.zone.ariaLabel = t("times.zone");
    parts.start.ariaLabel = t("times.at");
    parts.start.value = localOf(began, zone);
    parts[holds.start_utc ? "given" : "recording"].input.checked = true;
    parts.keep.row.hidden = !holds.divelog;
    parts[holds.divelog ? "keep" : "none"].input.checked = true;
    parts.offset.value = holds.divelog_offset_s ?? "";
    parts.leave.hidden = wanted === null;
    parts.file.value = "";
    this.#show();
    this.#say(known.misfit);
    if (!parts.box.open) parts.box.showModal();
    parts.recording.input.checked ? parts.recording.input.focus() : parts.given.input.focus();
  }

  get #zone() {
    return Number(this.#parts.zone.value);
  }

  get #holds() {
    return this.#known.wanted ?? this.#known.given;
  }

  /** What is known, in the zone that is chosen, and which fields count now. */
  #show() {
    const { start_utc: start, utc_source: source, recording_utc: recording, joined, frames } = this.#known;
    const parts = this.#parts;
    const zone = this.#zone;
    parts.now.textContent = start ? t("times.now", { when: momentWords(start, zone), source: t(`utc.${source}`) }) : t("times.unknown");
    parts.recording.text.textContent = recording ? t("times.recording", { when: momentWords(recording, zone) }) : t("times.recording-silent");
    parts.given.text.textContent = t("times.given");
    parts.joined.textContent =
      joined === null
        ? t("times.no-depth")
        : t("times.joined", { name: joined.name, dive: joined.dive, dives: joined.dives, when: stretchWords(joined.first_utc, joined.last_utc, zone), n: joined.frames, all: frames });
    parts.keep.text.textContent = t("times.keep", { name: this.#holds.divelog });
    parts.upload.text.textContent = this.#sending === null ? t("times.another") : t("times.chosen", { name: this.#sending.name });
    parts.none.text.textContent = t("times.none");
    parts.far.hidden = parts.none.input.checked;
    const offset = parts.offset.valueAsNumber;
    parts.offsetText.textContent = Number.isFinite(offset) ? offsetWords(offset) : "";
  }

  /** Why the log does not fit, and a button for each way in which it would. */
  #say(misfit, detail = "") {
    const { why, fits, offset } = this.#parts;
    why.textContent = misfit ? misfitWords(misfit, this.#zone, detail) : detail;
    fits.replaceChildren(
      ...(misfit?.fits ?? [])
        .filter((fit) => fit.offset_s !== null)
        .map((fit) => {
          const text = t("times.fit", { when: spanWords(fit.first_utc, fit.last_utc), offset: offsetWords(fit.offset_s) });
          const use = make("button", "small", text);
          use.type = "button";
          use.addEventListener("click", () => {
            offset.value = String(fit.offset_s);
            this.#show();
            this.#say(null);
            this.#parts.join.focus();
          });
          return use;
        }),
    );
  }

  /** Another log: it is sent at once, and joined when the rest is said. */
  async #take(file) {
    this.#drop();
    const sending = new Sending(file, { everyS: null, belongs: () => null }, BROWSER, () => {});
    this.#sending = sending;
    this.#parts.upload.input.checked = true;
    this.#parts.offset.value = "";
    this.#show();
    this.#say(null);
    await sending.start();
    if (sending === this.#sending && sending.state === "failed") this.#say(null, t("play.not-kept", { reason: sending.reason }));
  }

  /** Nobody wants the log that was chosen. */
  #drop() {
    if (this.#sending?.state !== "done") this.#sending?.cancel();
    this.#sending = null;
  }

  async #join(event) {
    event.preventDefault();
    const { box, join, given, start, upload, none, offset } = this.#parts;
    const sending = upload.input.checked ? this.#sending : null;
    if (upload.input.checked && sending === null) return this.#say(null, t("times.choose-first"));
    const wanted = { start_utc: given.input.checked ? this.#startUtc() : null, divelog: "keep", divelog_offset_s: null };
    if (given.input.checked && wanted.start_utc === null) return start.focus();
    if (none.input.checked) wanted.divelog = "none";
    else if (Number.isFinite(offset.valueAsNumber)) wanted.divelog_offset_s = offset.valueAsNumber;
    if (sending !== null) Object.assign(wanted, { divelog: "upload", upload: sending.id ?? "" });
    if (!this.#holds.divelog && wanted.divelog === "keep") wanted.divelog = "none";
    if (sending !== null && sending.state !== "here") return this.#say(null, t("times.sending"));
    join.disabled = true;
    try {
      await tell(`api/dives/${this.#id}/times`, "POST", wanted);
      sending?.taken();
      box.close();
      await this.#asked();
    } catch (error) {
      this.#say(error.misfit ?? null, error.message);
    } finally {
      join.disabled = false;
    }
  }

  /** To the millisecond where it was not touched; null for no moment. */
  #startUtc() {
    const [written, known] = [utcOf(this.#parts.start.value, this.#zone), this.#holds.start_utc || this.#known.start_utc];
    return known && written === utcOf(localOf(known, this.#zone), this.#zone) ? known : written;
  }

  async #leave() {
    try {
      await tell(`api/dives/${this.#id}/times`, "DELETE");
      this.#parts.box.close();
      await this.#asked();
    } catch (error) {
      this.#say(null, error.message);
    }
  }
}
