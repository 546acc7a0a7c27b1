// What the page says, in its viewer's language. One catalogue a language, en.json and tr.json; one of them is loaded.
//
// A text has {placeholders}; one whose form depends on a number {n} is an object of Intl's plural categories. Numbers are
// written as the language writes them. Pure but for the language that was set last.

/** Every language under its own name. */
export const LANGUAGES = Object.freeze({ en: "English", tr: "Türkçe" });

let spoken = null;
speak("en", {});

/** Says everything in `language` from now on. */
export function speak(language, catalogue) {
  spoken = { language, catalogue, plurals: new Intl.PluralRules(language), formats: new Map() };
}

export const language = () => spoken.language;

/** Adds words that came later to those of the language. */
export const learn = (more) => Object.assign(spoken.catalogue, more);

/** The text of a key, `values` filled in; `fallback` for a key that no catalogue has. */
export function t(key, values = {}, fallback = key) {
  const found = spoken.catalogue[key] ?? fallback;
  const text = typeof found === "string" ? found : (found[spoken.plurals.select(values.n)] ?? found.other);
  return text.replace(/\{(\w+)\}/g, (_, name) => {
    const value = values[name];
    return typeof value === "number" ? number(value) : value;
  });
}

/**
 * A reason in words: what somebody else said as it is, or one of ours, {key, ...values}. `detail`: the server's own,
 * which says more, where its English is read.
 */
export function phrase(reason) {
  if (typeof reason === "string") return reason;
  return (spoken.language === "en" && reason.detail) || t(reason.key, reason);
}

/** A class by its name in this language; one that the catalogue does not know keeps its own. */
export function labelText(label) {
  const words = label.replaceAll("_", " ").trim();
  return spoken.catalogue.labels?.[words.toLowerCase()] ?? words;
}

/** Whether a class is that of pictures without an animal: realtime/labels.py names it. */
export const meansNoAnimal = (label) => ["none", "background"].includes(label.replace(/[\s_-]+/g, "").toLowerCase());

/** A number as Intl writes it; options are those of Intl.NumberFormat. */
export function number(value, options = {}) {
  const key = JSON.stringify(options); // making a format takes longer than using it a hundred times
  if (!spoken.formats.has(key)) spoken.formats.set(key, new Intl.NumberFormat(spoken.language, options));
  return spoken.formats.get(key).format(value);
}
