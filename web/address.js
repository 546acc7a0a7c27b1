// The page's own addresses: the chosen source lives in the URL's hash, everything else beside the page.

import { t } from "./text.js";

/** This device's own camera among the sources; no source of the server can be called so. */
export const CAMERA = "~camera";

/** What a source is called on the page. */
export const sourceName = (source) => (source === CAMERA ? t("camera.name") : source);

/** "#reef" -> "reef"; null when the hash names none. */
export function sourceInHash(hash) {
  const text = hash.replace(/^#/, "");
  try {
    return decodeURIComponent(text) || null;
  } catch {
    return text; // a lone % that somebody typed
  }
}

export function hashFor(source) {
  return `#${encodeURIComponent(source)}`;
}

/** The websocket of a source; relative to the page, so that a proxy may serve it under a prefix. */
export function liveUrl(baseUrl, source) {
  return socketUrl(baseUrl, `ws/live/${encodeURIComponent(source)}`);
}

/** The websocket that takes this device's own pictures. */
export function webcamUrl(baseUrl) {
  return socketUrl(baseUrl, "ws/webcam");
}

function socketUrl(baseUrl, path) {
  const url = new URL(path, baseUrl);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.hash = "";
  return url.href;
}
