// The page as it is served: works under a strict content policy, with every part in its place.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { LANGUAGES } from "../../web/text.js";

const WEB = new URL("../../web/", import.meta.url);
const served = readdirSync(WEB).filter((name) => /\.(html|css|js|svg|json)$/.test(name) && name !== "package.json");
const read = (name) => readFileSync(new URL(name, WEB), "utf8");
const PAGES = ["index.html", "dives.html", "login.html"];

/** What a script imports: before it runs, and on demand. */
function imports(name) {
  const code = read(name);
  const [before, later] = [/from "\.\/([^"]+)"/g, /\bimport\("\.\/([^"]+)"\)/g];
  return [before, later].map((pattern) => [...code.matchAll(pattern)].map(([, other]) => other));
}

const namedBy = (page) => [...read(page).matchAll(/(?:src|href)="assets\/([^"]+)"/g)].map(([, name]) => name);

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
  const named = new Set([...PAGES, ...PAGES.flatMap(namedBy), ...Object.keys(LANGUAGES).flatMap((language) => [`${language}.json`, `dives-${language}.json`, `login-${language}.json`, `sighting-${language}.json`, `times-${language}.json`])]);
  for (const name of served.filter((each) => each.endsWith(".js"))) imports(name).flat().forEach((other) => named.add(other));
  assert.deepEqual([...named].sort(), [...served].sort());
});

/** A module and all that it cannot run without. */
function graph(start) {
  const needed = new Set([start]);
  for (const name of needed) imports(name)[0].forEach((other) => needed.add(other));
  return needed;
}

const preloaded = (html) => [...html.matchAll(/<link rel="modulepreload" href="assets\/([^"]+)">/g)].map(([, name]) => name).sort();
const LATER = /<template id="player-modules">(.*?)<\/template>/s;

test("every module that a page starts with is asked for at once, and none that can wait", () => {
  for (const [page, start] of [["index.html", "app.js"], ["dives.html", "dives-app.js"]]) {
    const needed = [...graph(start)].filter((name) => name !== start).sort();
    assert.deepEqual(preloaded(read(page).replace(LATER, "")), needed, page);
  }
});

test("the player's modules are asked for together, and are not among those that the library starts with", () => {
  const library = graph("dives-app.js");
  const player = [...graph("dives-open.js")].filter((name) => !library.has(name)).sort();
  assert.deepEqual(preloaded(LATER.exec(read("dives.html"))[1]), player);
  assert.ok(player.length > library.size);
});

test("every element that the scripts and labels ask for is on its page, once", () => {
  const scripts = { "index.html": ["app.js", "render.js"], "dives.html": ["dives-app.js", "dives-dialogs.js", "dives-intake.js", "dives-joining.js", "dives-open.js", "dives-said.js"], "login.html": ["login.js"] };
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
  for (const css of ["style.css", "login.css"].map(read)) standsOut(css);
});

function standsOut(css) {
  const colours = (selector) => {
    const block = css.slice(css.indexOf(selector)).match(/\{([^}]*)\}/)[1];
    const found = block.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6})/g);
    return Object.fromEntries([...found].map(([, name, value]) => [name, value]));
  };
  for (const theme of [colours(":root {"), colours(':root[data-theme="light"] {')]) {
    for (const pair of ["ink/ground", "quiet/ground", "accent/ground", "ink/raised", "quiet/raised", "quiet/track", "alert/raised", "on-accent/accent"]) {
      const [text, back] = pair.split("/");
      if (!(back in theme)) continue;
      const ratio = contrast(theme[text], theme[back]);
      assert.ok(ratio >= 4.5, `${text} on ${back}: ${ratio.toFixed(2)}`);
    }
  }
}

test("the way in has the colours of the pages behind it", () => {
  const [page, door] = ["style.css", "login.css"].map((name) => new Set(read(name).match(/--[\w-]+: #[0-9a-f]{6}/g)));
  assert.deepEqual([...door].filter((colour) => !page.has(colour)), []);
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
