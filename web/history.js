// What this page received in the last half minute, kept as it came: header, heat map and the JPEG's bytes.
//
// Encoded pictures are a fiftieth of drawn ones. Where they still are too many bytes, older ones are thinned, further apart
// the older they are, so that the half minute is always reached. Both bounds count from the newest, so a paused page keeps
// its half minute for as long as the pause lasts. Pure: no clock, no DOM.

export const KEPT_MS = 30_000;
export const KEPT_BYTES = 64 * 2 ** 20;

export class History {
  #messages = [];
  #bytes = 0;
  #keptMs;
  #keptBytes;

  constructor(keptMs = KEPT_MS, keptBytes = KEPT_BYTES) {
    this.#keptMs = keptMs;
    this.#keptBytes = keptBytes;
  }

  get length() {
    return this.#messages.length;
  }

  get bytes() {
    return this.#bytes;
  }

  /** Keeps a message {cam, jpeg, receivedMs}; one without a picture is passed over, as there is nothing to go back to. */
  add(message) {
    if (message.jpeg === null) return;
    this.#messages.push(message);
    this.#bytes += sizeOf(message);
    const sinceMs = message.receivedMs - this.#keptMs;
    let gone = 0;
    while (this.#messages[gone].receivedMs < sinceMs) this.#bytes -= sizeOf(this.#messages[gone++]);
    if (gone > 0) this.#messages.splice(0, gone);
    while (this.#bytes > this.#keptBytes && this.#messages.length > 1) {
      const [spare] = this.#messages.splice(this.#leastMissed(), 1);
      this.#bytes -= sizeOf(spare);
    }
  }

  /** The place whose loss leaves the smallest gap for its age; the oldest and the newest stay as long as there are others. */
  #leastMissed() {
    const messages = this.#messages;
    const newestMs = messages.at(-1).receivedMs;
    let [least, smallest] = [0, Infinity];
    for (let i = 1; i < messages.length - 1; i++) {
      const gapMs = messages[i + 1].receivedMs - messages[i - 1].receivedMs;
      const share = gapMs / (newestMs - messages[i].receivedMs);
      if (share < smallest) [least, smallest] = [i, share];
    }
    return least;
  }

  /** The message at a place, 0 for the oldest; places beyond the ends are the ends; null when there is none. */
  at(place) {
    return this.#messages[Math.min(this.#messages.length - 1, Math.max(0, place))] ?? null;
  }

  /** Where a message is now; for one that has been let go the next newer one's place. */
  placeOf(message) {
    const place = this.#messages.indexOf(message);
    return place >= 0 ? place : Math.max(0, this.#messages.findIndex(({ receivedMs }) => receivedMs > message.receivedMs));
  }

  clear() {
    this.#messages = [];
    this.#bytes = 0;
  }
}

// The views share one buffer, the websocket's message; its header is some 300 bytes more.
const sizeOf = ({ jpeg, cam }) => jpeg.byteLength + cam.byteLength;
