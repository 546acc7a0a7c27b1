// Which key does what in the player. Pure: an event's facts in, a command's name out.

const COMMANDS = new Map([
  [" ", "play"],
  ["k", "play"],
  ["j", "jump-back"],
  ["l", "jump-on"],
  [",", "back"],
  [".", "forward"],
  ["ArrowLeft", "back"],
  ["ArrowRight", "forward"],
  ["ArrowUp", "sighting-before"],
  ["ArrowDown", "sighting-after"],
  ["o", "overlay"],
  ["[", "fainter"],
  ["]", "stronger"],
  ["m", "missed"],
  ["f", "full-screen"],
  ["?", "help"],
]);

const ONCE = new Set(["play", "overlay", "missed", "full-screen", "help"]);
const ARROWS = new Set(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"]);
const PRESSED_BY_SPACE = new Set(["BUTTON", "SUMMARY", "SELECT", "A"]);

/** What the help lists: the keys, by a text's key where they have a name, and the text of what they do. */
export const HELP = [
  [["space", "K"], "keys.play"],
  [["←", "→", ",", "."], "keys.step"],
  [["J", "K", "L"], "keys.jump"],
  [["↑", "↓"], "keys.sighting"],
  [["O"], "keys.overlay"],
  [["[", "]"], "keys.opacity"],
  [["M"], "keys.missed"],
  [["F"], "keys.full-screen"],
  [["?"], "keys.help"],
];

/** @param {{key, ctrlKey, metaKey, altKey, altGraph, repeat, tag, type}} press tag and type: of the element in focus */
export function commandFor(press) {
  if ((press.ctrlKey || press.metaKey || press.altKey) && !press.altGraph) return null;
  const command = COMMANDS.get(press.key.length === 1 ? press.key.toLowerCase() : press.key) ?? null;
  if (command === null || (press.repeat && ONCE.has(command))) return null;
  const types = press.tag === "TEXTAREA" || (press.tag === "INPUT" && !["range", "checkbox", "radio"].includes(press.type));
  if (types) return null;
  if (press.key === " " && (PRESSED_BY_SPACE.has(press.tag) || press.type === "checkbox")) return null;
  if (ARROWS.has(press.key) && (press.type === "range" || press.tag === "SELECT")) return null;
  return command;
}
