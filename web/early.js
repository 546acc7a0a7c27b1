// Before the first paint: theme and language, those chosen here before; else dark, as water is, and the first of the
// browser's languages that there is a catalogue for. Catalogue and sources are asked for while the modules are on the way.
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
  window.early = { catalogue: fetch(`assets/${page.lang}.json`), sources: fetch("api/sources") };
  window.early.sources.catch(() => {}); // said where it is used
}
