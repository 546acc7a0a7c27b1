// Asks what dropped files are to become: one dive or several, when it began, and which dive log belongs to it.

import { lookLikeOne } from "./dives-gathering.js";
import { t } from "./text.js";

const $ = (id) => document.getElementById(id);

/**
 * @param {File[]} videos
 * @param {File|null} log the one that was dropped with them
 * @returns {Promise<{one: boolean, startUtc: string|null, log: File|null, offsetS: number|null}|null>} null: none of it
 */
export function askJoining(videos, log) {
  const several = videos.length > 1;
  $("joining-title").textContent = t("joining.title", { n: videos.length });
  $("joining-names").replaceChildren(...videos.map(({ name }) => Object.assign(document.createElement("li"), { textContent: name })));
  $("joining-how").hidden = !several;
  $(lookLikeOne(videos) ? "joining-one" : "joining-each").checked = true;
  for (const field of ["joining-start", "joining-offset", "joining-log"]) $(field).value = "";
  const one = () => !several || $("joining-one").checked;
  const show = () => {
    log = $("joining-log").files[0] ?? log;
    $("joining-log-name").textContent = log?.name ?? t("joining.no-log");
    $("joining-start").disabled = !one();
    $("joining-offset").disabled = log === null;
  };
  $("joining-choose").onclick = () => $("joining-log").click();
  for (const field of ["joining-how", "joining-log"]) $(field).onchange = show;
  show();
  return new Promise((resolve) => {
    let answer = null;
    $("joining-no").onclick = () => $("joining").close();
    $("joining").onclose = () => resolve(answer);
    $("joining-form").onsubmit = (event) => {
      event.preventDefault();
      const [start, offset] = [$("joining-start").value, $("joining-offset").valueAsNumber];
      answer = {
        one: one(),
        startUtc: one() && start ? new Date(start).toISOString() : null,
        log,
        offsetS: log !== null && Number.isFinite(offset) ? offset : null,
      };
      $("joining").close();
    };
    $("joining").showModal();
  });
}
