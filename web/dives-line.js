// The timeline: the dive from left to right, every sighting a stretch in the colour of what is there.

import { truthOf } from "./dives-found.js";
import { mediaTime, percent } from "./format.js";
import { labelText, t } from "./text.js";

const STEPS = 20; // from end to end, by PageUp and PageDown
const LEAST_PX = 3; // a sighting of one frame in an hour must still be seen

/** What the timeline shows at a moment, by the last word on it. sighting: null where there is none. */
export function spotWords(sighting, mediaS) {
  const at = mediaTime(mediaS);
  if (sighting === null) return at;
  const truth = truthOf(sighting);
  if (truth === null) return `${at}  ${t("said.nothing", { label: labelText(sighting.label) })}`;
  // The model's probability is of its own label, and no measure of what a person said.
  const share = sighting.correction === null ? `  ${percent(sighting.peak_probability)}` : "";
  return `${at}  ${labelText(truth)}${share}`;
}

/** Where a key of a slider leads from `mediaS`, in seconds; null for any other key. */
export function leap(key, mediaS, lengthS) {
  const step = lengthS / STEPS;
  const to = { Home: 0, End: lengthS, PageUp: mediaS + step, PageDown: mediaS - step }[key];
  return to === undefined ? null : Math.min(lengthS, Math.max(0, to));
}

export class Line {
  #line;
  #canvas;
  #head;
  #tip;
  #sightings = [];
  #hues = new Map(); // label -> its colour
  #lengthS = 0;
  #seek;
  #told = "";

  /** @param {(mediaS: number) => void} seek */
  constructor({ line, canvas, head, tip }, seek) {
    this.#line = line;
    this.#canvas = canvas;
    this.#head = head;
    this.#tip = tip;
    this.#seek = seek;
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
    line.addEventListener("keydown", (event) => {
      const { key, ctrlKey, metaKey, altKey } = event;
      if (ctrlKey || metaKey || altKey || this.#lengthS === 0) return;
      const to = leap(key, Number(line.getAttribute("aria-valuenow")), this.#lengthS);
      if (to === null) return;
      event.preventDefault();
      seek(to);
    });
    line.addEventListener("pointerleave", () => {
      tip.hidden = true;
    });
  }

  show(sightings, lengthS, hues) {
    [this.#sightings, this.#hues] = [sightings, hues];
    this.#told = "";
    this.#lengthS = lengthS;
    this.#line.setAttribute("aria-valuemax", lengthS.toFixed(1));
    this.draw();
  }

  place(mediaS) {
    if (this.#lengthS === 0) return;
    const share = Math.min(1, Math.max(0, mediaS / this.#lengthS));
    this.#head.style.transform = `translateX(${share * this.#line.clientWidth}px)`;
    this.#line.setAttribute("aria-valuenow", mediaS.toFixed(1));
    if (mediaTime(mediaS) === this.#told) return; // a screen reader has a second for it
    this.#told = mediaTime(mediaS);
    this.#line.setAttribute("aria-valuetext", spotWords(this.#at(mediaS, 0), mediaS));
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
      context.fillStyle = truth === null ? "gray" : `hsl(${this.#hues.get(truth)} 62% ${light ? 32 : 62}%)`;
      context.fillRect(left, height - tall, right - left, tall);
    }
  }

  #timeAt(event) {
    const { left, width } = this.#line.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - left) / width)) * this.#lengthS;
  }

  /** The sighting at a moment, or within `reach` seconds before it; null for none. */
  #at(mediaS, reach) {
    return this.#sightings.findLast((one) => one.start_s <= mediaS && mediaS <= one.end_s + reach) ?? null;
  }

  #hover(event) {
    if (this.#lengthS === 0 || event.pointerType === "touch") return;
    const mediaS = this.#timeAt(event);
    const reach = (LEAST_PX / this.#line.clientWidth) * this.#lengthS;
    this.#tip.hidden = false;
    this.#tip.textContent = spotWords(this.#at(mediaS, reach), mediaS);
    const { left, width } = this.#line.getBoundingClientRect();
    const half = this.#tip.offsetWidth / 2;
    const middle = Math.min(width - half, Math.max(half, event.clientX - left));
    this.#tip.style.left = `${middle}px`;
  }
}
