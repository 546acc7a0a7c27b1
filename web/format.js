// Values as people read them, in the page's language. Every function takes a number or a text and returns a text.

import { number, t } from "./text.js";

/** 0.834 -> "83%". Neither 0 nor 100 is claimed unless it is exactly so. */
export function percent(share) {
  const written = (value) => number(value, { style: "percent" });
  if (share > 0 && share < 0.01) return `<${written(0.01)}`;
  if (share < 1 && share > 0.99) return `>${written(0.99)}`;
  return written(share);
}

const unit = (name, n) => t(`unit.${name}`, { n });

/** 12.3 -> "12 s", 125 -> "2 min 5 s", 3700 -> "1 h 1 min". */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const minutes = Math.floor(whole / 60);
  if (whole < 60) return unit("s", whole);
  if (whole < 3600) return `${unit("min", minutes)} ${unit("s", whole % 60)}`;
  return `${unit("h", Math.floor(minutes / 60))} ${unit("min", minutes % 60)}`;
}

/** Seconds to a tenth: 12.43 -> "12.4 s". */
export const tenths = (seconds) => t("unit.s", { n: decimal(seconds) });

/** One decimal, always: 21 -> "21.0". */
export const decimal = (value) => number(value, { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** Media time: 4.1 -> "0:04", 3723 -> "1:02:03". */
export function mediaTime(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** ISO 8601 -> the viewer's own wall clock, "14:03:22". */
export function clockTime(utc, timeZone = undefined) {
  const moment = new Date(utc);
  if (Number.isNaN(moment.getTime())) return utc;
  return moment.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", timeZone });
}

/** A frame's age: 84.2 -> "84 ms", 1240 -> "1.2 s", 75000 -> "1 min 15 s". */
export function age(ms) {
  if (ms < 999.5) return unit("ms", Math.round(ms));
  return ms < 9_950 ? tenths(ms / 1000) : duration(ms / 1000);
}

/** 21.36 -> "21.4"; from 100 on without decimals. */
export const rate = (perSecond) => (perSecond < 99.95 ? decimal(perSecond) : number(Math.round(perSecond)));

/** For a file name: "Sea Turtle" -> "sea-turtle". */
export function slug(text) {
  const ascii = text.normalize("NFKD").replace(/[^\w\s-]/g, "");
  return ascii.trim().toLowerCase().replace(/[\s_-]+/g, "-") || "unnamed";
}

const PROVIDERS = new Map([
  ["CPUExecutionProvider", { device: "CPU", by: "" }],
  ["CUDAExecutionProvider", { device: "GPU", by: "CUDA" }],
  ["TensorrtExecutionProvider", { device: "GPU", by: "TensorRT" }],
]);

/** ONNX Runtime's provider as {device, by}; one that is not known here is shown under its own name. */
export function provider(name) {
  return PROVIDERS.get(name) ?? { device: name.replace(/ExecutionProvider$/, "") || t("unknown"), by: "" };
}
