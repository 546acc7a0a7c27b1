// Files that become one dive, and its dive log: who waits for whom, and what the server is told at the end. Pure.

const LOGS = /\.(xml|ssrf|uddf|csv)$/i;

export const isLog = ({ name }) => LOGS.test(name);

/** Whether files look like the chapters of one recording: as a GoPro names them, GX010123, GX020123 … */
export function lookLikeOne(files) {
  const recordings = files.map(({ name }) => /^G[A-Z]\d\d(\d{4})\.|^GOPR(\d{4})\./i.exec(name)?.slice(1).find(Boolean));
  return files.length > 1 && recordings.every((one) => one !== undefined && one === recordings[0]);
}

export class Gathering {
  recordings = []; // each a Sending
  log = null; // likewise
  #startUtc;
  #offsetS;

  constructor({ startUtc = null, offsetS = null } = {}) {
    this.#startUtc = startUtc;
    this.#offsetS = offsetS;
  }

  /** What the dive of `sending` takes along; null while it, or another, must wait. */
  belongs(sending) {
    const others = this.#live().filter((one) => one !== sending);
    if (sending === this.log || others.some(({ state }) => state !== "here")) return null;
    const more = others.filter((one) => one !== this.log).map(({ id }) => id);
    const log = others.includes(this.log) ? { divelog: this.log.id, divelog_offset_s: this.#offsetS } : {};
    return { ...(more.length > 0 ? { more } : {}), ...log, ...(this.#startUtc ? { start_utc: this.#startUtc } : {}) };
  }

  /** Whoever makes the dive, once every file is here; null before. */
  next() {
    const live = this.#live();
    const first = live.find((one) => one !== this.log) ?? null;
    return live.every(({ state }) => state === "here") ? first : null;
  }

  /** A file of it became a dive, and took the others along. */
  settle() {
    const all = this.#live();
    if (all.some(({ state }) => state === "done")) for (const one of all) if (one.state === "here") one.taken();
  }

  /** A log that no recording is left for. */
  get orphan() {
    return this.log !== null && this.log.state !== "cancelled" && this.#live().length === 1 ? this.log : null;
  }

  #live() {
    return [...this.recordings, this.log].filter((one) => one !== null && one.state !== "cancelled");
  }
}
