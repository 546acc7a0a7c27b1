// Puts the look of look.js on the stage: an SVG filter, which the browser applies where it puts the picture on the screen.
//
// The canvas itself keeps the original, so thumbnails and everything that is read from it stay untouched. Inline styles
// are forbidden here; a filter element and a data attribute are not.

import { isNeutral, NEUTRAL } from "./eye.js";
import { glide, lookOf, measure, needsMeasuring } from "./look.js";

const MEASURE_MS = 250;
const SHARE = 0.3; // of a new measurement: a second to follow, too slow to flicker
const [WIDTH, HEIGHT] = [64, 36];

export class Eyepiece {
  #stage;
  #lines;
  #now;
  #settings = NEUTRAL;
  #measured = null;
  #measuredMs = -Infinity;
  #look = null;
  #scratch = null;

  /** stage: gets data-eye "yes" or "no"; lines: the filter's functions of red, green and blue; now: milliseconds */
  constructor(stage, lines, now) {
    this.#stage = stage;
    this.#lines = lines;
    this.#now = now;
  }

  /** What is on the screen now, for a still; null for the original. */
  get look() {
    return this.#look;
  }

  /** @param {CanvasImageSource|null} picture what is on the stage */
  set(settings, picture) {
    if (settings === this.#settings) return;
    this.#settings = settings;
    this.see(picture, true);
  }

  /** A picture was drawn, or null: there is none now. atOnce: it does not follow the one before, so nothing glides. */
  see(picture, atOnce = false) {
    if (picture === null) {
      this.#measured = null;
    } else if (needsMeasuring(this.#settings)) {
      if (!atOnce && this.#measured !== null && this.#now() - this.#measuredMs < MEASURE_MS) return;
      this.#measuredMs = this.#now();
      const measured = measure(this.#thumbnail(picture));
      this.#measured = atOnce || this.#measured === null ? measured : glide(this.#measured, measured, SHARE);
    } else if (!atOnce) {
      return;
    }
    this.#apply();
  }

  #apply() {
    const look = isNeutral(this.#settings) ? null : lookOf(this.#settings, this.#measured);
    this.#look = look;
    this.#stage.dataset.eye = look === null ? "no" : "yes";
    look?.forEach(({ slope, offset }, c) => {
      this.#lines[c].setAttribute("slope", slope.toFixed(4));
      this.#lines[c].setAttribute("intercept", offset.toFixed(4));
    });
  }

  #thumbnail(picture) {
    if (this.#scratch === null) {
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [WIDTH, HEIGHT];
      this.#scratch = canvas.getContext("2d", { willReadFrequently: true });
    }
    this.#scratch.drawImage(picture, 0, 0, WIDTH, HEIGHT);
    return this.#scratch.getImageData(0, 0, WIDTH, HEIGHT).data;
  }
}
