// Sets the theme before the first paint: the one chosen here before, else dark: water is, and so is a bridge at night.
// A classic script on purpose: a module would run after the page had flashed in the wrong colours.
{
  let stored = null;
  try {
    stored = localStorage.getItem("reeflens.theme");
  } catch {
    // Storage is forbidden: the choice lasts as long as the page.
  }
  document.documentElement.dataset.theme = stored === "light" ? "light" : "dark";
}
