// What must be known before the first paint: theme and language, as early.js knows them; and what the page needs next is
// asked for while its modules are on the way. A classic script on purpose: a module would wait for the others.
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
  window.early = {
    catalogues: [`assets/${page.lang}.json`, `assets/dives-${page.lang}.json`].map((path) => fetch(path)),
    library: /^#[0-9a-f]{16}$/.test(location.hash) ? null : fetch("api/dives"),
    sources: fetch("api/sources"),
  };
  for (const early of [window.early.library, window.early.sources]) early?.catch(() => {}); // said where it is used
}
