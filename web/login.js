// The way in: a token becomes a cookie that no script can read. Who has one already is sent on: a browser keeps it back
// when a link of another site leads here, and gives it to what this page asks.
//
// A classic script on purpose: a module would run after the page had flashed in the wrong colours.
{
  const PAGES = { live: "./", dives: "dives" }; // nobody else's address leads anywhere from here
  const $ = (id) => document.getElementById(id);
  const asked = new URLSearchParams(location.search);
  const page = document.documentElement;

  const recall = (name) => {
    try {
      return localStorage.getItem(`reeflens.${name}`);
    } catch {
      return null; // storage is forbidden: choices last as long as the page
    }
  };
  page.dataset.theme = recall("theme") === "light" ? "light" : "dark";
  const known = [recall("language"), ...navigator.languages].map((tag) => String(tag).slice(0, 2));
  page.lang = known.find((tag) => ["en", "tr"].includes(tag)) ?? "en";

  let words = null; // text.js
  let role = "nobody";
  let trouble = null; // what was wrong, as arguments of t()

  async function say(language) {
    const answer = await fetch(`assets/login-${language}.json`);
    words.speak(language, await answer.json());
    page.lang = language;
    show();
  }

  function show() {
    const { t } = words;
    for (const element of document.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
    for (const element of document.querySelectorAll("[data-name]")) element.setAttribute("aria-label", t(element.dataset.name));
    $("form").hidden = role !== "nobody";
    $("inside").hidden = role === "nobody";
    if (role !== "nobody") $("role").textContent = t(`role.${role}`);
    $("trouble").textContent = trouble === null ? "" : t(...trouble);
    document.querySelector("main").removeAttribute("aria-busy");
  }

  /** Asks the server who this is, or tells it; what it answers, null where it does not. */
  async function session(method, body) {
    try {
      return await fetch("api/session", { method, headers: { "content-type": "application/json" }, body, signal: AbortSignal.timeout(8_000) });
    } catch {
      return null;
    }
  }

  const roleNow = async () => {
    const answer = await session("GET");
    return answer?.ok ? (await answer.json()).role : "nobody";
  };

  // Also where the address names no page: the fragment is the source or the dive that was wanted.
  const goOn = () => location.replace((PAGES[asked.get("to")] ?? PAGES.live) + location.hash);

  async function enter(event) {
    event.preventDefault();
    $("enter").disabled = true;
    const answer = await session("POST", JSON.stringify({ token: $("token").value }));
    $("enter").disabled = false;
    if (answer?.ok) {
      if ((await roleNow()) !== "nobody") return goOn();
      trouble = ["no.cookie"];
    } else if (answer?.status === 429) {
      trouble = ["no.later", { n: Number(answer.headers.get("retry-after")) }];
    } else if (answer?.status === 401 || answer?.status === 422) {
      trouble = ["no.wrong"];
    } else {
      trouble = answer === null ? ["no.server"] : ["no.other", { code: String(answer.status) }];
    }
    show();
    $("token").select();
  }

  async function leave() {
    await session("DELETE");
    role = await roleNow();
    show();
  }

  async function start() {
    const [text, preferences, now] = await Promise.all([import("./text.js"), import("./preferences.js"), roleNow()]);
    words = text;
    role = now;
    if (role !== "nobody" && asked.has("to")) return goOn();
    if (asked.get("why") === "wrong") trouble = ["no.wrong"];
    if (asked.get("why") === "later") trouble = ["no.soon"];
    for (const [tag, name] of Object.entries(text.LANGUAGES)) $("language").append(new Option(name, tag, false, tag === page.lang));
    $("language").addEventListener("change", ({ target }) => {
      preferences.remember("language", target.value);
      say(target.value);
    });
    $("form").addEventListener("submit", enter);
    $("show").addEventListener("change", ({ target }) => ($("token").type = target.checked ? "text" : "password"));
    $("on").addEventListener("click", goOn);
    $("out").addEventListener("click", leave);
    await say(page.lang);
    $("token").focus();
  }

  document.addEventListener("DOMContentLoaded", start);
}
