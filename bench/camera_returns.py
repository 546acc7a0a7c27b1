"""Kills a camera and starts it again, over and over: how long until there is a picture, and what is left behind.

    python bench/camera_returns.py [--times 20]

Needs GStreamer as the tests do. The camera is tests/realtime/rtsp_camera.py; time runs from the moment it listens again
until the first result of a frame from it. `down` varies, so that the return hits every phase of the pauses.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "realtime")]

import numpy as np  # noqa: E402
from rtsp_server import RtspCamera  # noqa: E402
from toy_onnx import write_toy_model  # noqa: E402

from realtime.cameras import NetworkStream  # noqa: E402
from realtime.engine import Engine  # noqa: E402
from realtime.live import LiveRunner  # noqa: E402
from realtime.reconnecting import Reconnecting  # noqa: E402


def resources() -> dict[str, int]:
    """What a leak would grow."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {
        "threads": int(status["Threads"]),
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "MB": int(status["VmRSS"].split()[0]) // 1024,
    }


def main() -> None:
    """Prints a line per return, then the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    times = parser.parse_args().times
    newest, changed = [-1.0], threading.Condition()

    def on_result(frame, result, status) -> None:
        with changed:
            newest[0] = frame.captured_s
            changed.notify_all()

    def picture_after(moment_s: float) -> float:
        with changed:
            assert changed.wait_for(lambda: newest[0] > moment_s, 60), runner.status()
        return time.monotonic() - moment_s

    with tempfile.TemporaryDirectory() as folder, RtspCamera(size="640x360", pattern="ball") as camera:
        engine = Engine.open(write_toy_model(Path(folder) / "toy.onnx"), provider="cpu")
        opener = partial(NetworkStream, camera.url, name="reef")
        sources = {"reef": lambda: Reconnecting(opener, name="reef", kind="stream")}
        runner = LiveRunner(engine, sources, on_result)
        runner.start()
        print(f"first picture after {picture_after(time.monotonic()):.2f} s")
        returns, before = [], resources()
        for k in range(times):
            camera.kill()
            down_s = 0.3 + 0.37 * (k % 8)
            threading.Event().wait(down_s)
            camera.start(size="640x360", pattern="ball")
            returns.append(picture_after(time.monotonic()))
            print(f"{k + 1:3d}: down {down_s:.1f} s, picture after {returns[-1]:.2f} s, {resources()}", flush=True)
        after = resources()
        counts = runner.status()["reef"]
        print(f"returns: median {np.median(returns):.2f} s, worst {max(returns):.2f} s of {times}; bar 3 s")
        print(f"reconnects {counts.reconnects}, stalls {counts.stalls}, damaged {counts.damaged}")
        print(f"before {before}, after {after}; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        print(f"all threads ended: {runner.stop(10)}; {resources()}")


if __name__ == "__main__":
    main()
