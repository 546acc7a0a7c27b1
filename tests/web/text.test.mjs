// The catalogues, the live page's and what the dives say beside it: the same in every language, complete, and nothing
// visible but their words.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { after, test } from "node:test";

import { catalogue, ownOfDives } from "./english.mjs";
import { age, duration, percent, rate } from "../../web/format.js";
import { labelText, LANGUAGES, meansNoAnimal, number, phrase, speak, t } from "../../web/text.js";

const WEB = new URL("../../web/", import.meta.url);
const read = (name) => readFileSync(new URL(name, WEB), "utf8");
const scripts = readdirSync(WEB).filter((name) => name.endsWith(".js"));
const catalogues = Object.fromEntries(Object.keys(LANGUAGES).map((language) => [language, catalogue(language)]));
const own = Object.fromEntries(Object.keys(LANGUAGES).map((language) => [language, ownOfDives(language)]));
const closer = Object.fromEntries(Object.keys(LANGUAGES).map((language) => [language, catalogue(`sighting-${language}`)]));
const clock = Object.fromEntries(Object.keys(LANGUAGES).map((language) => [language, catalogue(`times-${language}`)]));
const door = Object.fromEntries(Object.keys(LANGUAGES).map((language) => [language, catalogue(`login-${language}`)]));
const texts = (entry) => (typeof entry === "string" ? [entry] : Object.values(entry));
const placeholders = (text) => [...new Set(text.match(/\{\w+\}/g))].sort();

after(() => speak("en", catalogues.en));

test("every language has its catalogues, is known to the early scripts, and there is no other", () => {
  const found = readdirSync(WEB).filter((name) => /\.json$/.test(name) && name !== "package.json");
  const languages = Object.keys(LANGUAGES);
  assert.deepEqual(found.sort(), languages.flatMap((language) => [`dives-${language}.json`, `login-${language}.json`, `sighting-${language}.json`, `times-${language}.json`, `${language}.json`]).sort());
  for (const early of ["early.js", "login.js"]) assert.ok(read(early).includes(JSON.stringify(languages).replaceAll(",", ", ")), early);
});

for (const of of [catalogues, own, closer, clock, door]) {
  for (const [language, { labels: _, ...said }] of Object.entries(of)) {
    const name = `${language}${of === own ? ", the dives" : of === door ? ", the way in" : of === closer ? ", a sighting" : of === clock ? ", a dive's clock" : ""}`;

    test(`${name}: the keys of English and no other, none of them empty`, () => {
      assert.deepEqual(Object.keys(said), Object.keys(of.en));
      for (const [key, entry] of Object.entries(said)) for (const text of texts(entry)) assert.ok(text.trim(), key);
    });

    test(`${name}: the placeholders of English, in every plural form`, () => {
      for (const [key, entry] of Object.entries(said)) {
        const wanted = placeholders(texts(of.en[key])[0]);
        for (const text of texts(entry)) assert.deepEqual(placeholders(text), wanted, key);
      }
    });

    test(`${name}: every plural form that Intl asks for`, () => {
      const forms = new Intl.PluralRules(language).resolvedOptions().pluralCategories;
      for (const [key, entry] of Object.entries(said)) {
        if (typeof entry !== "string") assert.deepEqual(Object.keys(entry).sort(), [...forms].sort(), key);
      }
    });
  }
}

test("the dives' own words take no word of the live page's away, and neither do those that come later", () => {
  for (const more of [own, closer, clock]) assert.deepEqual(Object.keys(more.en).filter((key) => key in catalogues.en), []);
});

test("both pages ask with the same words what a sighting was", () => {
  const pairs = { right: "sighting.right", wrong: "sighting.wrong", nothing: "sighting.nothing", undo: "sighting.undo" };
  const more = { what: "wrong.title", any: "wrong.hint", keep: "wrong.yes", same: "wrong.same", cancel: "cancel", by: "by" };
  for (const language of Object.keys(LANGUAGES)) {
    for (const [one, other] of Object.entries({ ...pairs, ...more, "not-kept": "play.not-kept" })) {
      assert.equal(closer[language][`say.${one}`], own[language][other], `${language}: ${one}`);
    }
  }
});

const ofDives = (name) => name.startsWith("dives");
const ofDoor = (name) => name === "login.js";
const pages = [
  { page: "index.html", code: scripts.filter((name) => !ofDives(name) && !ofDoor(name)), own: { ...catalogues.en, ...closer.en }, known: { ...catalogues.en, ...closer.en } },
  { page: "dives.html", code: scripts.filter(ofDives), own: { ...own.en, ...clock.en }, known: { ...catalogues.en, ...own.en, ...clock.en } },
  { page: "login.html", code: scripts.filter(ofDoor), own: door.en, known: door.en },
];

