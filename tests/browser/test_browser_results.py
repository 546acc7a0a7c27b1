"""The files of a dive in a real browser: the report as people open it, the subtitles as a player parses them."""

from __future__ import annotations

import pytest
from chromium import BROWSER_TESTS
from clips import write_clip
from toy_onnx import write_toy_model

from dives.process import ProcessOptions, process
from realtime.engine import Engine

playwright = pytest.importorskip("playwright.sync_api")


pytestmark = BROWSER_TESTS


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The folder of a dive that is red, green and blue for two seconds each."""
    folder = tmp_path_factory.mktemp("results")
    model = write_toy_model(folder / "toy.onnx", labels=("Fish & <i>Chips</i>", "Octopus", "Turtle"))
    clip = write_clip(folder / "reef #1.mp4", frames=30, rate=5, size_hw=(90, 160))
    with Engine.open(model, provider="cpu", threads=1) as engine:
        return process(clip, folder / "out", engine, ProcessOptions(overlay=True)).folder


@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (1200, "dark"), (360, "light")])
def test_the_report_opens_from_the_disk_and_shows_every_picture(results, browser, width, scheme):
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto((results / "report.html").as_uri())
    assert page.title() == "reef #1.mp4: what was seen"
    assert page.locator("figure").count() == 3
    for picture in page.locator("figure img").all():
        picture.scroll_into_view_if_needed()
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 160
    assert page.evaluate("document.documentElement.scrollWidth") <= width  # nothing to scroll to aside
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def test_a_stretch_of_the_timeline_leads_to_its_sighting(results, browser):
    page = browser.new_page(viewport={"width": 800, "height": 400})
    page.goto((results / "report.html").as_uri())
    page.locator(".track.all a").nth(2).click()
    assert page.evaluate("document.querySelector('figure:target figcaption b').textContent") == "Turtle"
    playwright.expect(page.locator("figure:target")).to_be_in_viewport()


def test_the_browsers_own_parser_reads_the_subtitles(results, browser):
    page = browser.new_page()
    files = {"/dive.vtt": (results / "dive.vtt", "text/vtt"), "/overlay.mp4": (results / "overlay.mp4", "video/mp4")}

    def serve(route):
        path, kind = files[route.request.url.removeprefix("http://dive.test")]
        route.fulfill(body=path.read_bytes(), content_type=kind)

    page.route("http://dive.test/*.*", serve)
    page.route("http://dive.test/", lambda route: route.fulfill(body="<title>dive</title>", content_type="text/html"))
    page.goto("http://dive.test/")
    cues = page.evaluate(
        """async () => {
            const video = document.createElement("video"), track = document.createElement("track");
            track.src = "/dive.vtt"; track.default = true; track.kind = "subtitles";
            const loaded = new Promise((done, failed) => { track.onload = done; track.onerror = failed; });
            video.append(track); document.body.append(video); track.track.mode = "showing";
            await loaded;
            return [...track.track.cues].map(cue => [cue.startTime, cue.endTime, cue.getCueAsHTML().textContent]);
        }"""
    )
    assert [text.rsplit(" ", 1)[0] for _, _, text in cues] == ["Fish & <i>Chips</i>", "Octopus", "Turtle"]
    assert cues[0][0] == 0
    assert cues[-1][1] == pytest.approx(6.0, abs=0.002)
    assert all(start < end for start, end, _ in cues)
