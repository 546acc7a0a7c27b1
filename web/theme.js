// Sets the theme before the first paint: the one chosen here before, else the system's, else dark.
// A classic script on purpose: a module would run after the page had flashed in the wrong colours.
{
  let stored = null;
  try {
    stored = localStorage.getItem("reeflens.theme");
  } catch {
    // Storage is forbidden: the choice lasts as long as the page.
  }
  const system = matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
  document.documentElement.dataset.theme = stored === "light" || stored === "dark" ? stored : system;
}
