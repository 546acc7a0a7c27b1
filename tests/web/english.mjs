// The English catalogue, for tests that read what the page says: import it for its effect.

import { readFileSync } from "node:fs";

import { speak } from "../../web/text.js";

export const catalogue = (language) => JSON.parse(readFileSync(new URL(`../../web/${language}.json`, import.meta.url)));

/** What the page of the dives says beside that. */
export const ownOfDives = (language) => catalogue(`dives-${language}`);

speak("en", { ...catalogue("en"), ...ownOfDives("en"), ...catalogue("sighting-en"), ...catalogue("times-en") });
