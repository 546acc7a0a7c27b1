// The result track in the browser: which row belongs to which moment of the video.
//
// The bytes are those of dives/track.py: a chunk is about a minute, its columns one after another, read where they lie. A
// chunk is fetched when its minute is looked at, and the next ones while it plays. Pure but for the fetch it is given.

export const NONE = 65535; // no class
const FULL = 65535; // a share of 1
const AHEAD = 2; // chunks fetched before they are needed
const KEPT = 60; // an hour at 30 frames/s: some 10 MB with maps of 8 x 8, 30 MB with 14 x 14
const SAME_S = 0.002; // a browser's clock and ours are the same stamp in other roundings
const HOLD_S = 1.0; // a row stands for no longer than this, or two samples

/** A chunk's bytes as columns. Raises RangeError when there are fewer bytes than rows. */
export function parseChunk(buffer, rows, top, grid) {
  let at = 0;
  const take = (kind, length) => {
    const column = new kind(buffer, at, length);
    at += column.byteLength;
    return column;
  };
  return {
    rows,
    mediaS: take(Float64Array, rows),
    stable: take(Uint16Array, rows),
    stableShare: take(Uint16Array, rows),
    unknown: take(Uint16Array, rows),
    top: take(Uint16Array, rows * top),
    topShare: take(Uint16Array, rows * top),
    cams: take(Uint8Array, rows * grid * grid),
  };
}

/** The last i with values[i] <= limit, -1 when all are above. */
export function lastUpTo(values, limit) {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] <= limit) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

export class Track {
  #index;
  #read;
  #chunks = new Map(); // number -> chunk, or a promise of it; in order of use
  #starts;
  #holdS;

  /**
   * @param {object} index track.json
   * @param {(from: number, bytes: number) => Promise<ArrayBuffer>} read
   * @param {number|null} everyS seconds between samples
   */
  constructor(index, read, everyS = null) {
    this.#index = index;
    this.#read = read;
    this.#starts = index.chunks.map(({ start_s }) => start_s);
    this.#holdS = Math.max(HOLD_S, 2 * (everyS ?? 0));
  }

  get labels() {
    return this.#index.labels;
  }

  get rows() {
    return this.#index.rows;
  }

  /**
   * What belongs on the stage at `mediaS`.
   *
   * @returns the row; null when there is none for that moment; undefined when its chunk is not here yet (`load` it)
   */
  at(mediaS) {
    const number = lastUpTo(this.#starts, mediaS + SAME_S);
    if (number < 0) return null;
    const chunk = this.#chunks.get(number);
    if (chunk === undefined || chunk instanceof Promise) return undefined;
    const row = lastUpTo(chunk.mediaS, mediaS + SAME_S);
    if (row < 0 || mediaS - chunk.mediaS[row] > this.#holdS) return null;
    return this.#row(number, row, chunk);
  }

  /** The media time of the row `by` rows after the one at `mediaS`; null when it is not here. */
  step(mediaS, by) {
    const found = this.at(mediaS);
    if (!found) return null;
    let { chunk: number, row } = found;
    row += by;
    const chunk = this.#chunks.get(number);
    if (row >= 0 && row < chunk.rows) return chunk.mediaS[row];
    const other = this.#chunks.get(number + Math.sign(by));
    if (other === undefined || other instanceof Promise) return null;
    return row < 0 ? other.mediaS[other.rows - 1] : other.mediaS[0];
  }

  /** Fetches the chunk of `mediaS`, then the next ones; resolves when the first is here. Fetches nothing twice. */
  async load(mediaS) {
    const number = Math.max(0, lastUpTo(this.#starts, mediaS + SAME_S));
    if (this.#index.chunks.length === 0) return;
    await this.#fetch(number);
    (async () => {
      for (let next = number + 1; next <= number + AHEAD && next < this.#index.chunks.length; next++) await this.#fetch(next);
    })().catch(() => {}); // asked for again when it is needed
  }

  #fetch(number) {
    const known = this.#chunks.get(number);
    if (known !== undefined) {
      this.#chunks.delete(number);
      this.#chunks.set(number, known); // used last
      return Promise.resolve(known);
    }
    const { offset, bytes, rows } = this.#index.chunks[number];
    const coming = this.#read(offset, bytes).then(
      (buffer) => {
        const chunk = parseChunk(buffer, rows, this.#index.top, this.#index.grid);
        this.#chunks.set(number, chunk);
        for (const old of this.#chunks.keys()) {
          if (this.#chunks.size <= KEPT) break;
          this.#chunks.delete(old);
        }
        return chunk;
      },
      (error) => {
        this.#chunks.delete(number);
        throw error;
      },
    );
    this.#chunks.set(number, coming);
    return coming;
  }

  #row(number, row, chunk) {
    const { top: k, grid } = this.#index;
    const top = [];
    for (let i = row * k; i < (row + 1) * k && chunk.top[i] !== NONE; i++) top.push([chunk.top[i], chunk.topShare[i] / FULL]);
    return {
      chunk: number,
      row,
      mediaS: chunk.mediaS[row],
      stable: chunk.stable[row] === NONE ? null : chunk.stable[row],
      stableShare: chunk.stableShare[row] / FULL,
      unknown: chunk.unknown[row] / FULL,
      top,
      cam: chunk.cams.subarray(row * grid * grid, (row + 1) * grid * grid),
      grid,
    };
  }
}
