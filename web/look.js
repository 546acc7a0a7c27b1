// A clearer picture for the eye: contrast, less haze, truer colours. Never for the model, which sees the original.
//
// All three are one straight line per colour channel, out = slope * in + offset, so that the browser can apply them to
// every frame at no cost (an SVG filter; see eyepiece.js) and a still gets exactly what was seen. Haze is taken for light
// that was added everywhere: what the darkest hundredth of each channel still has. White balance takes the picture's mean
// for grey. Water changes both slowly, so they are measured a few times a second and glide. Pure.

const TAIL = 0.01; // of the pixels at either end: a lamp or a bright bubble is not the picture's white
const MAX_SLOPE = 5; // beyond it there is only noise to see
const MAX_GAIN = 3; // deep water holds next to no red: more would paint it
const CONTRAST = 1.5; // added to the slope at full strength

/** Whether the look depends on what the picture holds. */
export const needsMeasuring = ({ haze, balance }) => haze > 0 || balance > 0;

/**
 * @param {Uint8ClampedArray} pixels RGBA; a few hundred are enough
 * @returns {{low: number[], high: number[], mean: number[]}} per channel, 0..1
 */
export function measure(pixels) {
  const counts = [new Uint32Array(256), new Uint32Array(256), new Uint32Array(256)];
  for (let i = 0; i < pixels.length; i += 4) for (let c = 0; c < 3; c++) counts[c][pixels[i + c]]++;
  const total = pixels.length / 4;
  const sum = (histogram) => histogram.reduce((all, n, value) => all + n * value, 0);
  return {
    low: counts.map((histogram) => percentile(histogram, TAIL * total) / 255),
    high: counts.map((histogram) => percentile(histogram, (1 - TAIL) * total) / 255),
    mean: counts.map((histogram) => (total === 0 ? 0 : sum(histogram) / total / 255)),
  };
}

function percentile(histogram, rank) {
  let seen = 0;
  for (let value = 0; value < 256; value++) {
    seen += histogram[value];
    if (seen > rank) return value;
  }
  return 255;
}

/** Measured before and measured now, `share` of the way between. */
export function glide(before, now, share) {
  const between = (name) => before[name].map((value, c) => value + share * (now[name][c] - value));
  return { low: between("low"), high: between("high"), mean: between("mean") };
}

/** @returns {{slope: number, offset: number}[]} one line per channel; `measured` may be null when it is not needed */
export function lookOf(settings, measured) {
  const { contrast, haze, balance } = settings;
  const low = measured?.low ?? [0, 0, 0];
  const white = 1 - haze * (1 - Math.max(...(measured?.high ?? [1]))); // one for all channels: colours stay
  const lines = low.map((dark) => {
    const black = haze * dark;
    const slope = Math.min(MAX_SLOPE, 1 / Math.max(1e-3, white - black));
    return { slope, offset: -slope * black };
  });
  const means = lines.map(({ slope, offset }, c) => Math.max(0.02, slope * (measured?.mean[c] ?? 0.5) + offset));
  const grey = (means[0] + means[1] + means[2]) / 3;
  const steep = 1 + CONTRAST * contrast;
  return lines.map(({ slope, offset }, c) => {
    const gain = Math.min(MAX_GAIN, Math.max(1 / MAX_GAIN, grey / means[c])) ** balance * steep;
    return { slope: slope * gain, offset: offset * gain + (1 - steep) / 2 };
  });
}

/** Applies a look to RGBA pixels in place, as the filter does. */
export function applyLook(pixels, look) {
  const tables = look.map(({ slope, offset }) =>
    Uint8ClampedArray.from({ length: 256 }, (_, value) => 255 * (slope * (value / 255) + offset)),
  );
  for (let i = 0; i < pixels.length; i += 4) for (let c = 0; c < 3; c++) pixels[i + c] = tables[c][pixels[i + c]];
}
