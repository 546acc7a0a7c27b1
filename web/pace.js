// How fast pictures are drawn here: a rate that falls to zero when they stop.

export const WINDOW_MS = 2_000;

/** Adds a tick and forgets those out of the window. Returns a new list. */
export function addTick(ticksMs, nowMs) {
  return [...ticksMs.filter((tick) => nowMs - tick < WINDOW_MS), nowMs];
}

/** Pictures per second over the window that ends at `nowMs`; null before two were drawn, 0 when they stopped. */
export function pictureRate(ticksMs, nowMs) {
  if (ticksMs.length === 0) return null;
  const recent = ticksMs.filter((tick) => nowMs - tick < WINDOW_MS);
  if (recent.length === 0) return 0;
  if (recent.length === 1) return ticksMs.length > 1 ? 1000 / WINDOW_MS : null;
  // The time since the last one counts once it is longer than usual, or a stop would show at full speed for 2 s.
  const mean = (recent.at(-1) - recent[0]) / (recent.length - 1); // n ticks are n - 1 intervals
  const overdue = Math.max(0, nowMs - recent.at(-1) - mean);
  return (1000 * (recent.length - 1)) / (recent.at(-1) - recent[0] + overdue);
}
