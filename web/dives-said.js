// What people say of a dive's sightings: right, wrong, nothing there, missed. Asked for, sent, and taken back.

import { askName } from "./dives-dialogs.js";
import { ask, tell } from "./dives-server.js";
import { mediaTime } from "./format.js";
import { labelMeant } from "./named.js";
import { recall, remember } from "./preferences.js";
import { labelText, t } from "./text.js";

const $ = (id) => document.getElementById(id);
const by = () => $("by").value.trim();

$("by").value = recall("by") ?? "";
$("by").addEventListener("input", () => remember("by", by()));

/** The model's sightings of a dive, and among them what somebody saw and it did not, in order of time. */
export async function askSightings(id) {
  const [found, missed] = await Promise.all([
    ask(`api/dives/${id}/sightings`),
    ask(`api/dives/${id}/missed`).catch((error) => {
      if (error.status !== 409) throw error;
      return []; // what was said cannot be read, which left-over tells
    }),
  ]);
  const seen = missed.map(({ label, by: who, note, ...when }) => ({
    ...when,
    label,
    number: `${label} ${when.file} ${when.peak_frame}`,
    peak_probability: 1,
    still: "",
    correction: { verdict: "missed", label, by: who, note },
  }));
  return [...found, ...seen].sort((a, b) => a.start_s - b.start_s);
}

export class Saying {
  #dive;
  #say;

  /**
   * @param {{id: string, labels: string[], mediaS: number, said: (sighting: object) => void, hear: () => Promise}} dive
   *   the one that is open; said: gets a sighting with what was said of it; hear: asks for all of them again
   * @param {(text: string) => void} say
   */
  constructor(dive, say) {
    this.#dive = dive;
    this.#say = say;
  }

  /** does: "right", "wrong", "nothing", "other" (wrong, on second thoughts), "note" or "undo" */
  async of(sighting, does) {
    if (does === "note") return this.#note(sighting);
    if (does !== "wrong" && does !== "other") return this.#correct(sighting, does, "");
    return askName({
      title: t("wrong.title"),
      was: t("wrong.was", { label: labelText(sighting.label) }),
      hint: t("wrong.hint"),
      yes: t("wrong.yes"),
      value: "",
      list: true,
      note: "",
      take: async (truth, note) => {
        const label = labelMeant(truth, this.#dive.labels);
        if (label === sighting.label) throw new Error(t("wrong.same"));
        await this.#correct(sighting, "wrong", label, note);
      },
    });
  }

  /** There is an animal on the stage, and the model does not say so. */
  missed() {
    const { id, mediaS } = this.#dive;
    askName({
      title: t("wrong.title"),
      was: t("missed.was", { at: mediaTime(mediaS) }),
      hint: t("wrong.hint"),
      yes: t("wrong.yes"),
      value: "",
      list: true,
      note: "",
      take: async (words, note) => {
        const label = labelMeant(words, this.#dive.labels);
        await tell(`api/dives/${id}/missed`, "POST", { label, media_s: mediaS, by: by(), note });
        await this.#dive.hear();
      },
    });
  }

  /** A note beside the word that stands on a sighting; the word is said again with it. */
  #note(sighting) {
    const { verdict, label, note } = sighting.correction;
    return askName({
      title: t("note.title"),
      was: t("note.was", { label: labelText(sighting.label), at: mediaTime(sighting.peak_s) }),
      hint: "",
      yes: t("wrong.yes"),
      value: null,
      list: false,
      note,
      take: async (_, words) => {
        if (verdict !== "missed") return this.#correct(sighting, verdict, verdict === "wrong" ? label : "", words);
        const { start_s: from, end_s: to, peak_s: at } = sighting;
        const seen = { label, media_s: at, start_s: from, end_s: to, by: by(), note: words };
        await tell(`api/dives/${this.#dive.id}/missed`, "POST", seen);
        return this.#dive.hear();
      },
    });
  }

  async #correct(sighting, verdict, truth, note = null) {
    if (sighting.correction?.verdict === "missed") return this.#takeBack(sighting);
    const { id } = this.#dive;
    const { number, peak_frame: frame, label } = sighting;
    try {
      const words = { number, peak_frame: frame, label, verdict, truth, by: by(), note: note ?? "" };
      const now = await tell(`api/dives/${id}/corrections`, "POST", words);
      if (id === this.#dive.id) this.#dive.said(now);
    } catch (error) {
      if (note !== null) throw error; // the question is still open
      this.#say(t("play.not-kept", { reason: error.message }));
    }
  }

  async #takeBack({ label, file, peak_frame: frame }) {
    const which = new URLSearchParams({ label, file, peak_frame: frame, by: by() });
    try {
      await tell(`api/dives/${this.#dive.id}/missed?${which}`, "DELETE");
      await this.#dive.hear();
    } catch (error) {
      this.#say(t("play.not-kept", { reason: error.message }));
    }
  }
}
