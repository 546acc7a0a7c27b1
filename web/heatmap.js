// The Grad-CAM grid becomes a picture: smooth, and transparent where there is nothing.
//
// Cell (i, j) of a G x G grid covers [j/G, (j+1)/G) x [i/G, (i+1)/G) of the picture, so values sit at the middle of
// their cells and are held beyond the outermost ones. Opacity follows the value: an empty map leaves the picture as
// it is. Pure: typed arrays in, typed arrays out; realtime/overlay.py does the same for files.

// Pixels per cell: enough that the browser's own scaling to the stage adds no visible steps, and for the finer grids of
// bigger networks no more pixels than a frame's time allows.
const FACTOR = 16;
const MAX_SIDE = 512;

const CUBIC = -0.75; // the cubic kernel's slope, that of OpenCV's INTER_CUBIC

/**
 * @param {Uint8Array} cam row by row, 255 is the model's full scale
 * @param {number} rows
 * @param {number} columns
 * @param {number} opacity of a cell at full scale, in [0, 1]
 * @param {Uint8Array} table red, green, blue of every value
 * @returns {{pixels: Uint8ClampedArray, width: number, height: number}} RGBA, not premultiplied
 */
export function heatPixels(cam, rows, columns, opacity, table) {
  const { values, width, height } = enlarge(cam, rows, columns);
  const pixels = new Uint8ClampedArray(values.length * 4);
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value === 0) continue;
    pixels[4 * i] = table[3 * value];
    pixels[4 * i + 1] = table[3 * value + 1];
    pixels[4 * i + 2] = table[3 * value + 2];
    pixels[4 * i + 3] = value * opacity;
  }
  return { pixels, width, height };
}

/** A grid of bytes made larger by a whole factor, the same both ways: cubic, never beyond 0..255. */
export function enlarge(cam, rows, columns) {
  const factor = Math.max(1, Math.min(FACTOR, Math.floor(MAX_SIDE / Math.max(rows, columns))));
  const [width, height] = [columns * factor, rows * factor];
  const wide = new Float32Array(rows * width);
  const across = taps(columns, factor);
  for (let row = 0; row < rows; row++) {
    for (let x = 0; x < width; x++) {
      let sum = 0;
      for (let k = 4 * x; k < 4 * x + 4; k++) sum += across.weights[k] * cam[row * columns + across.cells[k]];
      wide[row * width + x] = sum;
    }
  }
  const values = new Uint8ClampedArray(width * height); // clamps the kernel's overshoot, rounds
  const down = taps(rows, factor);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let sum = 0;
      for (let k = 4 * y; k < 4 * y + 4; k++) sum += down.weights[k] * wide[down.cells[k] * width + x];
      values[y * width + x] = sum;
    }
  }
  return { values, width, height };
}

const known = new Map(); // a page sees one grid size, or a few

/** For every output position along one axis, four cells and their weights. */
function taps(cells, factor) {
  const key = `${cells} ${factor}`;
  if (known.has(key)) return known.get(key);
  const found = { cells: new Uint16Array(cells * factor * 4), weights: new Float32Array(cells * factor * 4) };
  for (let x = 0; x < cells * factor; x++) {
    const at = (x + 0.5) / factor - 0.5;
    const left = Math.floor(at);
    for (let k = 0; k < 4; k++) {
      found.cells[4 * x + k] = Math.min(cells - 1, Math.max(0, left - 1 + k));
      found.weights[4 * x + k] = cubic(Math.abs(at - (left - 1 + k)));
    }
  }
  known.set(key, found);
  return found;
}

function cubic(distance) {
  const [a, d] = [CUBIC, distance];
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  if (d < 2) return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
  return 0;
}

const FAINT = 26; // a tenth of full scale: below it nothing can be seen on the stage

/** Where the map is strongest: "centre", "upper", "left", "lower-right", ...; null when it is as good as empty. */
export function whereStrongest(cam, rows, columns) {
  let peak = 0;
  for (let i = 1; i < cam.length; i++) if (cam[i] > cam[peak]) peak = i;
  if (cam[peak] < FAINT) return null;
  const third = (cell, cells) => Math.min(2, Math.floor(((cell + 0.5) / cells) * 3));
  const vertical = ["upper", "", "lower"][third(Math.floor(peak / columns), rows)];
  const horizontal = ["left", "", "right"][third(peak % columns, columns)];
  return [vertical, horizontal].filter(Boolean).join("-") || "centre";
}