for (const { page, code, own: sayable, known } of pages) {
  const [html, source] = [read(page), code.map(read).join("\n")];
  const named = [...html.matchAll(/data-(?:t|title|name|text|label|placeholder)="([^"]+)"/g)].map(([, key]) => key);

  test(`${page}: every text is asked for, and every one that is asked for exists`, () => {
    // `where.${place}` stands for all that begin like it.
    const asked = [...named, ...[...source.matchAll(/["`]([a-z][\w.${}-]*)["`]/g)].map(([, key]) => key)];
    const patterns = asked.filter((key) => key.includes("$")).map((key) => new RegExp(`^${key.replace(/\$\{.*/, ".+")}$`));
    const idle = Object.keys(sayable).filter((key) => !asked.includes(key) && !patterns.some((pattern) => pattern.test(key)));
    assert.deepEqual(idle, []);
    const direct = [...source.matchAll(/\bt\("([^"]+)"/g)].map(([, key]) => key);
    assert.deepEqual([...named, ...direct].filter((key) => !(key in known)), []);
  });

  test(`${page} itself says nothing in one language`, () => {
    const body = html.replace(/<(svg|noscript|kbd|title|option)\b[\s\S]*?(<\/\1>|(?=<option|<\/select>))/g, "");
    const shown = [...body.matchAll(/>([^<>]*\p{L}[^<>]*)</gu)].map(([, text]) => text.trim());
    assert.deepEqual(shown, ["Reeflens"]);
    assert.doesNotMatch(body, /\s(aria-label|title|placeholder|alt)="/);
  });
}

test("the code holds no sentence of its own", () => {
  const sentences = [];
  for (const name of scripts.filter((each) => each !== "wire.js")) {
    // wire.js says what is wrong with a message to whoever mends a server; it is quoted, like a browser's own errors.
    const code = read(name)
      .replace(/\/\*[\s\S]*?\*\//g, "")
      .replace(/(^|\s)\/\/.*$/gm, "")
      .replace(/new \w*Error\(.*/g, "");
    for (const [, quoted, text = quoted] of code.matchAll(/"([^"\n]*)"|`([^`]*)`/g)) {
      if (text !== undefined && !text.startsWith("system-ui") && /\p{L}{2,},? \p{L}{2,}/u.test(text)) sentences.push(`${name}: ${text}`);
    }
  }
  assert.deepEqual(sentences, []);
});

test("Turkish: numbers, shares and times as Turkish writes them", () => {
  speak("tr", catalogues.tr);
  const plain = (text) => text.replaceAll("\u202f", " ");
  assert.deepEqual([number(1234.5), percent(0.834), percent(0.004), percent(0.999)], ["1.234,5", "%83", "<%1", ">%99"]);
  assert.deepEqual([rate(21.36), plain(age(1240)), plain(duration(3700))], ["21,4", "1,2 sn", "1 sa 1 dk"]);
});

test("Turkish: a class by its name, however a folder writes it; one that is not known as it is", () => {
  speak("tr", catalogues.tr);
  const found = ["Turtle_Tortoise", "turtle tortoise", "Jelly Fish", "Sea_Rays", "Coelacanth"].map(labelText);
  assert.deepEqual(found, ["Kaplumbağa", "Kaplumbağa", "Denizanası", "Vatoz", "Coelacanth"]);
});

test("plurals follow the number", () => {
  speak("en", closer.en);
  assert.deepEqual([1, 2, 1234].map((n) => t("sighting.frames", { n })), ["1 frame", "2 frames", "1,234 frames"]);
});

test("a reason is said in the page's words, the server's own only where its English is read", () => {
  const reason = { key: "cause.gone", detail: "reef: the connection broke after 3 s" };
  speak("en", catalogues.en);
  assert.equal(phrase(reason), reason.detail);
  assert.equal(phrase({ key: "cause.gone" }), "the connection broke");
  speak("tr", catalogues.tr);
  assert.equal(phrase(reason), "bağlantı koptu");
  assert.equal(phrase("as it is"), "as it is");
});

test("none and background are no animals, however they are spelt", () => {
  assert.deepEqual(["none", "Back_ground", "BACKGROUND", "nonesuch", "Eel"].map(meansNoAnimal), [true, true, true, false, false]);
});
