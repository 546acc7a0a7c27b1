"""The page in a real browser against the real server: what a person opens, sees and presses."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from clips import write_clip
from toy_onnx import LABELS, write_toy_model

playwright = pytest.importorskip("playwright.sync_api")

REPO = Path(__file__).parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None and not os.environ.get("CI"), reason="no Chromium here; CI never skips this"),
]


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


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield opened
        opened.close()


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


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 800), (1920, 1080)])
def test_nothing_is_cut_off_at_any_width(browser, url, width, height):
    opened = browser.new_context(viewport={"width": width, "height": height})
    page = open_page(opened, url)
    shows_label(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    box = page.locator("#picture").bounding_box()
    assert box["width"] > 0.5 * min(width, 1200)
    assert page.locator("#answer").is_visible()
    opened.close()


def test_the_page_is_small(url):
    page = httpx.get(url)
    assets = re.findall(r'(?:src|href)="(assets/[^"]+)"', page.text)
    modules = [path.name for path in (REPO / "web").glob("*.js")]
    total = len(page.content) + sum(
        len(httpx.get(url + name).raise_for_status().content)
        for name in {*assets, *(f"assets/{module}" for module in modules)}
    )
    assert total < 150_000
