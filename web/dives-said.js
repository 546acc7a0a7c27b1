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
  const seen = missed.map(({ label, by: who, ...when }) => ({
    ...when,
    label,
    number: `${label} ${when.file} ${when.peak_frame}`,
    peak_probability: 1,
    still: "",
    correction: { verdict: "missed", label, by: who },
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

  /** does: "right", "wrong", "nothing" or "undo" */
  async of(sighting, does) {
    if (does !== "wrong") return this.#correct(sighting, does, "");
    return askName({
      title: t("wrong.title"),
      was: t("wrong.was", { label: labelText(sighting.label) }),
      hint: t("wrong.hint"),
      yes: t("wrong.yes"),
      value: "",
      list: true,
      take: async (truth) => {
        const label = labelMeant(truth, this.#dive.labels);
        if (label === sighting.label) throw new Error(t("wrong.same"));
        await this.#correct(sighting, "wrong", label);
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
      take: async (words) => {
        const label = labelMeant(words, this.#dive.labels);
        await tell(`api/dives/${id}/missed`, "POST", { label, media_s: mediaS, by: by() });
        await this.#dive.hear();
      },
    });
  }

  async #correct(sighting, verdict, truth) {
    if (sighting.correction?.verdict === "missed") return this.#takeBack(sighting);
    const { id } = this.#dive;
    const { number, peak_frame: frame, label } = sighting;
    try {
      const words = { number, peak_frame: frame, label, verdict, truth, by: by() };
      const now = await tell(`api/dives/${id}/corrections`, "POST", words);
      if (id === this.#dive.id) this.#dive.said(now);
    } catch (error) {
      if (verdict === "wrong") throw error;
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
