// The stage: one or two pictures as large as fits, the heat map on a canvas above the first.
//
// It draws what it is given and keeps the last frame, so that a change of view or opacity, a still or a thumbnail
// works on a frozen picture as well. Bitmaps are freed by who decoded them (newest.js).

import { colourTable } from "./colourmap.js";
import { heatPixels } from "./heatmap.js";
import { fit } from "./layout.js";

const PANE_GAP = 12;

/** JPEG bytes -> a promise of an ImageBitmap, or of null when there are none. */
export function decodeJpeg({ jpeg }) {
  return jpeg === null ? Promise.resolve(null) : createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
}

/** Draws a picture on all of `canvas`: cropped at the sides, never stretched. */
function cover(canvas, picture) {
  const scale = Math.max(canvas.width / picture.width, canvas.height / picture.height);
  const [w, h] = [canvas.width / scale, canvas.height / scale];
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high"; // eight times smaller: the default leaves jagged edges
  context.drawImage(picture, (picture.width - w) / 2, (picture.height - h) / 2, w, h, 0, 0, canvas.width, canvas.height);
}

export class Stage {
  #room;
  #panes;
  #second;
  #picture;
  #heat;
  #plain;
  #last = null; // {header, cam} of the frame on the stage
  #view = "overlay";
  #opacity = 0;
  #colours = "";

  /** @param {{room, panes, second, picture, heat, plain}} elements room: what the panes must fit into */
  constructor(elements) {
    this.#room = elements.room;
    this.#panes = elements.panes;
    this.#second = elements.second;
    this.#picture = elements.picture;
    this.#heat = elements.heat;
    this.#plain = elements.plain;
    new ResizeObserver(() => this.#layOut()).observe(this.#room);
  }

  /** Draws one frame: picture and heat map in the same turn, so that they always belong together. */
  draw({ header, cam }, bitmap) {
    const changed = this.#last === null || this.#last.header.size.join() !== header.size.join();
    this.#last = { header, cam };
    resize(this.#picture, bitmap?.width ?? header.size[1], bitmap?.height ?? header.size[0]);
    const context = this.#picture.getContext("2d");
    if (bitmap === null) context.clearRect(0, 0, this.#picture.width, this.#picture.height);
    else context.drawImage(bitmap, 0, 0);
    if (changed) this.#layOut();
    this.#drawHeat();
    this.#drawPlain();
  }

  /** Applies a view, an opacity and a colour map to what is on the stage and to what comes. */
  show({ view, opacity, colours }) {
    if (view === this.#view && opacity === this.#opacity && colours === this.#colours) return;
    this.#view = view;
    this.#opacity = opacity;
    this.#colours = colours;
    this.#heat.hidden = view === "camera";
    this.#second.hidden = view !== "both";
    this.#layOut();
    this.#drawHeat();
    this.#drawPlain();
  }

  clear() {
    this.#last = null;
    for (const canvas of [this.#picture, this.#heat, this.#plain]) {
      canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
    }
  }

  /** The picture without its map, covering `canvas`. */
  thumbnail(canvas) {
    cover(canvas, this.#picture);
  }

  /** The canvases a still is made of, one list per pane, in drawing order. */
  layers() {
    const mapped = this.#view === "camera" ? [this.#picture] : [this.#picture, this.#heat];
    return this.#view === "both" ? [mapped, [this.#picture]] : [mapped];
  }

  #drawHeat() {
    if (this.#last === null || this.#view === "camera") return;
    const { cam, header } = this.#last;
    const { pixels, width, height } = heatPixels(cam, ...header.cam, this.#opacity, colourTable(this.#colours));
    resize(this.#heat, width, height);
    this.#heat.getContext("2d").putImageData(new ImageData(pixels, width, height), 0, 0);
  }

  #drawPlain() {
    if (this.#last === null || this.#view !== "both") return;
    resize(this.#plain, this.#picture.width, this.#picture.height);
    const context = this.#plain.getContext("2d");
    context.clearRect(0, 0, this.#plain.width, this.#plain.height);
    context.drawImage(this.#picture, 0, 0);
  }

  #layOut() {
    if (this.#last === null) return;
    const [height, width] = this.#last.header.size;
    const room = this.#room.getBoundingClientRect();
    const box = fit([room.width, room.height], [width, height], this.#view === "both" ? 2 : 1, PANE_GAP);
    this.#panes.classList.toggle("stacked", box.stacked);
    this.#panes.style.setProperty("--pane-width", `${box.width}px`);
    this.#panes.style.setProperty("--pane-height", `${box.height}px`);
    this.#panes.style.setProperty("--pane-gap", `${PANE_GAP}px`);
  }
}

function resize(canvas, width, height) {
  // Setting a canvas's size clears it and drops its buffer, even to the same value.
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}
