// The two questions that the dives ask: for a name, and whether somebody is sure.

const $ = (id) => document.getElementById(id);

$("naming-no").addEventListener("click", () => $("naming").close());
$("sure-no").addEventListener("click", () => $("sure").close());

/**
 * @param {boolean} list offer the labels
 * @param {string|null} note a note to begin with; null where none is asked for. value: null where only the note is
 * @param {(name: string, note: string) => Promise} take gets both; what it throws is said and the question stays
 */
export function askName({ title, was, hint, yes, value, list, note = null, take }) {
  $("naming-title").textContent = title;
  $("naming-was").textContent = was;
  $("naming-hint").textContent = hint;
  $("naming-yes").textContent = yes;
  $("naming-text").value = value ?? "";
  $("naming-text").hidden = value === null;
  $("naming-text").required = value !== null;
  $("naming-note").value = note ?? "";
  $("naming-noted").hidden = note === null;
  if (list) $("naming-text").setAttribute("list", "labels");
  else $("naming-text").removeAttribute("list");
  $("naming-form").onsubmit = async (event) => {
    event.preventDefault();
    try {
      await take($("naming-text").value.trim(), $("naming-note").value.trim());
      $("naming").close();
    } catch (error) {
      $("naming-hint").textContent = error.message;
    }
  };
  $("naming").showModal();
  (value === null ? $("naming-note") : $("naming-text")).select();
}

/** Does `go` when somebody is sure; the focus is on the way out. */
export function askSure({ title, text, go }) {
  $("sure-title").textContent = title;
  $("sure-text").textContent = text;
  $("sure-yes").onclick = () => {
    $("sure").close();
    go();
  };
  $("sure").showModal();
  $("sure-no").focus();
}
