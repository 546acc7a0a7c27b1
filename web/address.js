// The page's own addresses: the chosen source lives in the URL's hash, everything else beside the page.

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
  const url = new URL(`ws/live/${encodeURIComponent(source)}`, baseUrl);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.hash = "";
  return url.href;
}
