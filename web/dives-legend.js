// What the colours of the timeline mean: the species of the dive, most first. Pressed, one of them filters the list.

import { truthOf } from "./dives-found.js";
import { labelText, t } from "./text.js";

const MOST = 8; // more colours than that nobody tells apart

/** [label, number] of what is there, most first, and how many sightings people say are nothing. */
export function meanings(sightings) {
  const counts = new Map();
  let nothing = 0;
  for (const one of sightings) {
    const truth = truthOf(one);
    if (truth === null) nothing += 1;
    else counts.set(truth, (counts.get(truth) ?? 0) + 1);
  }
  return { species: [...counts].sort(([a, n], [b, m]) => m - n || a.localeCompare(b)), nothing };
}

export class Legend {
  #list;
  #told = "";

  /** @param {(label: string) => void} chosen gets the label that was pressed */
  constructor(list, chosen) {
    this.#list = list;
    list.addEventListener("click", (event) => {
      const pressed = event.target.closest("button");
      if (pressed) chosen(pressed.dataset.label);
    });
  }

  /** Forgets what it says: the next `show` says it in another language. */
  clear() {
    this.#told = "";
  }

  /** only: the label that the list is filtered by, or "". */
  show(sightings, hues, only) {
    const { species, nothing } = meanings(sightings);
    const told = JSON.stringify([species, nothing]);
    if (told !== this.#told) {
      this.#told = told;
      const shown = species.slice(0, MOST).map(([label, n]) => this.#one(label, n, hues.get(label) ?? 0));
      const words = [];
      if (species.length > MOST) words.push(t("card.more", { n: species.length - MOST }));
      if (nothing > 0) words.push(t("legend.nothing", { n: nothing }));
      if (species.length > 0) words.push(t("legend.tall"));
      this.#list.replaceChildren(...shown, ...words.map((text) => Object.assign(document.createElement("li"), { className: "quiet", textContent: text })));
      this.#list.hidden = shown.length + words.length === 0;
    }
    for (const button of this.#list.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.label === only));
  }

  #one(label, n, hue) {
    const [item, button] = [document.createElement("li"), document.createElement("button")];
    button.type = "button";
    button.dataset.label = label;
    button.style.setProperty("--hue", hue.toFixed(0));
    button.textContent = t("filter.species.count", { label: labelText(label), n });
    item.append(button);
    return item;
  }
}
