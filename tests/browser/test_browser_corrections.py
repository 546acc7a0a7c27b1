"""What a sighting seen live was, said on the page by keyboard, and seen by those who may only look."""

import re
from pathlib import Path

import pytest
from chromium import BROWSER_TESTS, CHROMIUM, QUIET
from clips import write_clip
from toy_onnx import write_toy_model

playwright = pytest.importorskip("playwright.sync_api")

from running import running  # noqa: E402
from test_browser_login import OPERATE, VIEW, visitor  # noqa: E402

pytestmark = BROWSER_TESTS


def opened(page, url: str, token: str):
    """The dialog of the newest sighting, opened by keyboard, for who holds the token."""
    assert page.request.post(f"{url}api/session", data={"token": token}).ok
    page.goto(f"{url}#reef")
    return again(page)


def again(page):
    page.locator("#sightings button").first.press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.wait_for()
    return dialog


def test_a_sighting_is_corrected_on_the_live_page_by_keyboard_and_a_viewer_sees_it(tmp_path: Path) -> None:
    model = write_toy_model(tmp_path / "toy.onnx")
    clip = write_clip(tmp_path / "reef.mp4", frames=30, rate=5, size_hw=(90, 160))
    settings = {"sources": {"reef": str(clip)}, "record": tmp_path / "rec", "token": OPERATE, "view_token": VIEW}
    focused = "() => document.activeElement.textContent"
    with playwright.sync_playwright() as driver, running(model, **settings) as server:
        server.http.headers["authorization"] = f"Bearer {VIEW}"
        server.wait_for("reef", lambda source: source["state"] == "ended")
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        with visitor(browser, server.url, locale="en-GB") as page:
            dialog = opened(page, server.url, OPERATE)
            said = dialog.locator("#said")
            dialog.get_by_label("Your name").fill("Ada")
            dialog.get_by_role("button", name="Wrong …").press("Enter")
            page.keyboard.type("moray eel")
            page.keyboard.press("Enter")
            said.get_by_text("it is moray eel").wait_for()
            assert page.evaluate(focused) == "Undo"
            page.keyboard.press("Escape")
            row = page.locator("#sightings li").first
            row.get_by_text("it is moray eel").wait_for()
            assert "it is moray eel" in row.get_by_role("button").get_attribute("aria-label")
            dialog = again(page)
            assert dialog.get_by_label("Your name").input_value() == "Ada"
            dialog.get_by_role("button", name="Undo").press("Enter")
            dialog.get_by_role("button", name="Right").wait_for()
            assert page.evaluate(focused) == "Right"
            dialog.get_by_role("button", name="Nothing there").press("Enter")
            said.get_by_text("nothing there").wait_for()
        with visitor(browser, server.url, locale="tr-TR") as page:
            dialog = opened(page, server.url, VIEW)
            dialog.get_by_text("burada bir şey yok").wait_for()
            assert "Anahtarınız yalnızca izlemeye yeter" in dialog.inner_text()
            assert dialog.get_by_role("button").count() == 1  # to close it
        browser.close()
    lines = (tmp_path / "rec" / "reef" / "corrections.jsonl").read_text(encoding="utf-8").splitlines()
    assert [re.search('"verdict": "([a-z]+)"', line)[1] for line in lines] == ["wrong", "undo", "nothing"]
