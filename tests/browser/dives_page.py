"""The page of the dives in a browser: a server with a library, recordings sent, and what the page shows."""

import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from chromium import REPO
from toy_onnx import write_toy_model

# The colour of the picture that the video shows now, and what the page lays over it: the row's time, its class.
LOOK = """() => {
  const video = document.querySelector("#video");
  const canvas = new OffscreenCanvas(32, 18);
  const context = canvas.getContext("2d");
  context.drawImage(video, 0, 0, 32, 18);
  const data = context.getImageData(0, 0, 32, 18).data;
  const sum = [0, 0, 0, 0];
  for (let i = 0; i < data.length; i++) sum[i % 4] += data[i];
  const stage = document.querySelector("#stage").dataset;
  return {
    brightest: sum.indexOf(Math.max(...sum.slice(0, 3))),
    label: document.querySelector("#top .name").textContent,
    at: Number(stage.at), row: stage.row === "" ? null : Number(stage.row), seeking: video.seeking,
  };
}"""


@contextmanager
def serving(folder: Path, port: int = 0, *, library: Path | None = None, source: str = ""):
    """The real command with a library, killed or stopped by the test."""
    model = folder / "toy.onnx"
    if not model.exists():
        write_toy_model(model)
    command = [sys.executable, "-m", "cli", "serve", "--port", port, "--model", model]
    command += ["--library", library or folder / "library", *(["--source", source] if source else [])]
    with subprocess.Popen(
        list(map(str, command)),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPO)},
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        line = server.stdout.readline()
        try:
            yield re.search(r"http://\S+", line)[0], server
        finally:
            if server.poll() is None:
                server.terminate()
                assert server.wait(10) == 0


@contextmanager
def opened_page(browser, url, path="dives", *, may_complain=False, **options):
    """A fresh profile that fails on any script error, and on any request that leaves the server."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, **options)
    complaints: list[str] = []
    context.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    context.on("request", lambda ask: None if ask.url.startswith((url, "blob:")) else complaints.append(ask.url))
    page = context.new_page()
    page.goto(url + path)
    yield page
    context.close()
    assert may_complain or complaints == []


def send(page, *files: Path) -> None:
    page.set_input_files("#file", [str(file) for file in files])
    if len(files) > 1:
        page.check("#joining-each")
        page.keyboard.press("Enter")


def wait_for_cards(page, count: int, state: str = "complete") -> None:
    page.wait_for_function(
        """([count, state]) => {
          const cards = [...document.querySelectorAll(".card")];
          return cards.length === count && cards.every((card) => card.dataset.state === state)
            && [...document.querySelectorAll(".card progress")].every((bar) => bar.hidden);
        }""",
        arg=[count, state],
        timeout=90_000,
    )


def open_first(page) -> None:
    page.locator(".card .open").first.click()
    page.wait_for_function(
        "() => document.querySelector('#video').readyState >= 2 && document.querySelector('#stage').dataset.row"
    )


def offset_of(page) -> float:
    """What the browser's clock shows at media time 0."""
    return page.evaluate("async () => (await (await fetch(`api/dives/${location.hash.slice(1)}`)).json()).offset_s")


def seek(page, media_s: float) -> dict:
    """Sets the clock of the video and waits until the page shows what belongs to that picture."""
    page.evaluate("s => { document.querySelector('#video').currentTime = s; }", media_s + offset_of(page))
    page.wait_for_function(
        """s => Math.abs(Number(document.querySelector('#stage').dataset.at) - s) < 0.05
          && !document.querySelector('#video').seeking""",
        arg=media_s,
    )
    return page.evaluate(LOOK)
