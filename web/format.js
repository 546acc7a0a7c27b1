// Values as people read them. Pure; every function takes a number or a text and returns a text.

const NARROW = "\u202f"; // between a number and its unit: never breaks there, and sets tighter than a full space

/** 0.834 -> "83 %". Neither 0 nor 100 is claimed unless it is exactly so. */
export function percent(share) {
  if (share > 0 && share < 0.01) return `<1${NARROW}%`;
  if (share < 1 && share > 0.99) return `>99${NARROW}%`;
  return `${Math.round(share * 100)}${NARROW}%`;
}

/** 12.3 -> "12 s", 125 -> "2 min 5 s", 3700 -> "1 h 1 min". */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole}${NARROW}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}${NARROW}min ${whole % 60}${NARROW}s`;
  return `${Math.floor(whole / 3600)}${NARROW}h ${Math.floor((whole % 3600) / 60)}${NARROW}min`;
}

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
  if (ms < 999.5) return `${Math.round(ms)}${NARROW}ms`;
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)}${NARROW}s`;
  return duration(ms / 1000);
}

/** 21.36 -> "21.4"; from 100 on without decimals. */
export function rate(perSecond) {
  return perSecond < 99.95 ? perSecond.toFixed(1) : String(Math.round(perSecond));
}

/** 1234 -> "1 234", with a space that does not break. */
export function count(n) {
  return String(n).replace(/\B(?=(\d{3})+$)/g, NARROW);
}

/** A class folder's name as words: "Sea_Turtle" -> "Sea Turtle". */
export function labelText(label) {
  return label.replaceAll("_", " ").trim();
}

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
  return PROVIDERS.get(name) ?? { device: name.replace(/ExecutionProvider$/, "") || "unknown", by: "" };
}
