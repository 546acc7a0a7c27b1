// The timeline: the dive from left to right, every sighting a stretch in the colour of what is there.

import { truthOf } from "./dives-found.js";
import { mediaTime } from "./format.js";

const LEAST_PX = 3; // a sighting of one frame in an hour must still be seen

export class Line {
  #line;
  #canvas;
  #head;
  #tip;
  #sightings = [];
  #hues = new Map(); // label -> its colour
  #lengthS = 0;
  #seek;
  #words;

  /** @param {{seek: (mediaS: number) => void, words: (sighting: object|null, at: string) => string}} handlers */
  constructor({ line, canvas, head, tip }, { seek, words }) {
    this.#line = line;
    this.#canvas = canvas;
    this.#head = head;
    this.#tip = tip;
    this.#seek = seek;
    this.#words = words;
    new ResizeObserver(() => this.draw()).observe(line);
    line.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || this.#lengthS === 0) return;
      line.setPointerCapture(event.pointerId);
      this.#seek(this.#timeAt(event));
    });
    line.addEventListener("pointermove", (event) => {
      this.#hover(event);
      if (line.hasPointerCapture(event.pointerId)) this.#seek(this.#timeAt(event));
    });
    line.addEventListener("pointerleave", () => {
      tip.hidden = true;
    });
  }

  show(sightings, lengthS, hues) {
    [this.#sightings, this.#hues] = [sightings, hues];
    this.#lengthS = lengthS;
    this.#line.setAttribute("aria-valuemax", lengthS.toFixed(1));
    this.draw();
  }

  place(mediaS) {
    if (this.#lengthS === 0) return;
    const share = Math.min(1, Math.max(0, mediaS / this.#lengthS));
    this.#head.style.transform = `translateX(${share * this.#line.clientWidth}px)`;
    this.#line.setAttribute("aria-valuenow", mediaS.toFixed(1));
    this.#line.setAttribute("aria-valuetext", mediaTime(mediaS));
  }

  draw() {
    const { clientWidth, clientHeight } = this.#line;
    const scale = devicePixelRatio || 1;
    const [width, height] = [Math.round(clientWidth * scale), Math.round(clientHeight * scale)];
    if (width === 0) return;
    [this.#canvas.width, this.#canvas.height] = [width, height];
    if (this.#lengthS === 0) return;
    const context = this.#canvas.getContext("2d");
    const light = document.documentElement.dataset.theme === "light";
    for (const one of this.#sightings) {
      const truth = truthOf(one);
      const left = (one.start_s / this.#lengthS) * width;
      const right = Math.max(left + LEAST_PX * scale, (one.end_s / this.#lengthS) * width);
      // The surer, the taller: a glance finds what is worth a look.
      const tall = height * (0.35 + 0.65 * one.peak_probability);
      context.globalAlpha = truth === null ? 0.25 : 1;
      context.fillStyle = truth === null ? "gray" : `hsl(${this.#hues.get(truth)} 62% ${light ? 42 : 62}%)`;
      context.fillRect(left, height - tall, right - left, tall);
    }
  }

  #timeAt(event) {
    const { left, width } = this.#line.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - left) / width)) * this.#lengthS;
  }

  #hover(event) {
    if (this.#lengthS === 0 || event.pointerType === "touch") return;
    const mediaS = this.#timeAt(event);
    const reach = (LEAST_PX / this.#line.clientWidth) * this.#lengthS;
    const found = this.#sightings.findLast((one) => one.start_s <= mediaS && mediaS <= one.end_s + reach) ?? null;
    this.#tip.hidden = false;
    this.#tip.textContent = this.#words(found, mediaTime(mediaS));
    const { left, width } = this.#line.getBoundingClientRect();
    const half = this.#tip.offsetWidth / 2;
    const middle = Math.min(width - half, Math.max(half, event.clientX - left));
    this.#tip.style.left = `${middle}px`;
  }
}
