"""Dives of servers of their own: none, one that is killed while a recording is sent, one whose times are mended."""

import os
import re
import signal
import subprocess
import sys

import httpx
import pytest
from chromium import BROWSER_TESTS, REPO
from clips import write_clip
from dives_page import open_first, opened_page, send, serving, wait_for_cards
from sending import settled
from toy_onnx import write_toy_model

pytestmark = BROWSER_TESTS

TWO_DIVES = (
    "time,depth_m\n2026-05-01T09:29:00,10\n2026-05-01T09:31:00,10\n2026-05-01T13:29:00,20\n2026-05-01T13:31:00,20\n"
)
# Until the log, which is sent as soon as it is chosen, is there and refused.
JOIN = """() => {
  document.querySelector("#times-join").click();
  return document.querySelector(".times-fits button");
}"""


def test_without_a_library_the_page_says_how_to_get_one(tmp_path, browser):
    model = write_toy_model(tmp_path / "toy.onnx")
    command = [sys.executable, "-m", "cli", "serve", "--port", "0", "--model", str(model)]
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as server:
        url = re.search(r"http://\S+", server.stdout.readline())[0]
        with opened_page(browser, url, may_complain=True) as page:
            page.wait_for_function("() => document.querySelector('#no-library').textContent.includes('--library')")
        server.terminate()


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL on Windows")
def test_an_upload_outlives_a_killed_server_and_a_reload(browser, tmp_path):
    """Some of the file is there when the server is killed; the page goes on by itself, after a reload when asked."""
    clip = write_clip(tmp_path / "big.mp4", frames=30)
    padding = 40_000_000  # an MP4 may end in a box that nobody reads
    with clip.open("ab") as file:
        file.write((padding + 8).to_bytes(4, "big") + b"free" + bytes(padding))
    size = clip.stat().st_size

    def offset(url: str) -> int:
        return sum(upload["offset"] for upload in httpx.get(f"{url}api/uploads").json())

    def hold(route) -> None:
        """The third slice never leaves the page, so that there is something to go on with."""
        if route.request.headers.get("upload-offset") == str(2 * 8 * 1024 * 1024):
            held.append(route)
        else:
            route.continue_()

    held: list = []
    with serving(tmp_path) as (url, server):
        port = int(url.rstrip("/").rpartition(":")[2])
        with opened_page(browser, url, may_complain=True) as page:
            page.wait_for_function("() => !document.querySelector('#intake').hidden")
            page.route("**/api/uploads/*", hold)
            send(page, clip)
            page.wait_for_function("() => document.querySelector('#uploads .quiet')?.textContent.includes('16.8')")
            assert offset(url) == 2 * 8 * 1024 * 1024
            server.send_signal(signal.SIGKILL)
            server.wait(10)
            page.unroute("**/api/uploads/*")
            for route in held:
                route.abort()
            page.wait_for_function("() => document.querySelector('#uploads li').dataset.state === 'retrying'")
            with serving(tmp_path, port) as (again, _):
                assert again == url
                wait_for_cards(page, 1)
                dive = httpx.get(f"{url}api/dives").json()["dives"][0]
                assert dive["bytes"] == size

                held.clear()
                page.route("**/api/uploads/*", hold)
                send(page, clip)
                page.wait_for_function("() => document.querySelector('#uploads .quiet')?.textContent.includes('16.8')")
                page.on("dialog", lambda dialog: dialog.accept())
                page.reload()
                page.wait_for_function("() => document.querySelector('#uploads li')?.dataset.state === 'interrupted'")
                page.unroute("**/api/uploads/*")
                assert offset(url) == 2 * 8 * 1024 * 1024
                send(page, clip)
                wait_for_cards(page, 2)
                begun = httpx.get(f"{url}api/uploads").json()
                assert begun == []


def test_the_time_and_the_dive_log_of_a_dive_are_mended_on_its_page_in_either_language(browser, tmp_path):
    recorded = {"creation_time": "2026-05-01T09:30:00Z"}
    clip = write_clip(tmp_path / "reef.mp4", frames=60, rate=30, size_hw=(90, 160), metadata=recorded)
    (tmp_path / "log.csv").write_text(TWO_DIVES)
    # A refusal is an error to the browser's console.
    turkish = {"locale": "tr-TR", "timezone_id": "Europe/Istanbul", "may_complain": True}
    with (
        serving(tmp_path) as (url, _),
        opened_page(browser, url, **turkish) as page,
        httpx.Client(base_url=url) as http,
    ):
        send(page, clip)
        wait_for_cards(page, 1)
        open_first(page)
        dive = f"api/dives/{page.evaluate('location.hash.slice(1)')}"
        page.click("#times")
        page.wait_for_selector("#times-dialog[open]")
        assert page.input_value("#times-at") == "2026-05-01T12:30"  # on this device's clock
        assert page.input_value("#times-zone") == "180"
        page.set_input_files("#times-file", str(tmp_path / "log.csv"))
        page.wait_for_function(JOIN)
        assert "2 dalıştan" in page.inner_text("#times-why")
        later = page.locator(".times-fits button").nth(1)
        assert re.search(r"13:29 – 13:31.*4\ssa 0\sdk ileri", later.inner_text())
        later.click()
        assert page.input_value("#times-offset") == "14400"
        page.click("#times-join")
        page.wait_for_selector("#times-dialog", state="hidden")

        def joined(depth):
            settled(http, dive.rpartition("/")[2])
            rows = http.get(f"{dive}/files/frames.csv").text.splitlines()
            at = rows[0].split(",").index("depth_m")
            assert {row.split(",")[at] for row in rows[1:]} == {depth}
            return rows[1]

        joined("20.00")
        page.select_option("#language", "en")
        page.wait_for_function("() => document.querySelector('#times').textContent === 'Time and dive log …'")
        page.click("#times")
        page.wait_for_selector("#times-dialog[open]")
        assert "dive 2 of 2 in log.csv" in page.inner_text("#times-dialog")
        page.fill("#times-at", "2026-05-01T09:30:00")
        page.select_option("#times-zone", "-240")
        page.check("#times-log-none")
        page.click("#times-join")
        page.wait_for_selector("#times-dialog", state="hidden")
        assert "2026-05-01T13:30:00.000Z,start" in joined("")
        page.wait_for_function("() => document.querySelector('#dive-facts').textContent.includes('16:30')")
