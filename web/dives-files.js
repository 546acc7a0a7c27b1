// What can be taken home of a dive: its results, file by file or in one zip, and the original.

import { bytes } from "./dives-words.js";
import { t } from "./text.js";

/** @param {{name: string, bytes: number}[]} files */
export function showFiles(list, dive, files) {
  const link = (href, text, note) => {
    const item = document.createElement("li");
    const anchor = document.createElement("a");
    anchor.href = href;
    anchor.setAttribute("download", "");
    anchor.textContent = text;
    const size = document.createElement("span");
    size.textContent = note;
    item.append(anchor, size);
    return item;
  };
  const base = `api/dives/${dive.id}`;
  const results = files.filter(({ name }) => !name.includes("/"));
  const whole = results.length > 0 ? [link(`${base}/results.zip`, t("files.all"), "")] : [];
  list.replaceChildren(
    ...whole,
    ...results.map(({ name, bytes: size }) => link(`${base}/files/${encodeURIComponent(name)}`, name, bytes(size))),
    link(`${base}/original`, t("files.original"), bytes(dive.bytes)),
  );
}
