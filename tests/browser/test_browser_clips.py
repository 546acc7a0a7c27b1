"""The video around a sighting, recorded by a real server, as the page's link opens it in a real browser."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from time import monotonic

import httpx
import pytest
from chromium import BROWSER_TESTS, CHROMIUM, QUIET, REPO
from clips import write_clip
from toy_onnx import LABELS, write_toy_model

playwright = pytest.importorskip("playwright.sync_api")

WAIT_S = 30.0

pytestmark = BROWSER_TESTS


def with_clip(url: str) -> dict:
    """A sighting that has its video; each is of another label."""
    deadline_s = monotonic() + WAIT_S
    while True:
        found = httpx.get(f"{url}api/sightings").json()
        if ready := [item for item in found if item["clip"]]:
            return ready[0]
        assert monotonic() < deadline_s, found


def test_the_clip_of_a_sighting_opens_from_the_page_and_plays(tmp_path):
    model = write_toy_model(tmp_path / "toy.onnx")
    clip = write_clip(tmp_path / "reef.mp4", frames=30, rate=5, size_hw=(90, 160))
    command = [sys.executable, "-m", "cli", "serve", "--port", "0", "--model", model, "--source", f"reef={clip}"]
    recording = ["--once", "--record", tmp_path / "recorded", "--record-clips", "0.5"]
    with (
        subprocess.Popen(
            [*map(str, command), *map(str, recording)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(REPO)},
            stdout=subprocess.PIPE,
            text=True,
        ) as server,
        playwright.sync_playwright() as driver,
    ):
        try:
            url = re.search(r"http://\S+", server.stdout.readline())[0]
            sighting = with_clip(url)
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)
            page = browser.new_page()
            page.goto(f"{url}#reef")
            page.locator("#sightings button", has_text=sighting["label"]).press("Enter")
            with page.context.expect_page() as opened:
                page.locator("#sighting-clip").click()
            video = opened.value.locator("video")
            shape = video.evaluate(
                """async (video) => {
                  video.muted = true;
                  await video.play();
                  if (!video.ended) await new Promise((done) => video.addEventListener('ended', done));
                  return [video.videoWidth, video.videoHeight, video.duration, video.currentTime];
                }"""
            )
            assert shape[:2] == [160, 90]
            lasted_s = sighting["end_s"] - sighting["start_s"]
            assert lasted_s <= shape[2] < lasted_s + 2.0
            assert shape[3] == pytest.approx(shape[2], abs=0.05)
            assert sighting["label"] in LABELS
            browser.close()
        finally:
            server.terminate()
            assert server.wait(10) == 0
