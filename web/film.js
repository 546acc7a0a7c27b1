// The local video and what is taken from it: the rim between webcam.js and the browser's elements.

const QUALITY = 0.8; // of the JPEGs: what the model sees does not change above it

/** [width, height] with the longer side at most `side`, never enlarged. */
export function scaled([width, height], side) {
  const scale = Math.min(1, side / Math.max(width, height));
  return [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
}

export class Film {
  #video;
  #canvas = document.createElement("canvas");
  #seenS = -1; // the video's time at the last callback, where the browser does not say when a picture is new

  /** @param {HTMLVideoElement} video */
  constructor(video) {
    this.#video = video;
  }

  /** Plays a stream; null for none. */
  show(stream) {
    this.#video.srcObject = stream;
    this.#seenS = -1;
    // Some browsers pause a video whose stream changes; a refusal to play comes back as no pictures, which is said.
    if (stream !== null) this.#video.play().catch(() => {});
  }

  /** Calls back once, when the video shows a picture it has not shown before; returns how to cancel that. */
  nextFrame(callback) {
    const video = this.#video;
    if (video.requestVideoFrameCallback) {
      const id = video.requestVideoFrameCallback(callback);
      return () => video.cancelVideoFrameCallback(id);
    }
    let id = 0;
    const look = () => {
      if (video.readyState >= 2 && video.currentTime !== this.#seenS) {
        this.#seenS = video.currentTime;
        callback();
      } else {
        id = requestAnimationFrame(look);
      }
    };
    id = requestAnimationFrame(look);
    return () => cancelAnimationFrame(id);
  }

  /** The picture that is shown now as {jpeg: Uint8Array, size: [height, width]}; null when there is none yet. */
  async grab(side) {
    const { videoWidth, videoHeight } = this.#video;
    if (videoWidth === 0 || videoHeight === 0) return null;
    const [width, height] = scaled([videoWidth, videoHeight], side);
    const canvas = this.#canvas;
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high"; // the model's own scaling goes on from here
    context.drawImage(this.#video, 0, 0, width, height);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
    if (blob === null) throw new Error("the browser made no JPEG");
    return { jpeg: new Uint8Array(await blob.arrayBuffer()), size: [height, width] };
  }
}
