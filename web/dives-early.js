// What must be known before the first paint, the theme; and the library and the words for units are asked for while the
// page is still loading. A classic script on purpose: a module would wait for the others.
{
  let stored = null;
  try {
    stored = localStorage.getItem("reeflens.theme");
  } catch {
    // Storage is forbidden: the choice lasts as long as the page.
  }
  document.documentElement.dataset.theme = stored === "light" ? "light" : "dark";
  window.early = {
    catalogue: fetch("assets/en.json"),
    library: /^#[0-9a-f]{16}$/.test(location.hash) ? null : fetch("api/dives"),
  };
  window.early.library?.catch(() => {}); // said where it is used
}
