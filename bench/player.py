"""Measures the player and the library in a real Chromium: seeks, the list of an hour's sightings, 500 dives.

    python bench/player.py [--minutes 60] [--dives 500] [--seeks 60] [--keep DIR] [--clip FILE] [--every 0.2]

Makes a library in a temporary folder: one dive of an hour at 30 frames/s with 108,000 rows and a sighting every two
seconds, each with a still, and others beside it. The video and its results are made here; no model runs. With a clip
(H.264 in MP4) the long dive is that clip over and over, and the bundled model says what is in it; ``every`` as for
`process`, 0 for all frames. Bars: overlay in step within one frame and 200 ms after a seek; the list usable at once and
scrolled at 60 frames/s; 500 dives listed within 300 ms.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import av  # noqa: E402
import cv2  # noqa: E402
import httpx  # noqa: E402
import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from playwright.sync_api import Page, sync_playwright  # noqa: E402
from toy_onnx import write_toy_model  # noqa: E402

from dives.library import ORIGINAL, RESULTS, THUMBNAIL, DiveFacts, new_id, write_facts  # noqa: E402
from dives.probe import probe_video, write_probe, write_thumbnail  # noqa: E402
from dives.process import ProcessOptions, process  # noqa: E402
from dives.stills import FOLDER as STILLS  # noqa: E402
from dives.track import write_track  # noqa: E402
from realtime.engine import Engine, bundled_model  # noqa: E402

RATE = 30
GRID = 8
LABELS = [f"Animal {k}" for k in range(23)]
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]

SEEK = """
async ([places, frame, every]) => {
  const [video, stage] = [document.querySelector("#video"), document.querySelector("#stage")];
  const results = [];
  for (const place of places) {
    const began = performance.now();
    const done = new Promise((resolve) => {
      const look = () => {
        const [at, row] = [Number(stage.dataset.at), stage.dataset.row === "" ? NaN : Number(stage.dataset.row)];
        if (Math.abs(at - place) < frame && !video.seeking && Math.abs(row - at) < Math.max(frame, every)) {
          requestAnimationFrame(() => resolve([performance.now() - began, Math.abs(row - at)]));
        } else requestAnimationFrame(look);
      };
      look();
    });
    video.currentTime = place;
    results.push(await done);
  }
  return results;
}
"""

SCROLL = """
async () => {
  const list = document.querySelector("#found");
  list.scrollTop = 0;
  const gaps = [];
  let last = null;
  const began = performance.now();
  await new Promise((resolve) => {
    const each = (now) => {
      if (last !== null) gaps.push(now - last);
      last = now;
      list.scrollTop += 90;
      if (now - began > 5000) resolve();
      else requestAnimationFrame(each);
    };
    requestAnimationFrame(each);
  });
  const pictures = [...document.querySelectorAll(".sighting img")];
  const stills = pictures.filter((still) => still.complete && still.naturalWidth > 0);
  return [gaps, list.scrollTop, document.querySelectorAll(".sighting").length, stills.length];
}
"""

WHEN = """
window.whenSeen = new Promise((resolve) => {
  const look = () => {
    if (document.querySelectorAll("%s").length >= %d) requestAnimationFrame(() => resolve(performance.now()));
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
});
"""


def write_video(path: Path, minutes: int, clip: Path | None) -> None:
    """A clip, or a minute of moving bars at 640 x 360, over and over without encoding it again."""
    one = clip or write_bars(path.with_name("minute.mp4"))
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        out, shift = None, 0
        while out is None or shift * out.time_base < 60 * minutes:
            with av.open(str(one)) as part:
                stream = part.streams.video[0]
                if out is None:
                    out = container.add_stream_from_template(stream)
                    out.time_base = stream.time_base
                for packet in part.demux(stream):
                    if packet.dts is None:
                        continue
                    packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, out
                    container.mux(packet)
                shift += stream.duration
    if clip is None:
        one.unlink()


def write_bars(path: Path) -> Path:
    """A minute of them."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"preset": "ultrafast", "crf": "30", "g": "60"})
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for k in range(RATE * 60):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(bars(k), "rgb24")))
        container.mux(stream.encode())
    return path


def bars(number: int) -> NDArray[np.uint8]:
    """One frame of them: uint8 [360, 640, 3] RGB."""
    grey = 128 + 100 * np.sin((np.arange(640)[None, :] + 6 * number) / 40)
    return np.repeat(np.broadcast_to(grey, (360, 640)).astype(np.uint8)[..., None], 3, axis=-1)


