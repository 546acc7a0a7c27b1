"""The real command, stopped by a signal while everything is under way: it ends, and nothing is lost."""

from __future__ import annotations

import csv
import os
import signal
import struct
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

import httpx
import pytest
from clips import write_clip
from frames import asked, shaken
from running import WAIT_S, closing, result
from websockets.sync.client import connect

ROOT = Path(__file__).parents[2]
SPARE_BYTES = 32 << 20


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to send")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_whatever_is_under_way(toy_model: Path, tmp_path: Path, number: signal.Signals) -> None:
    """Twenty viewers, five that read nothing, half a frame, an upload that trickles, a download that nobody reads, and
    a job and a recorder at work."""
    clip = write_clip(tmp_path / "dive.mp4", frames=1500)
    command = [sys.executable, "-m", "cli", "serve", "--port", "0", "--provider", "cpu", "--model", str(toy_model)]
    command += ["--source", "scene=scene", "--library", str(tmp_path / "dives"), "--record", str(tmp_path / "rec")]
    command += ["--record-clips", "1"]
    clean = {key: value for key, value in os.environ.items() if not key.startswith("REEFLENS")}
    with ExitStack() as stack:
        process = stack.enter_context(
            subprocess.Popen(command, cwd=ROOT, env=clean, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        )
        stack.callback(process.kill)
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        authority = url.split("/")[2]
        http = stack.enter_context(httpx.Client(base_url=url, timeout=WAIT_S))
        viewers = [stack.enter_context(connect(f"ws://{authority}/ws/live/scene")) for _ in range(20)]
        for viewer in viewers:
            result(viewer)
        for _ in range(5):
            stack.enter_context(shaken(authority, receive_bytes=2048))
        half = stack.enter_context(shaken(authority))
        half.sendall(b"\x82\xff")

        # An MP4 may end in room for later; here it is more than sockets hold.
        data = clip.read_bytes() + struct.pack(">I4s", SPARE_BYTES, b"free") + bytes(SPARE_BYTES - 8)
        upload = http.post("api/uploads", json={"name": "dive.mp4", "size": len(data)}).raise_for_status().json()["id"]
        http.patch(f"api/uploads/{upload}", content=data, headers={"upload-offset": "0"}).raise_for_status()
        dive = http.post(f"api/uploads/{upload}/finish").raise_for_status().json()["id"]
        deadline_s = monotonic() + WAIT_S
        while (now := http.get(f"api/dives/{dive}").json())["work"] is None:
            assert monotonic() < deadline_s, now
        unread = stack.enter_context(asked(authority, f"/api/dives/{dive}/original"))
        assert unread.recv(12) == b"HTTP/1.1 200"
        trickle = http.post("api/uploads", json={"name": "more.mp4", "size": 10_000}).raise_for_status().json()["id"]
        begun, ended = threading.Event(), threading.Event()

        def drip() -> None:
            def pieces():
                while not ended.wait(0.05):
                    yield b"x"
                    begun.set()

            try:
                with httpx.Client(base_url=url, timeout=WAIT_S) as other:
                    other.patch(f"api/uploads/{trickle}", content=pieces(), headers={"upload-offset": "0"})
            except httpx.HTTPError:
                pass

        dripping = threading.Thread(target=drip)
        dripping.start()
        assert begun.wait(WAIT_S)
        while http.get("api/status").json()["recording"]["rows"] < 10:
            assert monotonic() < deadline_s + WAIT_S

        began_s = monotonic()
        process.send_signal(number)
        assert process.wait(WAIT_S) == 0
        took_s = monotonic() - began_s
        ended.set()
        dripping.join(WAIT_S)
        errors = process.stderr.read() if process.stderr is not None else ""
        for viewer in viewers:
            assert closing(viewer) == (1001, "the server is going away")
    print(f"stopped in {took_s:.2f} s")  # three on a quiet machine; docs/reliability.md has the figure
    assert "Traceback" not in errors
    recorded = tmp_path / "rec" / "scene"
    lines = [line for table in recorded.glob("frames-*.csv") for line in table.read_text(encoding="utf-8").splitlines()]
    rows = list(csv.reader(lines))
    assert len(rows) > 10
    assert len({len(row) for row in rows}) == 1
    assert len((recorded / "sightings.csv").read_text(encoding="utf-8").splitlines()) > 1
    assert not (recorded / "ongoing.csv").exists()  # what was under way has its end
    # The job goes on at the next start, and so may the upload.
    command[command.index("--record") : command.index("--record") + 4] = []
    with subprocess.Popen(
        command, cwd=ROOT, env=clean, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as again:
        try:
            assert again.stdout is not None
            with httpx.Client(base_url=again.stdout.readline().split()[-1], timeout=WAIT_S) as http:
                assert http.get(f"api/dives/{dive}").json()["state"] in ("queued", "running", "complete")
                assert http.get(f"api/uploads/{trickle}").json()["offset"] > 0
        finally:
            again.send_signal(signal.SIGTERM)
            again.communicate(timeout=WAIT_S)
