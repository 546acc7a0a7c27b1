"""Logging in in a real browser: by the page for that, by a link with the token, and being thrown out again."""

import re
from contextlib import contextmanager
from pathlib import Path

import pytest
from chromium import BROWSER_TESTS, CHROMIUM, QUIET
from toy_onnx import write_toy_model

playwright = pytest.importorskip("playwright.sync_api")

from running import running  # noqa: E402

pytestmark = BROWSER_TESTS

OPERATE, VIEW = "operate-0123456789", "view-0123456789abc"
SHOWN = "() => document.querySelector('#stage')?.dataset.picture === 'yes'"


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return write_toy_model(tmp_path_factory.mktemp("model") / "toy.onnx")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        fake = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, *fake])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def server(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("library")
    with running(model, sources={"scene": "scene"}, library=folder, token=OPERATE, view_token=VIEW) as started:
        yield started


@contextmanager
def visitor(browser, url, **options):
    """A fresh profile that fails on any script error and on any request that leaves the server.

    Chromium reports answers of 401, 403 and 429 as errors; these are what is looked for here.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 800}, **options)
    complaints: list[str] = []
    context.on(
        "console",
        lambda message: (
            complaints.append(message.text) if message.type == "error" and "status of 4" not in message.text else None
        ),
    )
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    context.on("request", lambda ask: None if ask.url.startswith((url, "blob:")) else complaints.append(ask.url))
    yield context.new_page()
    context.close()
    assert complaints == []


def test_a_token_opens_the_page_that_was_asked_for(browser, server):
    with visitor(browser, server.url) as page:
        page.goto(f"{server.url}#scene")
        page.wait_for_url(re.compile("login"))
        page.fill("#token", "not the token of this server")
        page.press("#token", "Enter")
        page.wait_for_function("() => document.querySelector('#trouble').textContent !== ''")
        assert page.inner_text("#trouble") == "That is not a token of this server."
        page.fill("#token", OPERATE)
        page.click("#enter")
        page.wait_for_url(f"{server.url}#scene")
        page.wait_for_function(SHOWN)
        assert page.evaluate("() => document.cookie") == ""  # no script can read it
        page.goto(f"{server.url}login")
        page.wait_for_function("() => !document.querySelector('#inside').hidden")
        assert page.inner_text("#role") == "You are logged in, and may do everything."
        page.click("#out")
        page.wait_for_selector("#token:visible")
        page.goto(f"{server.url}dives")
        page.wait_for_url(f"{server.url}login?to=dives")


def test_a_link_with_the_token_leaves_none_in_the_address_nor_in_the_history(browser, server):
    with visitor(browser, server.url) as page:
        page.goto("about:blank")
        page.goto(f"{server.url}?token={VIEW}#scene")
        page.wait_for_function(SHOWN)
        assert page.url == f"{server.url}#scene"
        page.go_back()
        assert VIEW not in page.url
        page.go_forward()
        assert page.url == f"{server.url}#scene"


def test_who_may_only_look_is_told_so_where_more_is_wanted(browser, server):
    with visitor(browser, server.url, permissions=["camera"]) as page:
        page.goto(f"{server.url}?token={VIEW}#~camera")
        page.wait_for_function("() => /only lets you look|lets you look/.test(document.body.textContent)")
        page.goto(f"{server.url}dives")
        page.wait_for_selector("#choose:visible")
        page.set_input_files("#file", files=[{"name": "a.mp4", "mimeType": "video/mp4", "buffer": b"x" * 100}])
        page.wait_for_function("() => /lets you look/.test(document.querySelector('#uploads').textContent)")


@pytest.mark.parametrize("path", ["", "dives"])
def test_a_page_whose_token_is_not_good_any_more_asks_for_the_new_one(browser, server, path):
    with visitor(browser, server.url) as page:
        page.goto(f"{server.url}{path}?token={OPERATE}")
        page.wait_for_selector("#help:visible")
        page.context.clear_cookies()
        # Each request that is refused meanwhile begins the same navigation anew, which `wait_for_url` calls an error.
        page.wait_for_selector("#token:visible", timeout=30_000)
        assert re.search(f"login.to={path or 'live'}", page.url)


def test_in_turkish_on_a_phone_and_guessing_ends_in_a_wait(browser, model):
    with (
        running(model, token=OPERATE) as server,
        visitor(browser, server.url, locale="tr-TR") as page,
    ):
        page.set_viewport_size({"width": 360, "height": 640})
        page.goto(server.url)
        page.wait_for_selector("#token:visible")
        assert page.inner_text("label[for=token]") == "Erişim anahtarı"
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
        for number in range(6):
            page.fill("#token", f"guess {number}")
            page.click("#enter")
            page.wait_for_function("() => !document.querySelector('#enter').disabled")
        page.wait_for_function("() => /saniye sonra/.test(document.querySelector('#trouble').textContent)")
        page.select_option("#language", "en")
        page.wait_for_function("() => /try again in \\d+ second/.test(document.querySelector('#trouble').textContent)")
