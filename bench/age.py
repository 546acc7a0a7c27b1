"""From the camera to the pixels in the browser: how old is what one sees, after one minute and after many?

    python bench/age.py [--minutes 3] [--maps 1] [--beside 0] [--rate 30]

bench/clock_camera.py paints the time into every picture; a page in headless Chromium reads it back from its own canvas
at every animation frame: that age contains camera encoding, network, decoding, inference, JPEG, websocket, decoding and
drawing, and does not believe any clock of ours. The age that the page itself shows is read beside it.

--maps N: so many heat maps per frame, each a run of the network: more than one makes the engine slower than the camera.
--beside N: so many further 30 fps sources on the same engine. --rate: of the camera, frames/s.
Camera, server and browser share the machine.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "bench")]

from clock_camera import BITS, BLOCK  # noqa: E402

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
QUIET = [
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    "--no-first-run",
]
READ_BACK = """([bits, block]) => {
  const small = new OffscreenCanvas(bits, 1);
  const context = small.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingEnabled = false;
  window.ages = [];
  let last = 0;
  const read = () => {
    const canvas = document.getElementById("picture");
    if (canvas.width > bits * block / 2) {
      const scale = canvas.width / 1280;
      context.drawImage(canvas, 0, canvas.height - block * scale, bits * block * scale, block * scale, 0, 0, bits, 1);
      const { data } = context.getImageData(0, 0, bits, 1);
      let stamp = 0;
      for (let i = 0; i < bits; i += 1) stamp = 2 * stamp + (data[4 * i + 1] > 127 ? 1 : 0);
      if (stamp !== last) {
        const now = performance.timeOrigin + performance.now();
        window.ages.push([now, now - stamp, parseFloat(document.getElementById("age").textContent)]);
        last = stamp;
      }
    }
    requestAnimationFrame(read);
  };
  read();
}"""


@contextmanager
def process(command: list[str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process of this folder, which ends with us, and the last word of the first line it prints."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as running:
        try:
            assert running.stdout is not None
            yield running, running.stdout.readline().split()[-1]
        finally:
            running.terminate()


def memory_mb(pid: int) -> float:
    """Resident memory of a process."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(status["VmRSS"].split()[0]) / 1024


def take(page: Page) -> np.ndarray:
    """What the page noted since the last call: [n, 3], when, age by the picture, age by the page; all in ms."""
    rows = page.evaluate("() => window.ages.splice(0)")
    return np.array(rows, np.float64).reshape(-1, 3)


def words(rows: np.ndarray) -> str:
    """One line of figures."""
    if len(rows) < 2:
        return "no pictures"
    seconds = (rows[-1, 0] - rows[0, 0]) / 1000
    p50, p95, most = np.quantile(rows[:, 1], [0.5, 0.95, 1.0])
    shown = np.nanmedian(rows[:, 2])
    return (
        f"{(len(rows) - 1) / seconds:5.1f} pictures/s   age p50 {p50:4.0f}  p95 {p95:4.0f}  worst {most:5.0f} ms"
        f"   (the page says {shown:4.0f})"
    )


def main() -> None:
    """Prints a line per minute, then the first against the last."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=3)
    parser.add_argument("--maps", type=int, default=1, choices=(1, 2, 3))
    parser.add_argument("--beside", type=int, default=0)
    parser.add_argument("--rate", type=float, default=30.0)
    options = parser.parse_args()
    with ExitStack() as stack:
        _, camera = stack.enter_context(process(["bench/clock_camera.py", "--rate", str(options.rate)]))
        sources = ["--source", f"cam={camera}"]
        for number in range(options.beside):
            sources += ["--source", f"beside{number}={camera}"]
        server, url = stack.enter_context(process(["-m", "cli", "serve", "--port", "0", *sources]))
        driver = stack.enter_context(sync_playwright())
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        pages = []
        for number in range(options.maps):
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(f"{url}#cam")
            page.wait_for_function("() => document.getElementById('picture').width > 600")
            if number:  # its class is no longer the most probable one's
                page.keyboard.press(str(number + 1))
            pages.append(page)
        page = pages[0]
        page.bring_to_front()
        page.evaluate(READ_BACK, [BITS, BLOCK])
        page.wait_for_timeout(5000)
        take(page)
        minutes = []
        for minute in range(options.minutes):
            page.wait_for_timeout(60_000)
            minutes.append(take(page))
            print(f"minute {minute + 1:3}: {words(minutes[-1])}   server {memory_mb(server.pid):.0f} MB", flush=True)
        status = page.evaluate("() => fetch('api/status').then((answer) => answer.json())")
        for name, source in status["sources"].items():
            print(f"{name}: {source['rate']:.1f} results/s of {source['captured'] / status['uptime_s']:.1f} captured")
        first, last = (np.quantile(rows[:, 1], 0.95) for rows in (minutes[0], minutes[-1]))
        print(f"p95 of the last minute / of the first: {last / first:.2f}")
        browser.close()
    print(f"load average {os.getloadavg()[0]:.1f}, {time.strftime('%H:%M')}")


if __name__ == "__main__":
    main()
