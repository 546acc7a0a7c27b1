// Draw the newest picture only: decoding and animation frames take their time, and what was overtaken is freed.
//
//      push ──▶ waiting ──decode──▶ ready ──animation frame──▶ drawn
//
// `waiting` and `ready` hold one each; a newer one replaces an older. A hidden tab gets no animation frames, so it
// draws nothing and acknowledges nothing, and the server stops sending. So does a pause.

/**
 * World: decode(message) -> Promise of a bitmap with close(), or of null for a message without a picture;
 * nextFrame(callback) -> id; cancelFrame(id); draw(message, bitmap|null), after which the bitmap is closed here;
 * unreadable(message, error).
 */
export class NewestFrame {
  #world;
  #waiting = null;
  #decoding = false;
  #ready = null;
  #frameId = null;
  #paused = false;
  #generation = 0; // a decode that began before clear() must not end up on the stage

  constructor(world) {
    this.#world = world;
  }

  push(message) {
    this.#waiting = message;
    this.#decode();
  }

  pause() {
    this.#paused = true;
    if (this.#frameId !== null) this.#world.cancelFrame(this.#frameId);
    this.#frameId = null;
  }

  resume() {
    this.#paused = false;
    this.#request();
    this.#decode();
  }

  /** Forgets everything that has not been drawn: another source was chosen. */
  clear() {
    this.#generation++;
    this.#waiting = null;
    this.#replaceReady(null);
  }

  async #decode() {
    if (this.#paused || this.#decoding || this.#waiting === null) return;
    const [message, generation] = [this.#waiting, this.#generation];
    this.#waiting = null;
    this.#decoding = true;
    let bitmap = null;
    let failure = null;
    try {
      bitmap = await this.#world.decode(message);
    } catch (error) {
      failure = error;
    }
    this.#decoding = false;
    if (generation !== this.#generation) {
      bitmap?.close();
    } else if (failure !== null) {
      this.#world.unreadable(message, failure);
    } else {
      this.#replaceReady({ message, bitmap });
      this.#request();
    }
    this.#decode();
  }

  #replaceReady(next) {
    this.#ready?.bitmap?.close();
    this.#ready = next;
  }

  #request() {
    if (this.#paused || this.#ready === null || this.#frameId !== null) return;
    this.#frameId = this.#world.nextFrame(() => {
      this.#frameId = null;
      if (this.#ready === null) return;
      const { message, bitmap } = this.#ready;
      this.#ready = null;
      try {
        this.#world.draw(message, bitmap);
      } finally {
        bitmap?.close();
      }
    });
  }
}
