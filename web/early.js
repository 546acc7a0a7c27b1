// Before the first paint: theme and language, those chosen here before; else dark, as water is, and the first of the
// browser's languages that there is a catalogue for. That and a list (data-list) are asked for ahead of the modules.
// Classic on purpose: a module would run after a flash of the wrong colours.
{
  const recall = (name) => {
    try {
      return localStorage.getItem(`reeflens.${name}`);
    } catch {
      return null; // storage is forbidden
    }
  };
  const page = document.documentElement;
  page.dataset.theme = recall("theme") === "light" ? "light" : "dark";
  const known = [recall("language"), ...navigator.languages].map((tag) => String(tag).slice(0, 2));
  page.lang = known.find((tag) => ["en", "tr"].includes(tag)) ?? "en";
  const { src, dataset: { list = "api/sources" } } = document.currentScript;
  window.early = { words: [fetch(new URL(`${page.lang}.json`, src))], list: list && fetch(list) };
  window.early.list.catch?.(() => {}); // said where it is used
}
