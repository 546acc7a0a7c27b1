// Sends one file so that nothing that was acknowledged is ever sent again: in slices, each from where the server says it
// stands. The network may go, the server may be killed and come back: it goes on by itself.
//
// States: waiting -> sending <-> retrying -> done; paused, failed and cancelled from any of them. A file that makes a dive
// with others is "here" when all of it is on the server, until it is started once more or another took it along.

import { refusal } from "./dives-words.js";

export const SLICE_BYTES = 8 * 1024 * 1024; // some seconds on a slow line: what a loss costs at most
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 15_000;
const RATE_MS = 8_000; // the rate is that of the last seconds

/** The world of a page. */
export const BROWSER = {
  fetch: (path, options) => fetch(path, options),
  now: () => performance.now(),
  setTimer: (callback, ms) => setTimeout(callback, ms),
  clearTimer: (id) => clearTimeout(id),
};

/** Whether an unfinished upload on the server is of this file. */
export const isSame = (file, upload) =>
  upload.size === file.size && upload.modified_ms === file.lastModified && upload.name === file.name.slice(0, 255);

export class Sending {
  #file;
  #everyS;
  #belongs;
  #world;
  #changed;
  #abort = null;
  #timer = 0;
  #acknowledged = []; // [ms, bytes] lately
  #run = 0;

  /**
   * @param {File} file
   * @param {{everyS: number|null, upload: object|null, belongs: (sending: Sending) => object|null}} how upload: an
   *   unfinished one of this file; belongs: what to say at the end, null while others are not here
   * @param {{fetch, now, setTimer, clearTimer}} world
   * @param {(sending: Sending) => void} changed
   */
  constructor(file, { everyS, upload = null, belongs = () => ({}) }, world, changed) {
    this.#belongs = belongs;
    this.#file = file;
    this.#everyS = everyS;
    this.#world = world;
    this.#changed = changed;
    this.id = upload?.id ?? null;
    this.name = file.name;
    this.size = file.size;
    this.offset = upload?.offset ?? 0;
    this.state = "waiting";
    this.reason = "";
    this.dive = null;
    this.retryAtMs = 0;
    this.pauseMs = FIRST_PAUSE_MS;
  }

  /** Bytes per second, null while nobody knows. */
  get rate() {
    if (this.#acknowledged.length < 2) return null;
    const [first, last] = [this.#acknowledged[0], this.#acknowledged.at(-1)];
    return last[0] > first[0] ? ((last[1] - first[1]) * 1000) / (last[0] - first[0]) : null;
  }

  /** Sends until the end, a pause or a failure that waiting does not mend; resolves then. */
  async start() {
    const run = ++this.#run;
    this.#to("sending");
    while (run === this.#run) {
      try {
        if (await this.#advance()) return;
        this.pauseMs = FIRST_PAUSE_MS;
      } catch (error) {
        if (run !== this.#run) return;
        if (error instanceof Refused) {
          this.#to("failed", error.message);
          return;
        }
        await this.#rest(error instanceof Busy ? "busy" : "");
      }
    }
  }

  pause() {
    this.#stop();
    this.#to("paused");
  }

  /** Gives it up, here and on the server. */
  async cancel() {
    this.#stop();
    this.#to("cancelled");
    if (this.id !== null) await this.#world.fetch(`api/uploads/${this.id}`, { method: "DELETE" }).catch(() => {});
  }

  /** Another file of the same dive took it along. */
  taken() {
    this.#to("done");
  }

  /** The network is back: no need to wait any longer. */
  hurry() {
    this.#world.clearTimer(this.#timer);
    this.#wake?.();
  }

  #wake = null;

  /** One step; true at the end. Raises Refused for what trying again does not mend. */
  async #advance() {
    if (this.id === null) await this.#begin();
    if (this.offset >= this.size) {
      const belongs = this.#belongs(this);
      if (belongs === null) {
        this.#to("here");
        return true;
      }
      const headers = { "content-type": "application/json" };
      const answer = await this.#ask(`api/uploads/${this.id}/finish`, { method: "POST", headers, body: JSON.stringify(belongs) });
      this.dive = await answer.json();
      this.#to("done");
      return true;
    }
    const slice = this.#file.slice(this.offset, this.offset + SLICE_BYTES);
    const answer = await this.#ask(`api/uploads/${this.id}`, {
      method: "PATCH",
      headers: { "upload-offset": String(this.offset), "content-type": "application/octet-stream" },
      body: slice,
    });
    this.#stands(Number(answer.headers.get("upload-offset")));
    return false;
  }

  async #begin() {
    const wanted = { name: this.name, size: this.size, modified_ms: this.#file.lastModified, every_s: this.#everyS };
    const answer = await this.#ask("api/uploads", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(wanted),
    });
    this.id = (await answer.json()).id;
    this.#changed(this);
  }

  async #ask(path, options) {
    this.#abort = new AbortController();
    const answer = await this.#world.fetch(path, { ...options, signal: this.#abort.signal });
    if (answer.ok) return answer;
    const detail = (await answer.json().catch(() => ({}))).detail;
    const words = refusal(answer.status, detail);
    if (answer.status === 423) throw new Busy(words);
    // Something of ours got further than we heard: ask where it stands.
    if (answer.status === 409 || answer.status >= 500 !== (answer.status === 507)) throw new Error(words);
    throw new Refused(words);
  }

  /** reason: "busy" while another page sends this file; "" while there is no connection. */
  async #rest(reason) {
    this.retryAtMs = this.#world.now() + this.pauseMs;
    this.#to("retrying", reason);
    await new Promise((wake) => {
      this.#wake = wake;
      this.#timer = this.#world.setTimer(wake, this.pauseMs);
    });
    this.pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * this.pauseMs);
    if (this.state !== "retrying") return;
    if (this.id !== null) {
      try {
        const answer = await this.#world.fetch(`api/uploads/${this.id}`);
        if (answer.ok) this.#stands((await answer.json()).offset);
        else if (answer.status === 404) await this.#isDive();
      } catch {
        return; // still no network
      }
    }
    if (this.state === "retrying") this.#to("sending");
  }

  /** An upload that is gone may have become a dive while the answer was lost; `finish` says so. */
  async #isDive() {
    this.offset = this.size;
  }

  #stands(offset) {
    this.offset = offset;
    const now = this.#world.now();
    this.#acknowledged.push([now, offset]);
    while (now - this.#acknowledged[0][0] > RATE_MS && this.#acknowledged.length > 2) this.#acknowledged.shift();
    this.#changed(this);
  }

  #stop() {
    this.#run++;
    this.#abort?.abort();
    this.hurry();
  }

  #to(state, reason = "") {
    if (this.state === "cancelled") return;
    this.state = state;
    this.reason = reason;
    if (state !== "sending") this.#acknowledged = [];
    this.#changed(this);
  }
}

class Refused extends Error {}
class Busy extends Error {}
