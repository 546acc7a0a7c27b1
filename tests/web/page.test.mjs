// The page as it is served: works under a strict content policy, small, and with every part in its place.

import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { test } from "node:test";

const WEB = new URL("../../web/", import.meta.url);
const served = readdirSync(WEB).filter((name) => /\.(html|css|js|svg)$/.test(name));
const read = (name) => readFileSync(new URL(name, WEB), "utf8");
const PAGES = ["index.html", "dives.html"];

/** Every file that a page loads, itself among them. */
function loadedBy(page) {
  const found = new Set([page]);
  for (const name of found) {
    if (name.endsWith(".html")) {
      for (const [, other] of read(name).matchAll(/(?:src|href)="assets\/([^"]+)"/g)) found.add(other);
    } else if (name.endsWith(".js")) {
      for (const [, other] of read(name).matchAll(/from "\.\/([^"]+)"/g)) found.add(other);
    }
  }
  return [...found];
}

test("every page is under 150 kB", () => {
  for (const page of PAGES) {
    const total = loadedBy(page).reduce((sum, name) => sum + statSync(new URL(name, WEB)).size, 0);
    assert.ok(total < 150_000, `${page}: ${total} bytes`);
  }
});

test("no script or style is inline", () => {
  for (const page of PAGES) {
    assert.doesNotMatch(read(page), /<script(?![^>]*\ssrc=)/);
    assert.doesNotMatch(read(page), /<style|\sstyle=|\son\w+=/);
  }
  const forbidden = /setAttribute\("style"|innerHTML|\beval\(|new Function/;
  for (const name of served) assert.doesNotMatch(read(name), forbidden, name);
});

test("nothing comes from another server", () => {
  const itsNamespace = "http://www.w3.org/2000/svg"; // a name, not an address that is asked
  for (const name of served) assert.doesNotMatch(read(name).replaceAll(itsNamespace, ""), /https?:\/\//, name);
});

test("every file that a page names exists, and no file is left over", () => {
  const named = new Set(PAGES.flatMap(loadedBy));
  assert.deepEqual([...named].sort(), [...served].sort());
});

test("what the page of the dives loads is announced, so that it comes in one go", () => {
  const announced = [...read("dives.html").matchAll(/modulepreload" href="assets\/([^"]+)"/g)].map(([, name]) => name);
  const modules = loadedBy("dives.html").filter((name) => name.endsWith(".js") && !["theme.js", "dives-early.js", "dives-app.js"].includes(name));
  assert.deepEqual(announced.sort(), modules.sort());
});

test("every element that the scripts and labels ask for is on its page, once", () => {
  const scripts = { "index.html": ["app.js", "render.js"], "dives.html": ["dives-app.js"] };
  for (const page of PAGES) {
    const html = read(page);
    const ids = [...html.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id);
    assert.equal(new Set(ids).size, ids.length);
    const wanted = [...scripts[page].map(read).join("").matchAll(/\$\("([^"]+)"\)/g)].map(([, id]) => id);
    const referred = [...html.matchAll(/(?:aria-labelledby|aria-describedby|\sfor|\slist)="([^"]+)"/g)].map(([, id]) => id);
    assert.deepEqual([...wanted, ...referred].filter((id) => !ids.includes(id)), [], page);
  }
});

test("text stands out by at least 4.5 to 1 in both themes", () => {
  const css = read("style.css");
  const colours = (selector) => {
    const block = css.slice(css.indexOf(selector)).match(/\{([^}]*)\}/)[1];
    const found = block.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6})/g);
    return Object.fromEntries([...found].map(([, name, value]) => [name, value]));
  };
  for (const theme of [colours(":root {"), colours(':root[data-theme="light"] {')]) {
    for (const pair of ["ink/ground", "quiet/ground", "accent/ground", "ink/raised", "quiet/raised", "quiet/track"]) {
      const [text, back] = pair.split("/");
      const ratio = contrast(theme[text], theme[back]);
      assert.ok(ratio >= 4.5, `${text} on ${back}: ${ratio.toFixed(2)}`);
    }
  }
});

function contrast(one, other) {
  const luminance = (colour) => {
    const [r, g, b] = [1, 3, 5].map((at) => {
      const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}
