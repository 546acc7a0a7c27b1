"""A page's own camera in a real Chromium whose camera plays a file: label and heat map over the local video."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import httpx
import pytest
from chromium import BROWSER_TESTS, CHROMIUM, QUIET, REPO
from clips import colour_frame
from toy_onnx import LABELS, write_toy_model

playwright = pytest.importorskip("playwright.sync_api")


Launch = Callable[..., Any]

pytestmark = BROWSER_TESTS

HEAT_SHOWS = """() => {
  const canvas = document.querySelector('#heat');
  if (!canvas.width || getComputedStyle(canvas).visibility === 'hidden') return false;
  const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  return data.some((value, i) => i % 4 === 3 && value > 20);
}"""
# The label on the page, and the channel that is brightest in the local video under the heat map: in one look.
LABEL_OVER_VIDEO = """([label, channel]) => {
  const video = document.querySelector('#own');
  if (!video.videoWidth || getComputedStyle(video).visibility === 'hidden') return false;
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [32, 18];
  const context = canvas.getContext('2d');
  context.drawImage(video, 0, 0, 32, 18);
  const sum = [0, 0, 0, 0];
  context.getImageData(0, 0, 32, 18).data.forEach((value, i) => { sum[i % 4] += value; });
  const brightest = sum.indexOf(Math.max(...sum.slice(0, 3)));
  return document.querySelector('#answer').textContent.trim() === label && brightest === channel;
}"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("served")
    model = write_toy_model(folder / "toy.onnx")
    with subprocess.Popen(
        [sys.executable, "-m", "cli", "serve", "--port", "0", "--host", "0.0.0.0", "--insecure", "--model", str(model)],
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
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Red, green and blue for two seconds each, at the 30 frames/s at which Chromium plays such a file."""
    path = tmp_path_factory.mktemp("film") / "reef.mjpeg"
    with path.open("wb") as file:
        for colour in range(3):
            bgr = cv2.cvtColor(colour_frame(10 * colour, 360, 640), cv2.COLOR_RGB2BGR)
            file.write(cv2.imencode(".jpg", bgr)[1].tobytes() * 60)
    return path


@pytest.fixture(scope="module")
def driver() -> Iterator:
    with playwright.sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def browser(driver, film: Path) -> Iterator:
    """With a camera that plays the film, and whoever asks may use it."""
    fake = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    args = [*QUIET, *fake, f"--use-file-for-fake-video-capture={film}"]
    opened = driver.chromium.launch(executable_path=CHROMIUM, args=args)
    yield opened
    opened.close()


@pytest.fixture
def launch(driver) -> Iterator[Launch]:
    """Starts another browser."""
    with ExitStack() as stack:

        def start(*args: str) -> Any:
            opened = driver.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, *args])
            stack.callback(opened.close)
            return opened

        yield start


@pytest.fixture
def page(browser, url: str) -> Iterator:
    """A fresh profile that fails the test on any script error, and on any request that leaves the server."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    complaints: list[str] = []
    context.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    context.on(
        "request",
        lambda request: None if request.url.startswith((url, "blob:", "data:")) else complaints.append(request.url),
    )
    yield context.new_page()
    context.close()
    assert complaints == []


def open_camera(page, url: str) -> None:
    page.goto(url)
    page.get_by_role("link", name="This camera").click()
    # A picture, and of this camera: the one shown before may still be there.
    shown = "document.querySelector('#stage').dataset.picture === 'yes' && document.querySelector('#own').srcObject"
    page.wait_for_function(f"() => {shown}")


def no_camera_is_connected(page) -> None:
    page.wait_for_function("async () => (await (await fetch('/api/status')).json()).cameras === 0", polling=100)


def test_label_and_heat_map_appear_over_the_local_video(page, url: str) -> None:
    open_camera(page, url)
    for channel, label in enumerate(LABELS):
        page.wait_for_function(LABEL_OVER_VIDEO, arg=[label, channel])
    page.wait_for_function(HEAT_SHOWS)
    video, heat = page.locator("#own").bounding_box(), page.locator("#heat").bounding_box()
    assert video == heat
    assert video["width"] / video["height"] == pytest.approx(640 / 360, rel=0.02)
    page.wait_for_function("() => Number(document.querySelector('#rate').textContent) > 2")
    page.wait_for_function("() => /[0-9].*s$/.test(document.querySelector('#age').textContent)")
    assert page.locator("#sightings li").count() >= 1
    assert "no-camera" not in page.inner_text("#link-text")
    assert [source["name"] for source in httpx.get(f"{url}api/sources").json()] == ["scene"]
    assert httpx.get(f"{url}api/status").json()["cameras"] == 1


def test_another_source_switches_the_camera_off(page, url: str) -> None:
    open_camera(page, url)
    track = "document.querySelector('#own').srcObject.getVideoTracks()[0]"
    page.evaluate(f"window.track = {track}")
    assert page.evaluate("track.readyState") == "live"
    page.get_by_role("link", name="scene").click()
    page.wait_for_function("() => track.readyState === 'ended' && document.querySelector('#own').srcObject === null")
    page.wait_for_function("() => document.querySelector('#picture').width === 960")
    no_camera_is_connected(page)
    page.go_back()
    page.wait_for_function("() => document.querySelector('#own').srcObject !== null")
    page.wait_for_function(HEAT_SHOWS)


def test_another_camera_can_be_picked_and_is_remembered(launch: Launch, url: str) -> None:
    page = launch("--use-fake-device-for-media-stream=device-count=2", "--use-fake-ui-for-media-stream").new_page()
    open_camera(page, url)
    page.wait_for_selector("#camera:visible")
    options = "[...document.querySelector('#camera').options].map(option => option.value)"
    chosen, other = page.input_value("#camera"), page.evaluate(options)
    other.remove(chosen)
    page.select_option("#camera", other[0])
    is_on = "id => document.querySelector('#own').srcObject?.getVideoTracks()[0].getSettings().deviceId === id"
    page.wait_for_function(is_on, arg=other[0])
    page.wait_for_function("() => document.querySelector('#link-text').textContent === 'Live'")
    page.wait_for_function("async () => (await (await fetch('/api/status')).json()).cameras === 1", polling=100)
    page.reload()
    page.wait_for_function(is_on, arg=other[0])


def test_a_pause_shows_what_the_model_saw_and_sends_nothing_more(page, url: str) -> None:
    open_camera(page, url)
    page.wait_for_function(LABEL_OVER_VIDEO, arg=[LABELS[0], 0])
    page.keyboard.press("Space")
    page.wait_for_function("() => /paused/i.test(document.querySelector('#link-text').textContent)")
    assert page.evaluate("getComputedStyle(document.querySelector('#own')).visibility") == "hidden"
    red = page.evaluate("[...document.querySelector('#picture').getContext('2d').getImageData(99, 99, 1, 1).data]")
    assert red[0] > 100 > red[2]
    page.keyboard.press("Space")
    page.wait_for_function(LABEL_OVER_VIDEO, arg=[LABELS[2], 2])


def test_a_camera_that_is_unplugged_is_said_and_can_be_tried_again(page, url: str) -> None:
    open_camera(page, url)
    page.evaluate(
        """() => {
          const track = document.querySelector('#own').srcObject.getVideoTracks()[0];
          track.stop();
          track.dispatchEvent(new Event('ended'));
        }"""
    )
    page.wait_for_function("() => /unplugged/.test(document.querySelector('#notice-text').textContent)")
    no_camera_is_connected(page)
    page.get_by_role("button", name="Try again").click()
    page.wait_for_function(LABEL_OVER_VIDEO, arg=[LABELS[0], 0])


def test_it_fits_a_phone(page, url: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    open_camera(page, url)
    page.wait_for_function(HEAT_SHOWS)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("#own").bounding_box()["width"] > 350
    assert page.locator("#answer").is_visible()


def test_a_camera_that_is_not_allowed_is_said_in_words(launch: Launch, url: str) -> None:
    # Without --use-fake-ui-for-media-stream a headless browser answers its own question with no.
    page = launch("--use-fake-device-for-media-stream").new_page()
    page.goto(f"{url}#~camera")
    said = "() => /^No camera: it was not allowed/.test(document.querySelector('#notice-text').textContent)"
    page.wait_for_function(said)
    assert page.locator("#retry").is_visible()


def test_an_address_that_is_neither_https_nor_localhost_is_said_in_words(launch: Launch, url: str) -> None:
    name = socket.gethostname().lower()
    page = launch(f"--host-resolver-rules=MAP {name} 127.0.0.1").new_page()
    page.goto(f"{url.replace('127.0.0.1', name)}#~camera")
    page.wait_for_function("() => /https or on localhost/.test(document.querySelector('#notice-text').textContent)")
