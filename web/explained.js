// Which classes have a row beside the picture: the most probable, and the one whose heat map was chosen.
//
// A chosen class keeps a row of its own when it drops out of the most probable, or nobody could see what the map is of
// or press it again. Pure: scores in, rows out.

export const ROWS = 5;
export const MOST_PROBABLE = -1; // the choice that everyone starts with

/**
 * @param {[number, number][]} top [class, probability], most probable first
 * @param {number} chosen a class, or MOST_PROBABLE
 * @returns {{rows: {index: number, share: number}[], extra: {index: number, below: number|null}|null}} extra: the chosen
 *   one when it has no row; below: its probability is at most this, null while nothing is known
 */
export function classRows(top, chosen) {
  const rows = top.slice(0, ROWS).map(([index, share]) => ({ index, share }));
  const missing = chosen !== MOST_PROBABLE && !rows.some(({ index }) => index === chosen);
  return { rows, extra: missing ? { index: chosen, below: rows.at(-1)?.share ?? null } : null };
}

/** The choice after `index` was pressed: pressed again it is given back. */
export const pressed = (chosen, index) => (chosen === index ? MOST_PROBABLE : index);

/** The choice under a model's new labels: the class of the same name, if there is one. */
export function carriedOver(chosen, before, after) {
  return chosen === MOST_PROBABLE ? chosen : after.indexOf(before[chosen]); // -1 for none is MOST_PROBABLE
}
