// Stable labels of this device's own camera become sightings: this animal, from here to there, seen best at this frame.
// Those of all other sources come from the server, which forgets a page's camera when it goes.
//
// The same rule as realtime/sightings.py, with two differences that a page needs: a viewer who pauses or reconnects has
// gaps, which the server's `since_s` bridges; and the list keeps the latest KEPT, for a page may stay open for days.
// Entries have the fields of GET /api/sightings. Pure: a list and a frame in, a list out, newest first.

import { endSighting } from "./state.js";

export const KEPT = 100;
export const MERGE_GAP_S = 2; // an animal that is lost for less than this is the same sighting

/**
 * @param {{entries: object[], total: number}} sightings
 * @param {object} frame {source, frame, media_s, utc, top, stable} as in the wire's header
 * @param {string} label the model's own; not read when stable.index is null
 */
export function stepSightings(sightings, frame, label) {
  const { entries, total } = sightings;
  const [first, ...older] = entries;
  const open = first?.ongoing ? first : null;
  const goesOn = open !== null && continues(open, frame);
  if (frame.stable.index === null) return goesOn || open === null ? sightings : endSighting(sightings);
  if (goesOn) return { entries: [extend(open, frame), ...older], total };
  const entry = begin(frame, label, total + 1);
  return { entries: [entry, ...endSighting(sightings).entries].slice(0, KEPT), total: total + 1 };
}

function continues(open, frame) {
  if (frame.source !== open.source || frame.media_s < open.end_s) return false;
  if (frame.stable.index !== null && frame.stable.index !== open.index) return false;
  const unbroken = frame.stable.index !== null && frame.stable.since_s <= open.end_s;
  return unbroken || frame.media_s - open.end_s <= MERGE_GAP_S;
}

function begin(frame, label, id) {
  const start_s = Math.min(frame.stable.since_s, frame.media_s);
  return {
    id,
    source: frame.source,
    index: frame.stable.index,
    label,
    start_s,
    end_s: frame.media_s,
    start_utc: earlier(frame.utc, frame.media_s - start_s),
    end_utc: frame.utc,
    peak_frame: frame.frame,
    peak_s: frame.media_s,
    peak_probability: probabilityOf(frame),
    ongoing: true,
  };
}

function extend(open, frame) {
  const longer = { ...open, end_s: frame.media_s, end_utc: frame.utc };
  const probability = probabilityOf(frame);
  if (probability <= open.peak_probability) return longer;
  return { ...longer, peak_frame: frame.frame, peak_s: frame.media_s, peak_probability: probability };
}

/** This frame's own probability of the stable label; the smoothed one lags behind the clearest frame. */
function probabilityOf(frame) {
  const own = frame.top.find(([index]) => index === frame.stable.index);
  return own ? own[1] : 0; // not among the five sent: surely no peak
}

function earlier(utc, seconds) {
  const ms = Date.parse(utc);
  return Number.isNaN(ms) ? "" : new Date(ms - seconds * 1000).toISOString();
}