def write_results(results: Path, minutes: int) -> int:
    """Tables and maps as `reeflens process` leaves them; returns the number of sightings."""
    results.mkdir()
    rng = np.random.default_rng(0)
    rows = minutes * 60 * RATE
    np.save(results / "cams.npy", rng.integers(0, 255, (rows, GRID, GRID), np.uint8))
    best = [column for k in range(1, 6) for column in (f"label_{k}", f"probability_{k}")]
    with (results / "frames.csv").open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(
            ["frame", "media_s", "utc", "utc_source", *best, "unknown", "stable_label", "stable_probability"]
        )
        for k in range(rows):
            names = [LABELS[(k // 60 + i) % 23] for i in range(5)]
            top = [value for i, name in enumerate(names) for value in (name, f"{0.6 / (i + 1):.6f}")]
            table.writerow([k, f"{k / RATE:.6f}", "", "", *top, "0.1", names[0], "0.6"])
    columns = ["label", "start_s", "end_s", "start_utc", "end_utc", "peak_s", "peak_frame"]
    stills = [cv2.imencode(".jpg", bars(3 * k))[1].tobytes() for k in range(60)]
    (results / STILLS).mkdir()
    with (results / "sightings.csv").open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow([*columns, "peak_probability", "mean_probability", "frames", "still"])
        starts = np.arange(0, minutes * 60 - 3, 2.0)
        for k, start in enumerate(starts):
            peak = start + 0.5
            probability = f"{rng.uniform(0.5, 1):.6f}"
            times = [f"{start:.6f}", f"{start + 1.8:.6f}", "", "", f"{peak:.6f}", int(peak * RATE)]
            still = f"{STILLS}/{k:04}.jpg"
            (results / still).write_bytes(stills[k % len(stills)])
            table.writerow([LABELS[k % 23], *times, probability, "0.5", "50", still])
    return len(starts)


def classify(video: Path, results: Path, every_s: float | None) -> int:
    """What the bundled model says; returns the number of sightings."""
    with Engine.open(bundled_model(), provider="cpu", recorded=True) as engine:
        run = process(video, results, engine, ProcessOptions(every_s=every_s))
        write_track(results, results.parent, engine.contract.labels)
    print(f"{video.name}: {run.classified} frames classified at {run.frames_per_s:.1f}/s")
    if not run.sightings:
        raise SystemExit(
            f"{video.name}: the model sees nothing in this clip, and the list would be empty; take another"
        )
    return len(run.sightings)


def write_dives(library: Path, given: argparse.Namespace) -> tuple[str, int]:
    """The library; returns the id of the long dive and its number of sightings."""
    every_s = given.every or None if given.clip else None
    long = library / "dives" / new_id()
    (long / ORIGINAL).mkdir(parents=True)
    facts = {"file_name": "GX010001.MP4", "added_utc": "2026-05-01T09:00:00.000Z", "every_s": every_s}
    write_facts(long, DiveFacts(title="The long dive", video="long.mp4", **facts))
    video = long / ORIGINAL / "long.mp4"
    write_video(video, given.minutes, given.clip)
    write_probe(long, probe_video(video, "long.mp4"))
    write_thumbnail(video, 10.0, long / THUMBNAIL)
    if given.clip:
        sightings = classify(video, long / RESULTS, every_s)
    else:
        sightings = write_results(long / RESULTS, given.minutes)
        run = {"schema_version": 1, "state": "complete", "reason": "", "time": {"start_utc": "", "utc_source": ""}}
        (long / RESULTS / "run.json").write_text(json.dumps(run | {"model": {"labels": LABELS}}))
        write_track(long / RESULTS, long, LABELS)
    for k in range(given.dives - 1):
        folder = library / "dives" / new_id()
        (folder / ORIGINAL).mkdir(parents=True)
        (folder / RESULTS).mkdir()
        day = f"2025-{1 + k % 12:02d}-{1 + k % 28:02d}T{k % 24:02d}:00:00.000Z"
        write_facts(folder, DiveFacts(title=f"Dive {k}", video="a.mp4", **facts | {"added_utc": day}))
        for name in ("probe.json", THUMBNAIL):
            shutil.copy(long / name, folder / name)
        (folder / ORIGINAL / "a.mp4").touch()
        lines = (long / RESULTS / "sightings.csv").read_text().splitlines(keepends=True)[: 1 + k % 60]
        (folder / RESULTS / "sightings.csv").write_text("".join(lines))
        (folder / RESULTS / "frames.csv").touch()
        shutil.copy(long / RESULTS / "run.json", folder / RESULTS / "run.json")
    return long.name, sightings


def seen(page: Page, url: str, what: str, count: int) -> float:
    """Milliseconds from the start of the navigation until ``count`` of ``what`` were painted."""
    page.add_init_script(WHEN % (what, count))
    page.goto(url)
    return float(page.evaluate("() => window.whenSeen"))


def figures(values: list[float]) -> str:
    ordered = sorted(values)
    return (
        f"median {statistics.median(ordered):.1f}, 95 % {ordered[int(0.95 * (len(ordered) - 1))]:.1f}, "
        f"worst {ordered[-1]:.1f} of {len(ordered)}"
    )


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--dives", type=int, default=500)
    parser.add_argument("--seeks", type=int, default=60)
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--every", type=float, default=0.2)
    parser.add_argument("--keep", type=Path, help="Make the library here and keep it for the next time.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        library = given.keep or Path(scratch) / "library"
        noted = library / "bench.json"
        if not noted.exists():
            long, sightings = write_dives(library, given)
            noted.write_text(json.dumps([long, sightings]))
        long, sightings = json.loads(noted.read_text())
        command = [sys.executable, "-m", "cli", "serve", "--port", "0", "--provider", "cpu", "--library", str(library)]
        command += ["--model", str(write_toy_model(Path(scratch) / "toy.onnx"))]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            url = re.search(r"http://\S+", server.stdout.readline())[0]  # type: ignore[index]
            try:
                measure(url, long, sightings, given)
            finally:
                server.terminate()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def measure(url: str, long: str, sightings: int, given: argparse.Namespace) -> None:
    """Everything, on a server that runs."""
    with httpx.Client(base_url=url) as client:
        answers = []
        for _ in range(20):
            began_s = time.perf_counter()
            body = client.get("api/dives").content
            answers.append(1000 * (time.perf_counter() - began_s))
        print(f"library of {given.dives}, the server's answer ({len(body) / 1000:.0f} kB), ms: {figures(answers)}")
    with sync_playwright() as driver:
        path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        for count, parts, what in (
            (min(20, given.dives), ".card .title", "the first screen"),
            (given.dives, ".card", "every card in its place"),
            (given.dives, ".card .title", "every word on the cards"),
        ):
            opened = []
            for _ in range(9):
                page = context.new_page()
                opened.append(seen(page, f"{url}dives", parts, count))
                page.close()
            # The first one also starts the browser's processes.
            print(
                f"library, from the start of the navigation until {what} is painted, ms: {figures(opened[1:])}; bar 300"
            )
        page = context.new_page()
        first = seen(page, f"{url}dives#{long}", ".sighting", min(5, sightings))
        print(f"{sightings} sightings, from the start of the navigation until they are painted, ms: {first:.0f}")
        page.wait_for_function("() => document.querySelector('#video').readyState >= 2")
        rng = np.random.default_rng(1)
        dive = httpx.get(f"{url}api/dives/{long}").json()
        length, rate = int(dive["duration_s"]) - 2, dive["rate"]
        places = [round(float(k) / rate + 0.5 / rate, 4) for k in rng.integers(0, int(length * rate), given.seeks)]
        found = page.evaluate(SEEK, [places, 1 / rate, dive["every_s"] or 0])
        print(f"seek until the overlay is in step, ms: {figures([ms for ms, _ in found])}; bar 200")
        bar_s = max(1 / rate, dive["every_s"] or 0)
        print(f"row against picture, s: worst {max(off for _, off in found):.4f}; bar {bar_s:.4f}")
        gaps, reached, elements, stills = page.evaluate(SCROLL)
        late = sum(gap > 1.5 * 1000 / 60 for gap in gaps)
        print(
            f"scrolling the list, ms between pictures: {figures(gaps)}; {1000 * len(gaps) / sum(gaps):.1f} pictures/s,"
        )
        print(f"  {late} of {len(gaps)} late; {reached:.0f} px; bar 60 pictures/s")
        print(f"  {elements} rows in the document at the end, {stills} of them with their still")
        browser.close()


if __name__ == "__main__":
    main()
