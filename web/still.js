// A still: what is on the stage, with a caption below it, as a PNG file. Loaded when somebody wants one.

import { sourceName } from "./address.js";
import { slug } from "./format.js";
import { applyLook } from "./look.js";
import { labelOf } from "./state.js";
import { t } from "./text.js";
import { answerWords, eyeWords } from "./words.js";

const FONT = "system-ui, sans-serif";
const INK = "#e8eef3";
const QUIET_INK = "#a3b3c1";
const PAPER = "#10171e";

/** A still's caption, two lines, and its file name, which is the same in every language. */
export function stillWords(state) {
  const { header } = state.shown;
  const { title, probability, note } = answerWords(state);
  const first = probability ? `${title}, ${probability}` : [title, note].filter(Boolean).join(". ");
  const frame = t("caption.frame", { frame: String(header.frame) });
  const second = [sourceName(header.source), frame, t("unit.s", { n: header.media_s.toFixed(3) }), header.utc];
  if (state.model?.model) second.push(state.model.model);
  if (state.view !== "camera") second.push(t("caption.map", { label: labelOf(state, header.explained) }));
  if (eyeWords(state)) second.push(t("caption.eye", { what: eyeWords(state) }));
  const own = state.model?.labels[header.stable.index] ?? "unknown";
  const name = [slug(header.source), `frame-${String(header.frame).padStart(6, "0")}`, slug(own)].join("_");
  return { lines: [first, second.filter(Boolean).join("  ·  ")], fileName: `${name}.png` };
}

/**
 * @param {HTMLCanvasElement[][]} panes per pane its layers in drawing order; every first layer has the same size
 * @param {[string, string]} lines the caption
 * @param {{slope, offset}[]|null} look what the first layer of every pane is seen through (look.js); null for itself
 * @returns {Promise<Blob>} a PNG
 */
export async function composeStill(panes, lines, look = null) {
  const { width, height } = panes[0][0];
  const canvas = document.createElement("canvas");
  const size = Math.max(12, Math.round((width * panes.length) / 64));
  const pad = Math.round(size * 0.9);
  canvas.width = width * panes.length;
  canvas.height = height + 2 * pad + Math.round(size * 2.6);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.fillStyle = PAPER;
  context.fillRect(0, 0, canvas.width, canvas.height);
  panes.forEach((layers, pane) => {
    layers.forEach((layer, depth) => {
      context.drawImage(layer, pane * width, 0, width, height);
      if (depth > 0 || look === null) return;
      const picture = context.getImageData(pane * width, 0, width, height);
      applyLook(picture.data, look);
      context.putImageData(picture, pane * width, 0);
    });
  });
  const styles = [
    [INK, 600, size],
    [QUIET_INK, 400, Math.round(size * 0.8)],
  ];
  styles.forEach(([ink, weight, wanted], line) => {
    context.fillStyle = ink;
    context.font = `${weight} ${wanted}px ${FONT}`;
    const room = canvas.width - 2 * pad;
    const wide = context.measureText(lines[line]).width;
    // A long caption gets smaller letters rather than being cut off: it is what makes the still worth keeping.
    if (wide > room) context.font = `${weight} ${(wanted * room) / wide}px ${FONT}`;
    context.fillText(lines[line], pad, height + pad + size * (0.9 + 1.5 * line));
  });
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("the browser made no PNG"))), "image/png");
  });
}

/** Hands a file to the viewer's downloads. */
export function download(blob, fileName) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = fileName;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000); // the download has read it long before
}
