// The sightings of a dive as a list: which ones, which of those are in sight, and in which colours. Pure.

/** What is there, by the last word on it: a label, or null for nothing. */
export function truthOf({ label, correction }) {
  if (correction === null) return label;
  if (correction.verdict === "nothing") return null;
  return correction.verdict === "wrong" ? correction.label : label;
}

/** @param {{species: string, least: number, review: ""|"open"|"done"}} wanted species: by the last word, "" for all; least: a share */
export function filtered(sightings, { species, least, review }) {
  return sightings.filter(
    (one) =>
      (species === "" || truthOf(one) === species) &&
      one.peak_probability >= least &&
      (review === "" || (review === "done") === (one.correction !== null)),
  );
}

/** [label, number] of what the model said or people say, most first: every name that is on the page. */
export function speciesOf(sightings) {
  const counts = new Map();
  for (const one of sightings) {
    for (const label of new Set([one.label, truthOf(one)])) {
      if (label !== null) counts.set(label, (counts.get(label) ?? 0) + 1);
    }
  }
  return [...counts].sort(([a, n], [b, m]) => m - n || a.localeCompare(b));
}

/** The first and the one after the last row that a window of a list shows, and some beyond, so that scrolling finds them. */
export function windowOf(scrollTop, height, rowHeight, count, beyond = 6) {
  const first = Math.max(0, Math.floor(scrollTop / rowHeight) - beyond);
  return [first, Math.min(count, Math.ceil((scrollTop + height) / rowHeight) + beyond)];
}

/** The place in `sightings`, in order of their start, of the last that began by `mediaS`; -1 when all are later. */
export function placeAt(sightings, mediaS) {
  let [low, high] = [0, sightings.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sightings[middle].start_s <= mediaS + 0.002) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

const GOLDEN = 137.508; // degrees: steps of it come nowhere near each other for long
const TRIES = 36;

/**
 * Label -> hue for labels that are seen side by side. A label has its own on every page, from a hash; where that is too
 * near one that is given already, the label moves on. `given` keeps what it has.
 */
export function dealHues(labels, given = new Map()) {
  const dealt = new Map(given);
  const apart = Math.min(75, 240 / Math.max(1, labels.length));
  const free = (hue) => Math.min(360, ...[...dealt.values()].map((other) => 180 - Math.abs(180 - Math.abs(hue - other))));
  for (const label of labels) {
    if (dealt.has(label)) continue;
    const own = hueOf(label);
    const tried = Array.from({ length: TRIES }, (_, k) => (own + k * GOLDEN) % 360);
    const hue = tried.find((one) => free(one) >= apart) ?? tried.reduce((best, one) => (free(one) > free(best) ? one : best));
    dealt.set(label, hue);
  }
  return dealt;
}

function hueOf(label) {
  let hash = 2166136261;
  for (const letter of label) hash = Math.imul(hash ^ letter.codePointAt(0), 16777619);
  return (((hash >>> 0) * 0.618033988749895) % 1) * 360;
}
