// What people mean by a name they type: a class of the model, in whichever language and however it is spelt. Pure.

import { labelText } from "./text.js";

/** Without accents, and without the dot that tells a Turkish i from an ı: people search without them. */
export const folded = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().replaceAll("ı", "i");

/** The class that is meant, or the name as it is: people read "Sea Turtle" or "Kaplumbağa" for the class "Sea_Turtle". */
export function labelMeant(name, labels) {
  const meant = (label) => [label, labelText(label)].some((known) => folded(known) === folded(name));
  return labels.find(meant) ?? name;
}
