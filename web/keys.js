// Which key does what. Pure: an event's facts in, a command's name out.

const COMMANDS = new Map([
  [" ", "pause"],
  ["o", "overlay"],
  ["[", "fainter"],
  ["]", "stronger"],
  ["s", "still"],
  ["f", "full-screen"],
  ["v", "view"],
  ["c", "colours"],
  ["ArrowLeft", "back"],
  ["ArrowRight", "forward"],
  ...["0", "1", "2", "3", "4", "5"].map((digit) => [digit, `explain-${digit}`]),
  ["?", "help"],
]);

const REPEATABLE = new Set(["fainter", "stronger", "back", "forward"]);
const ARROWS = new Set(["back", "forward"]);
const SPACE_IS_THEIRS = new Set(["BUTTON", "SUMMARY", "SELECT", "TEXTAREA"]);

/**
 * @param {{key, ctrlKey, metaKey, altKey, repeat, altGraph, tag, type}} press tag and type: of the element in focus
 * @returns {string|null} pause, overlay, fainter, stronger, still, full-screen, view, colours, help, back, forward, explain-0 to
 *   explain-5; null: not ours
 */
export function commandFor(press) {
  // AltGr is how many keyboards type a bracket, and Windows reports it as Ctrl + Alt.
  if ((press.ctrlKey || press.metaKey) && !press.altGraph) return null;
  const command = COMMANDS.get(press.key.length === 1 ? press.key.toLowerCase() : press.key) ?? null;
  if (command === null || (press.repeat && !REPEATABLE.has(command))) return null;
  const types = press.tag === "INPUT" && press.type !== "range" && press.type !== "radio";
  const typing = types || press.tag === "TEXTAREA";
  if (typing || (command === "pause" && SPACE_IS_THEIRS.has(press.tag))) return null;
  // Sliders, choices and lists have a use for the arrows themselves; with a modifier they are the browser's.
  if (ARROWS.has(command) && (press.tag === "INPUT" || press.tag === "SELECT" || press.altKey)) return null;
  return command;
}
