// How big one or two pictures can be on the stage. Pure geometry.

const BESIDE_PX = 1000; // from this width on two stand side by side: that is how they are compared

/**
 * @param {[number, number]} stage width and height in CSS pixels
 * @param {[number, number]} picture width and height; only their ratio matters
 * @param {1|2} panes
 * @param {number} gap between two panes
 * @returns {{stacked: boolean, width: number, height: number}} of each pane: as large as fits, at the picture's
 *   ratio; two stand side by side on a wide stage, else as they are larger
 */
export function fit([stageWidth, stageHeight], [width, height], panes, gap = 0) {
  const scale = (columns, rows) =>
    Math.max(
      0,
      Math.min((stageWidth - gap * (columns - 1)) / columns / width, (stageHeight - gap * (rows - 1)) / rows / height),
    );
  const beside = scale(panes, 1);
  const above = scale(1, panes);
  const stacked = stageWidth < BESIDE_PX && above > beside;
  const best = stacked ? above : beside;
  return { stacked, width: width * best, height: height * best };
}
