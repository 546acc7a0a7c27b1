// The video with what belongs over it: for every picture that the browser shows, the row of its own time stamp.
//
// requestVideoFrameCallback tells which picture is on the screen; where a browser has none, the clock of the video does.

import { colourTable, COLOURS } from "./colourmap.js";
import { heatPixels } from "./heatmap.js";
import { fit } from "./layout.js";

export class Player {
  #video;
  #heat;
  #room;
  #pane;
  #track = null;
  #offsetS = 0;
  #ratio = [16, 9];
  #opacity = 0.6;
  #colours = COLOURS[0];
  #on = true;
  #shown = null; // the row on the stage
  #drawn = ""; // what the canvas holds
  #mediaS = 0;
  #rateS = 1 / 30;
  #tell;
  #loading = null;

  /** @param {(shown: {mediaS: number, row: object|null|undefined}) => void} tell called for every picture shown */
  constructor({ video, heat, room, pane }, tell) {
    this.#video = video;
    this.#heat = heat;
    this.#room = room;
    this.#pane = pane;
    this.#tell = tell;
    new ResizeObserver(() => this.#layOut()).observe(room);
    video.addEventListener("resize", () => this.#layOut());
    // Its rows come while the picture is decoded, whoever asked for another time: the page, a media key, the system.
    video.addEventListener("seeking", () => this.#track?.load(video.currentTime - this.#offsetS).catch(() => {}));
    if ("requestVideoFrameCallback" in HTMLVideoElement.prototype) {
      const each = (_, { mediaTime }) => {
        this.#see(mediaTime);
        video.requestVideoFrameCallback(each);
      };
      video.requestVideoFrameCallback(each);
    } else {
      const each = () => {
        if (video.readyState >= 2) this.#see(video.currentTime);
        requestAnimationFrame(each);
      };
      requestAnimationFrame(each);
    }
  }

  /** Another dive. track: null while there is none; source: null while browsers cannot play it. */
  open({ source, size, offsetS, rate }) {
    this.close();
    this.#offsetS = offsetS;
    this.#rateS = 1 / (rate > 0 ? Math.min(rate, 240) : 30);
    this.#ratio = size;
    this.#layOut();
    if (source !== null) this.#video.src = source;
  }

  set track(track) {
    this.#track = track;
    this.#see(this.#mediaS + this.#offsetS);
  }

  close() {
    this.#track = null;
    this.#shown = null;
    this.#mediaS = 0;
    this.#clear();
    if (this.#video.hasAttribute("src")) {
      this.#video.pause();
      this.#video.removeAttribute("src");
      this.#video.load(); // lets go of the connection
    }
  }

  get mediaS() {
    return this.#mediaS;
  }

  get lengthS() {
    return Number.isFinite(this.#video.duration) ? Math.max(0, this.#video.duration - this.#offsetS) : 0;
  }

  /** The row on the stage, or null. */
  get row() {
    return this.#shown;
  }

  show(on, opacity, colours) {
    this.#on = on;
    this.#opacity = opacity;
    this.#colours = colours;
    this.#drawn = "";
    this.#drawHeat();
  }

  toggle() {
    if (!this.#video.hasAttribute("src")) return;
    if (this.#video.paused) this.#video.play().catch(() => {});
    else this.#video.pause();
  }

  pause() {
    this.#video.pause();
  }

  /** To a media time; a hair into its picture, since browsers round down. */
  seek(mediaS) {
    if (!this.#video.hasAttribute("src")) return;
    this.#video.currentTime = Math.max(0, mediaS + this.#offsetS + 0.001);
  }

  jump(seconds) {
    this.seek(Math.max(0, this.#video.currentTime - this.#offsetS + seconds));
  }

  /** One picture on or back. Where every picture was looked at the track knows their times, else the rate must do. */
  step(by) {
    this.#video.pause();
    const next = this.#track?.step(this.#mediaS, by);
    const near = next !== null && next !== undefined && Math.abs(next - this.#mediaS) < 2.5 * this.#rateS;
    this.seek(near ? next : Math.max(0, this.#mediaS + by * this.#rateS));
  }

  #see(mediaTime) {
    const mediaS = mediaTime - this.#offsetS;
    this.#mediaS = mediaS;
    const row = this.#track === null ? null : this.#track.at(mediaS);
    if (row === undefined) this.#load(mediaS);
    else if (this.#track !== null && !this.#video.paused) this.#track.load(mediaS).catch(() => {});
    this.#shown = row ?? null;
    this.#drawHeat();
    this.#tell({ mediaS, row });
  }

  /** Fetches what is missing and draws again when it is there; one that fails is asked for at the next picture. */
  #load(mediaS) {
    const track = this.#track;
    const loading = track.load(mediaS).then(
      () => {
        if (track === this.#track && this.#loading === loading) this.#see(this.#mediaS + this.#offsetS);
      },
      () => {},
    );
    this.#loading = loading;
  }

  #drawHeat() {
    const row = this.#shown;
    this.#heat.hidden = !this.#on;
    if (!this.#on) return;
    if (row === null || row.grid === 0) {
      this.#clear();
      return;
    }
    const key = `${row.chunk} ${row.row} ${this.#opacity}`;
    if (key === this.#drawn) return;
    this.#drawn = key;
    const { pixels, width, height } = heatPixels(row.cam, row.grid, row.grid, this.#opacity, colourTable(this.#colours));
    if (this.#heat.width !== width || this.#heat.height !== height) [this.#heat.width, this.#heat.height] = [width, height];
    this.#heat.getContext("2d").putImageData(new ImageData(pixels, width, height), 0, 0);
  }

  #clear() {
    if (this.#drawn === "empty") return;
    this.#drawn = "empty";
    this.#heat.getContext("2d").clearRect(0, 0, this.#heat.width, this.#heat.height);
  }

  #layOut() {
    const { width, height } = this.#room.getBoundingClientRect();
    const { videoWidth, videoHeight } = this.#video;
    const picture = videoWidth > 0 ? [videoWidth, videoHeight] : this.#ratio;
    const box = fit([width, height], picture, 1);
    this.#pane.style.setProperty("--pane-width", `${box.width}px`);
    this.#pane.style.setProperty("--pane-height", `${box.height}px`);
  }
}
