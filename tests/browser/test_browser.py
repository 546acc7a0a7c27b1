"""The page in a real browser against the real server: what a person opens, sees and presses."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from chromium import BROWSER_TESTS, REPO
from clips import write_clip
from toy_onnx import LABELS, write_toy_model

playwright = pytest.importorskip("playwright.sync_api")


pytestmark = BROWSER_TESTS


@pytest.fixture(scope="module")
def url(tmp_path_factory) -> Iterator[str]:
    """The real command, on a free port, with a clip that is red, green and blue for two seconds each."""
    folder = tmp_path_factory.mktemp("served")
    model = write_toy_model(folder / "toy.onnx")
    clip = write_clip(folder / "reef.mp4", frames=30, rate=5, size_hw=(90, 160))
    command = [sys.executable, "-m", "cli", "serve", "--port", "0", "--model", model, "--source", f"reef={clip}"]
    with subprocess.Popen(
        [*map(str, command), "--source", "scene=scene"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPO)},
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        line = server.stdout.readline()
        try:
            yield re.search(r"http://\S+", line)[0]
        finally:
            server.terminate()
            assert server.wait(10) == 0


@pytest.fixture
def context(browser, url) -> Iterator:
    """A fresh profile that fails the test on any script error, and on any request that leaves the server."""
    opened = browser.new_context(viewport={"width": 1280, "height": 800})
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    opened.on("weberror", lambda error: complaints.append(str(error.error)))
    opened.on(
        "request",
        lambda request: None if request.url.startswith((url, "blob:", "data:")) else complaints.append(request.url),
    )
    yield opened
    opened.close()
    assert complaints == []


def open_page(context, url: str, source: str = "reef"):
    page = context.new_page()
    page.goto(f"{url}#{source}")
    page.wait_for_function("() => document.querySelector('#stage').dataset.picture === 'yes'")
    return page


def shows_label(page, label: str | None = None) -> None:
    wanted = "|".join([label] if label else LABELS)
    page.wait_for_function(
        "wanted => new RegExp(`^(${wanted})$`).test(document.querySelector('#answer').textContent.trim())", arg=wanted
    )


def test_the_page_shows_the_picture_its_label_and_the_measured_facts(context, url):
    page = open_page(context, url)
    shows_label(page)
    for label, channel in zip(LABELS, range(3), strict=True):
        # In one look: the stable label rightly follows the picture by a fraction of a second.
        page.wait_for_function(
            """([label, channel]) => {
              const canvas = document.querySelector('#picture');
              const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
              const sum = [0, 0, 0, 0];
              for (let i = 0; i < data.length; i++) sum[i % 4] += data[i];
              const brightest = sum.indexOf(Math.max(...sum.slice(0, 3)));
              return document.querySelector('#answer').textContent.trim() === label && brightest === channel;
            }""",
            arg=[label, channel],
        )
    page.wait_for_function("() => /^[0-9]/.test(document.querySelector('#rate').textContent)")
    page.wait_for_function("() => /[0-9]/.test(document.querySelector('#age').textContent)")
    assert "CPU" in page.inner_text("#device")
    assert page.locator("#top > li:not(.none):visible").count() == 3
    assert re.search(r"\d\s?%", page.inner_text("#top"))


def test_the_heat_map_is_drawn_by_the_browser_and_can_be_switched_off(context, url):
    page = open_page(context, url)
    shows_label(page)
    heat_shows = """() => {
      const canvas = document.querySelector('#heat');
      if (!canvas.width || canvas.hidden || getComputedStyle(canvas).visibility === 'hidden'
          || getComputedStyle(canvas).display === 'none') return false;
      const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
      return data.some((value, i) => i % 4 === 3 && value > 20);
    }"""
    page.wait_for_function(heat_shows)
    page.keyboard.press("o")
    page.wait_for_function(f"() => !({heat_shows})()")
    page.keyboard.press("o")
    page.wait_for_function(heat_shows)
    before = page.input_value("#opacity")
    page.keyboard.press("[")
    page.wait_for_function("before => Number(document.querySelector('#opacity').value) < Number(before)", arg=before)


def test_a_second_tab_sees_the_same_and_both_are_counted(context, url):
    first, second = open_page(context, url), open_page(context, url)
    for page in (first, second):
        shows_label(page)
    status = httpx.get(f"{url}api/status").json()
    assert status["sources"]["reef"]["viewers"] == 2
    second.close()
    first.wait_for_function(
        """async () => (await (await fetch('/api/status')).json()).sources.reef.viewers === 1""", polling=100
    )
    shows_label(first)


def test_another_source_is_a_press_away_and_stays_in_the_address(context, url):
    page = open_page(context, url)
    page.get_by_role("link", name="scene").click()
    page.wait_for_function("() => location.hash.includes('scene')")
    page.wait_for_function("() => document.querySelector('#picture').width === 960")


def test_every_source_has_a_tile_with_its_picture_and_what_is_seen_there(context, url):
    page = open_page(context, url, "scene")
    page.wait_for_function(
        """labels => {
          const tile = document.querySelector('#sources a[href="#reef"]');
          return tile.querySelector('img').naturalWidth > 0 && labels.includes(tile.querySelector('small').textContent);
        }""",
        arg=list(LABELS),
    )
    picture = page.get_attribute("#sources a[href='#reef'] img", "src")
    page.wait_for_function(
        "before => document.querySelector('#sources a[href=\"#reef\"] img').getAttribute('src') !== before", arg=picture
    )
    assert httpx.get(f"{url}api/status").json()["sources"]["reef"]["viewers"] == 0  # a look costs no viewer's place


def test_a_source_that_does_not_exist_is_said_and_nothing_else_asked_of_it(context, url):
    page = context.new_page()  # the context fails the test on any error in the console, such as a 404
    page.goto(f"{url}#nowhere")
    page.wait_for_function("() => /no such source|no source/i.test(document.querySelector('#notice-text').textContent)")
    assert "Not connected" in page.inner_text("#announce-link")


def test_pause_stops_the_picture_and_says_so(context, url):
    page = open_page(context, url)
    shows_label(page)
    page.keyboard.press("Space")
    page.wait_for_function("() => /paused/i.test(document.querySelector('#link-text').textContent)")
    page.keyboard.press("Space")
    page.wait_for_function("() => !/paused/i.test(document.querySelector('#link-text').textContent)")


def test_a_still_is_saved_with_picture_and_map(context, url):
    page = open_page(context, url)
    shows_label(page)
    with page.expect_download() as download:
        page.keyboard.press("s")
    saved = Path(download.value.path()).read_bytes()
    assert saved.startswith(b"\x89PNG")
    assert len(saved) > 1000


def press_class(page, label: str) -> None:
    """In one turn of the page: the rows change places between a look and a click."""
    find = (
        "label => [...document.querySelectorAll('#top button')].find((row) => row.textContent.includes(label)).click()"
    )
    page.evaluate(find, label)


def test_a_press_on_a_class_shows_its_map_to_this_viewer_only(context, url):
    page, other = open_page(context, url), open_page(context, url)
    shows_label(page)
    press_class(page, "Turtle")
    page.wait_for_function(
        """() => {
          const canvas = document.querySelector('#heat');
          const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
          const best = document.querySelector('#top .name').textContent;
          const words = document.querySelector('#heat-words').textContent;
          return best === 'Fish' && /^Heat map of Turtle: empty/.test(words)
            && data.every((value, i) => i % 4 !== 3 || value === 0);
        }"""
    )  # red, and nothing in it speaks for what is blue
    other.wait_for_function(
        "() => /^Heat map of the most probable/.test(document.querySelector('#heat-words').textContent)"
    )
    assert other.locator("#top button[aria-pressed=true]").count() == 0
    assert "Turtle" in page.inner_text("#top button[aria-pressed=true]")
    assert page.get_attribute("#most-probable", "aria-pressed") == "false"
    page.keyboard.press("0")
    page.wait_for_function(
        "() => /^Heat map of the most probable/.test(document.querySelector('#heat-words').textContent)"
    )
    assert page.locator("#top button[aria-pressed=true]").count() == 0
    page.keyboard.press("1")
    page.wait_for_function("() => document.querySelectorAll('#top button[aria-pressed=true]').length === 1")


def test_the_chosen_class_is_asked_for_again_after_a_reconnection(context, url):
    page = context.new_page()
    page.add_init_script(
        """window.sockets = [];
        window.WebSocket = class extends WebSocket {
          constructor(url) { super(url); window.sockets.push(this); }
        };"""
    )
    page.goto(f"{url}#reef")
    shows_label(page)
    press_class(page, "Octopus")
    page.wait_for_function("() => /^Heat map of Octopus/.test(document.querySelector('#heat-words').textContent)")
    page.evaluate("window.sockets.at(-1).close()")
    page.wait_for_function("() => window.sockets.length === 2")
    page.wait_for_function(
        """() => document.querySelector('#link').dataset.tone === 'live'
          && document.querySelector('#top .name').textContent !== 'Octopus'
          && /^Heat map of Octopus: empty/.test(document.querySelector('#heat-words').textContent)"""
    )


def test_a_paused_page_steps_back_through_what_it_received(context, url):
    page = open_page(context, url)
    for label in LABELS[:2]:
        shows_label(page, label)
    page.keyboard.press("ArrowLeft")  # pauses as well
    page.wait_for_function("() => /paused/i.test(document.querySelector('#link-text').textContent)")
    assert re.fullmatch(r"\d+\.\d\ss ago", page.inner_text("#ago"))
    since = float(page.inner_text("#ago").split()[0])
    began = page.evaluate("Number(document.querySelector('#place').value)")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("Number(document.querySelector('#place').value)") == began - 1
    page.locator("#place").focus()
    page.keyboard.press("Home")
    page.wait_for_function(
        """([labels, since]) => {
          const canvas = document.querySelector('#picture');
          const [...rgb] = canvas.getContext('2d').getImageData(80, 45, 1, 1).data.slice(0, 3);
          const best = document.querySelector('#top .name').textContent;
          return document.querySelector('#place').value === '0' && best === labels[rgb.indexOf(Math.max(...rgb))]
            && Number.parseFloat(document.querySelector('#ago').textContent) > since + 2;
        }""",
        arg=[list(LABELS), since],
    )
    assert re.search(r"^Paused, .*ago$", page.inner_text("#now-title"))
    page.keyboard.press("Space")
    page.wait_for_function("() => !/paused/i.test(document.querySelector('#link-text').textContent)")
    assert page.locator("#replay").is_hidden()
    shows_label(page, LABELS[2])


def test_the_controls_for_the_eye_change_the_screen_and_nothing_else(context, url):
    page = open_page(context, url, "scene")
    page.keyboard.press("o")  # the picture alone
    page.keyboard.press("Space")
    page.wait_for_function("() => /paused/i.test(document.querySelector('#link-text').textContent)")
    drawn = "document.querySelector('#picture').toDataURL()"

    def facts() -> list[str]:
        return [page.inner_text(name) for name in ("#answer", "#top", "#heat-words")]

    page.evaluate("document.querySelector('#replay').style.visibility = 'hidden'")  # it lies over the picture
    original, screen, said = page.evaluate(drawn), page.locator("#picture").screenshot(), facts()
    for control in ("contrast", "haze", "balance"):
        page.locator("#eye-title").press("Enter")
        page.locator(f"#eye-{control}").press("End")
        assert page.input_value(f"#eye-{control}") == "100"
        page.keyboard.press("Escape")  # the panel lies over the picture too
        changed = page.locator("#picture").screenshot()
        assert changed != screen, control
        assert page.evaluate(drawn) == original
        assert facts() == said
        page.locator("#eye-title").press("Enter")
        page.locator("#eye-reset").click()
        page.keyboard.press("Escape")
        assert page.locator("#picture").screenshot() == screen, control
    page.locator("#eye-title").press("Enter")
    page.locator("#eye-haze").press("End")
    page.reload()
    page.wait_for_function("() => document.querySelector('#stage').dataset.eye === 'yes'")
    assert page.input_value("#eye-haze") == "100"


@pytest.mark.parametrize("locale", ["en-GB", "tr-TR"])
def test_nothing_is_cut_off_at_any_width(browser, url, locale):
    opened = browser.new_context(viewport={"width": 1280, "height": 800}, locale=locale)
    page = open_page(opened, url)
    page.wait_for_function("() => /[a-z]/i.test(document.querySelector('#answer').textContent)")
    inside = """(id) => {
      const {left, right, width} = document.querySelector(id).getBoundingClientRect();
      return width > 0 && left >= 0 && right <= innerWidth;
    }"""
    words = json.loads((REPO / "web" / f"{locale[:2]}.json").read_text(encoding="utf-8"))
    longest = {  # of what each chip may say, whatever is said at the moment
        "rate-note": words["rate.of"].replace("{rate}", "120.0"),
        "age-note": max((words["age.growing"], words["age.paused"]), key=len),
        "device-note": max((words["provider.missed"], words["provider.failed"]), key=len),
        "lost": "1.234.567",
    }
    page.evaluate(
        """(longest) => {
          for (const [id, words] of Object.entries(longest)) {
            const chip = document.getElementById(id);
            const say = () => { if (chip.textContent !== words) chip.textContent = words; };
            new MutationObserver(say).observe(chip, {childList: true, characterData: true, subtree: true});
            say();
          }
        }""",
        longest,
    )
    for width in (320, 390, 430, 600, 720, 768, 820, 940, 1024, 1100, 1280, 1440):
        page.set_viewport_size({"width": width, "height": 844 if width < 600 else 900})
        page.wait_for_function("width => innerWidth === width", arg=width)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        # The stage fits its picture to the new size one turn later.
        page.wait_for_function(
            "most => document.querySelector('#picture').getBoundingClientRect().width > most / 2", arg=min(width, 1000)
        )
        for panel in ("#eye", "#losses"):
            page.locator(f"{panel} summary").press("Enter")
            assert page.evaluate(inside, f"{panel} .panel"), (panel, width)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (panel, width)
            page.keyboard.press("Escape")
        page.locator("#help").click()
        assert page.evaluate(inside, "#dialog"), width
        page.keyboard.press("Escape")
        assert page.evaluate(inside, "#colours"), width
        assert page.evaluate(inside, "#answer"), width
    opened.close()


@pytest.mark.parametrize(("locale", "language", "other"), [("en-GB", "en", "tr"), ("tr-TR", "tr", "en")])
def test_a_visit_loads_less_than_150_kb_from_this_server_and_one_language(browser, url, locale, language, other):
    opened = browser.new_context(locale=locale)
    page = opened.new_page()
    answers = []
    page.on("response", lambda answer: answers.append(answer) if "/api/" not in answer.url else None)
    session = opened.new_cdp_session(page)
    session.send("Network.enable")
    travelled = []
    session.on("Network.loadingFinished", lambda event: travelled.append(event["encodedDataLength"]))
    page.goto(f"{url}#reef")
    page.wait_for_function("() => document.querySelector('#answer').dataset.known === 'yes'")
    page.wait_for_load_state("networkidle")
    bodies = {answer.url.removeprefix(url): len(answer.body()) for answer in answers}
    names = {address.rpartition("/")[2] for address in bodies}
    assert {"", "app.js", f"{language}.json"} <= names
    assert f"{other}.json" not in names
    assert 20_000 < sum(travelled) < 150_000  # all that came over the wire, the API's answers and pictures included
    assert sum(bodies.values()) < 150_000, bodies  # as the browser reads them, before compression
    assert all(answer.header_value("content-encoding") == "gzip" for answer in answers)
    assert page.locator("#dives").is_hidden()  # there is no library
    opened.close()


def test_a_second_visit_asks_and_is_sent_nothing(context, url):
    open_page(context, url).close()
    page = context.new_page()
    codes = []
    page.on("response", lambda answer: codes.append(answer.status) if "/assets/" in answer.url else None)
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    assets, sizes = set(), []
    session.on(
        "Network.requestWillBeSent",
        lambda event: assets.add(event["requestId"]) if "/assets/" in event["request"]["url"] else None,
    )
    session.on(
        "Network.loadingFinished",
        lambda event: sizes.append(event["encodedDataLength"]) if event["requestId"] in assets else None,
    )
    page.goto(f"{url}#reef")
    shows_label(page)
    assert len(codes) > 20
    assert len(sizes) > 20
    assert sum(sizes) < 20_000  # headers: what is seen meanwhile, and its pictures, are news


def test_every_visible_word_comes_from_the_catalogue(context, url):
    """With a catalogue that marks each of its texts, what stands unmarked on the page is data, or a bypass."""

    def mark(entry: object) -> object:
        return {form: mark(text) for form, text in entry.items()} if isinstance(entry, dict) else f"⟦{entry}⟧"

    def marked(route) -> None:
        texts = json.loads((REPO / "web" / "en.json").read_text(encoding="utf-8"))
        route.fulfill(json={key: mark(entry) for key, entry in texts.items()})

    context.route("**/assets/**/en.json", marked)
    page = context.new_page()
    page.goto(f"{url}#reef")
    page.wait_for_function("() => document.querySelector('#stage').dataset.picture === 'yes'")
    page.locator("#losses summary").click()
    page.locator("#eye-title").click()
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("() => !document.querySelector('#replay').hidden")
    page.locator("#help").click()
    said = page.evaluate(
        """() => {
          const said = [];
          for (const element of document.body.querySelectorAll('*')) {
            if (element.closest('noscript, svg')) continue;
            for (const node of element.childNodes) if (node.nodeType === Node.TEXT_NODE) said.push(node.data);
            for (const name of ['aria-label', 'aria-valuetext', 'title', 'alt']) {
              said.push(element.getAttribute(name) ?? '');
            }
          }
          return said;
        }"""
    )
    assert sum("⟦" in text for text in said) > 60
    data = {*LABELS, "Reeflens", "reef", "scene", "English", "Türkçe", "Inferno", "Viridis", "Cividis", "CPU"}
    data |= {"O", "C", "V", "S", "F", "CPUExecutionProvider", "toy.onnx"}
    plain = {re.sub(r"[<>]?\d+%", "", text).strip() for text in said if "⟦" not in text}
    plain = {text for text in plain if re.search(r"[^\W\d_]", text)}
    utc = re.compile(r"[\dT:.Z – -]+")
    version = httpx.get(f"{url}api/status").json()
    data |= {version["version"], version["provider"]["note"]}
    assert {text for text in plain - data if not utc.fullmatch(text)} == set()


def test_the_page_speaks_the_browsers_language_and_another_when_asked(browser, url):
    opened = browser.new_context(locale="tr-TR")
    page = opened.new_page()
    page.goto(f"{url}#reef")
    shows_label(page, "Balık|Ahtapot")  # Fish and Octopus; Turtle is no class of the catalogue
    assert page.evaluate("document.documentElement.lang") == "tr"
    assert page.inner_text("#sightings-title").startswith("Gözlemler")
    assert re.search(r"%\d", page.inner_text("#top"))
    page.select_option("#language", "en")
    page.wait_for_function("() => document.documentElement.lang === 'en'")
    shows_label(page, "Fish|Octopus")
    assert page.inner_text("#sightings-title").startswith("Sightings")
    page.reload()
    shows_label(page, "Fish|Octopus")  # remembered
    assert page.input_value("#language") == "en"
    opened.close()


def test_the_heat_map_has_the_chosen_colours_and_remembers_them(context, url):
    page = open_page(context, url)
    # The most opaque pixel of the map has the legend's colour of its value, and the legend is the table's.
    painted = """(last) => {
      const pixels = (id) => {
        const canvas = document.querySelector(id);
        return canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
      };
      const [heat, legend] = [pixels('#heat'), pixels('#legend')];
      let at = 3;
      for (let i = 3; i < heat.length; i += 4) if (heat[i] > heat[at]) at = i;
      const value = Math.round(heat[at] / (document.querySelector('#opacity').value / 100));
      const near = [0, 1, 2].every((c) => Math.abs(heat[at - 3 + c] - legend[4 * value + c]) < 8);
      return heat[at] > 60 && near && legend.slice(1020, 1023).join() === last;
    }"""
    for name, last in (("viridis", "253,231,37"), ("cividis", "254,232,56"), ("inferno", "252,255,164")):
        page.select_option("#colours", name)
        page.wait_for_function(painted, arg=last)
    page.keyboard.press("c")
    assert page.input_value("#colours") == "viridis"
    page.reload()
    page.wait_for_function("() => document.querySelector('#colours').value === 'viridis'")


def test_what_was_not_shown_is_told_by_cause(context, url):
    page = open_page(context, url)
    page.locator("#losses summary").press("Enter")
    page.wait_for_function("() => /^[0-9]/.test(document.querySelector('#loss-rows dd')?.textContent)")
    told = page.inner_text("#loss-rows")
    for words in ("Captured", "the model had no time", "could not be decoded", "came back after a loss", "fell silent"):
        assert words in told
    page.keyboard.press("Escape")
    assert not page.evaluate("document.querySelector('#losses').open")


def test_what_was_seen_before_the_page_opened_is_listed_and_opens_with_its_map(context, url):
    def seen() -> list[dict]:
        return httpx.get(f"{url}api/sightings", params={"source": "reef"}).json()

    first = open_page(context, url)
    for label in LABELS:
        shows_label(first, label)
    first.close()
    assert len(seen()) >= 2
    page = open_page(context, url)
    page.wait_for_function("() => document.querySelectorAll('#sightings li').length >= 2")
    page.wait_for_function("() => document.querySelector('#sightings img')?.naturalWidth > 0")
    entry = page.locator("#sightings li").nth(1)
    assert re.search("|".join(LABELS), entry.inner_text())
    assert re.search(r"best >?\d+%", entry.inner_text())
    count = page.locator("#sightings li").count()
    page.wait_for_function("n => document.querySelectorAll('#sightings li').length > n", arg=count)  # goes on by itself
    page.locator("#sightings button").nth(1).press("Enter")
    page.wait_for_function("() => document.querySelector('#sighting-still')?.naturalWidth > 0")
    assert page.locator("#sighting").is_visible()
    assert page.locator("#sighting-clip").is_hidden()
    page.keyboard.press("Escape")
    assert page.locator("#sighting").is_hidden()
