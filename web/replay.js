// Stepping through what was received, while the page is paused.
//
//      live ── hold() ──▶ held ── step(), seek() ──▶ held ── release() ──▶ live
//
// Whoever holds an arrow key down asks for more pictures than can be decoded: the newest wish wins, as it does for live
// pictures. In `held` new messages are still kept; they do not move the place.

import { History } from "./history.js";
import { NewestFrame } from "./newest.js";

export class Replay {
  #history;
  #frames;
  #drawn = null; // the live message that was drawn last
  #held = null; // the message that is shown or asked for; null when live

  /** World: as for NewestFrame; draw(message, bitmap) of a message stepped to. */
  constructor(world, history = new History()) {
    this.#history = history;
    this.#frames = new NewestFrame(world);
  }

  /** {at, count}: which of the kept messages is shown or asked for, from 0 for the oldest; null when live. */
  get place() {
    return this.#held === null ? null : { at: this.#history.placeOf(this.#held), count: this.#history.length };
  }

  /** A message came; kept. */
  add(message) {
    this.#history.add(message);
  }

  /** A live message is on the stage. */
  drawn(message) {
    this.#drawn = message;
  }

  hold() {
    this.#held = this.#drawn;
  }

  step(by) {
    if (this.#held !== null) this.seek(this.#history.placeOf(this.#held) + by);
  }

  seek(at) {
    if (this.#held === null) return;
    const message = this.#history.at(at);
    if (message === null || message === this.#held) return;
    this.#held = message;
    this.#frames.push(message);
  }

  /** Back to live: shows the newest there is until a newer one comes. */
  release() {
    if (this.#held === null) return;
    const newest = this.#history.at(Infinity);
    const away = newest !== null && newest !== this.#held;
    this.#held = null;
    this.#frames.clear();
    if (away) this.#frames.push(newest);
  }

  /** Another source, or another model's words: nothing of before is kept. */
  clear() {
    this.#held = this.#drawn = null;
    this.#frames.clear();
    this.#history.clear();
  }
}
