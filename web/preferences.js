// What this browser remembers: theme, view and opacity. A browser that forbids storage simply forgets.

const PREFIX = "reeflens.";

/** The stored text, or null. */
export function recall(name) {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}

export function remember(name, value) {
  try {
    localStorage.setItem(PREFIX + name, String(value));
  } catch {
    // Forbidden or full: the choice lasts as long as the page.
  }
}
