// What this page received in the last half minute, kept as it came: header, heat map and the JPEG's bytes.
//
// Encoded pictures are a fiftieth of drawn ones. Both bounds count from the newest, so a paused page keeps what it has for
// as long as the pause lasts. Pure: no clock, no DOM.

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
    let over = this.#bytes - this.#keptBytes;
    while (gone < this.#messages.length - 1 && (over > 0 || this.#messages[gone].receivedMs < sinceMs)) {
      const size = sizeOf(this.#messages[gone++]);
      this.#bytes -= size;
      over -= size;
    }
    if (gone > 0) this.#messages.splice(0, gone);
  }

  /** The message at a place, 0 for the oldest; places beyond the ends are the ends; null when there is none. */
  at(place) {
    return this.#messages[Math.min(this.#messages.length - 1, Math.max(0, place))] ?? null;
  }

  /** Where a message is now; the oldest place for one that has been let go. */
  placeOf(message) {
    return Math.max(0, this.#messages.indexOf(message));
  }

  clear() {
    this.#messages = [];
    this.#bytes = 0;
  }
}

// The views share one buffer, the websocket's message; its header is some 300 bytes more.
const sizeOf = ({ jpeg, cam }) => jpeg.byteLength + cam.byteLength;
