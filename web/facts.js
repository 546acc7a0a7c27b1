// The facts behind the page, for who asks for them: loaded with the first press of "?".

import { age, percent } from "./format.js";
import { number, phrase, t } from "./text.js";

/** As [name, value] rows. */
export function factRows(state) {
  const { model, server } = state;
  const rows = [];
  if (model) {
    rows.push([t("fact.model"), model.model ?? "–"]);
    rows.push([t("fact.classes"), number(model.labels.length)]);
    if (model.input_size) rows.push([t("fact.input"), t("fact.pixels", { n: model.input_size })]);
    const show = model.thresholds?.show;
    if (Number.isFinite(show)) rows.push([t("fact.show"), percent(show)]);
    rows.push([t("fact.runs-on"), model.provider]);
  }
  const report = server?.provider;
  if (report && Number.isFinite(report.share)) rows.push([t("fact.share"), percent(report.share)]);
  if (report?.note) rows.push([t("fact.note"), noteWords(report.note)]);
  if (Number.isFinite(state.rttMs)) rows.push([t("fact.rtt"), age(state.rttMs)]);
  if (server?.version) rows.push(["Reeflens", server.version]);
  return rows;
}

/** Why the model does not run where it was hoped to, told by the one word that marks the server's sentence. */
function noteWords(note) {
  const [word] = /driver|built|match|failed|lost/.exec(note) ?? [];
  return word ? phrase({ key: `note.${word}`, detail: note }) : note;
}
