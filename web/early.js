// Before the first paint: theme and language, those chosen here before; else dark, as water is, and the first of the
// browser's languages that there is a catalogue for. What the page begins with is asked for while its modules are on the
// way: the words (data-words), and what it lists (data-list), unless the address names one of these and the page has
// something else to get then (data-instead, the id of a template).
// A classic script on purpose: a module would run after the page had flashed in the wrong colours.
{
  const recall = (name) => {
    try {
      return localStorage.getItem(`reeflens.${name}`);
    } catch {
      return null; // storage is forbidden: choices last as long as the page
    }
  };
  const page = document.documentElement;
  page.dataset.theme = recall("theme") === "light" ? "light" : "dark";
  const known = [recall("language"), ...navigator.languages].map((tag) => String(tag).slice(0, 2));
  page.lang = known.find((tag) => ["en", "tr"].includes(tag)) ?? "en";
  const { src, dataset } = document.currentScript;
  const catalogue = (name) => fetch(src.replace(/[^/]*$/, name.replace("*", page.lang)));
  const instead = location.hash.length > 1 ? document.getElementById(dataset.instead) : null;
  window.early = { words: dataset.words.split(" ").map(catalogue), list: instead === null ? fetch(dataset.list) : null };
  window.early.list?.catch(() => {}); // said where it is used
  if (instead !== null) document.head.append(instead.content.cloneNode(true));
}
