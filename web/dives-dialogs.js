// The two questions that the dives ask: for a name, and whether somebody is sure.

const $ = (id) => document.getElementById(id);

$("naming-no").addEventListener("click", () => $("naming").close());
$("sure-no").addEventListener("click", () => $("sure").close());

/**
 * @param {boolean} list offer the labels
 * @param {(name: string) => Promise} take gets the name; what it throws is said and the question stays
 */
export function askName({ title, was, hint, yes, value, list, take }) {
  $("naming-title").textContent = title;
  $("naming-was").textContent = was;
  $("naming-hint").textContent = hint;
  $("naming-yes").textContent = yes;
  $("naming-text").value = value;
  if (list) $("naming-text").setAttribute("list", "labels");
  else $("naming-text").removeAttribute("list");
  $("naming-form").onsubmit = async (event) => {
    event.preventDefault();
    try {
      await take($("naming-text").value.trim());
      $("naming").close();
    } catch (error) {
      $("naming-hint").textContent = error.message;
    }
  };
  $("naming").showModal();
  $("naming-text").select();
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
