// What people mean by a name they type.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { catalogue } from "./english.mjs";
import { folded, labelMeant } from "../../web/named.js";
import { speak } from "../../web/text.js";

const LABELS = ["Sea_Urchins", "Turtle_Tortoise", "Eel"];

after(() => speak("en", catalogue("en")));

test("accents and dots are left out", () => {
  assert.deepEqual(["İSTAKOZ", "ıstakoz", "Méduse"].map(folded), ["istakoz", "istakoz", "meduse"]);
});

test("a class is meant in either spelling and in the page's language; any other name is itself", () => {
  speak("tr", catalogue("tr"));
  const meant = ["kaplumbaga", "turtle_tortoise", "DENİZ KESTANESİ", "Mürekkep balığı"].map((name) => labelMeant(name, LABELS));
  assert.deepEqual(meant, ["Turtle_Tortoise", "Turtle_Tortoise", "Sea_Urchins", "Mürekkep balığı"]);
  assert.equal(labelMeant("Eel", []), "Eel");
});
