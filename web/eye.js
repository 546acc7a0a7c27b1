// How clear the eye wants the picture: contrast, less haze, truer colours, each from 0 to 1. look.js does it.

export const NEUTRAL = Object.freeze({ contrast: 0, haze: 0, balance: 0 });
export const CONTROLS = Object.freeze(Object.keys(NEUTRAL));

/** Settings with every value within 0..1; NEUTRAL's where there is none. */
export function tidy(settings) {
  const known = typeof settings === "object" && settings !== null ? settings : {};
  const value = (name) => (Number.isFinite(known[name]) ? Math.min(1, Math.max(0, known[name])) : NEUTRAL[name]);
  return { contrast: value("contrast"), haze: value("haze"), balance: value("balance") };
}

export const isNeutral = (settings) => CONTROLS.every((name) => settings[name] === 0);
