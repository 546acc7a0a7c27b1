"""A camera that sends garbage: a real server on a real port, one reason in words each time, and no memory for it."""

from __future__ import annotations

import os
import random
import socketserver
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from faulty import WAIT_S

from realtime.cameras import NetworkStream
from realtime.errors import CameraError
from realtime.reconnecting import Reconnecting

JPEG = cv2.imencode(".jpg", np.full((48, 64, 3), (10, 10, 250), np.uint8))[1].tobytes()
MULTIPART = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"
OPTIONS = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nPublic: OPTIONS, DESCRIBE, SETUP, PLAY\r\n\r\n"


def part(jpeg: bytes, length: int | None = None) -> bytes:
    head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
    return head % (len(jpeg) if length is None else length) + jpeg + b"\r\n"


def garbage(kind: str, rng: random.Random) -> bytes:
    """What the camera says before it hangs up."""
    match kind:
        case "nothing":
            return b""
        case "noise":
            return rng.randbytes(300_000)
        case "half a head":
            return MULTIPART[: rng.randrange(len(MULTIPART))]
        case "a head without end":
            return b"HTTP/1.0 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (k, b"y" * 500) for k in range(2000))
        case "noise as pictures":
            return MULTIPART + b"".join(part(rng.randbytes(rng.randrange(1, 9000))) for _ in range(40))
        case "pictures cut short":
            return MULTIPART + b"".join(part(JPEG[: rng.randrange(len(JPEG))]) for _ in range(40))
        case "lengths that lie":
            lies = (0, 1, 10**12, 2**63)
            return MULTIPART + b"".join(part(JPEG, rng.choice(lies)) for _ in range(40))
        case "flipped bits":
            whole = bytearray(MULTIPART + 60 * part(JPEG))
            for _ in range(200):
                whole[rng.randrange(len(MULTIPART), len(whole))] ^= 1 << rng.randrange(8)
            return bytes(whole)
        case "rtsp noise":
            return OPTIONS + rng.randbytes(100_000)
        case _:  # an RTSP description that makes no sense
            lines = (
                "v=0",
                "m=video 0 RTP/AVP 96",
                "a=rtpmap:96 " + "H" * rng.randrange(20_000),
                "a=fmtp:96 =;=;;",
                "m=",
            )
            body = "\r\n".join(lines).encode()
            head = b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n"
            return OPTIONS + head % len(body) + body


KINDS = [
    *("nothing", "noise", "half a head", "a head without end", "noise as pictures", "pictures cut short"),
    *("lengths that lie", "flipped bits", "rtsp noise", "rtsp nonsense"),
]


class Camera:
    """Says ``line`` to whoever connects, and hangs up; endless: says it again and again."""

    def __init__(self) -> None:
        self.line = b""
        self.endless = False
        self.visits = 0
        camera = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                camera.visits += 1
                with suppress(OSError):
                    self.request.settimeout(2.0)
                    self.request.recv(4096)
                    self.request.sendall(camera.line)
                    while camera.endless:
                        self.request.sendall(camera.line.removeprefix(MULTIPART))
                        threading.Event().wait(0.02)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]

    @contextmanager
    def on(self) -> Iterator[Camera]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield self
        finally:
            self.endless = False
            self._server.shutdown()
            thread.join(20.0)
            self._server.server_close()


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(sys.platform != "linux", reason="reads its memory from /proc")
def test_garbage_is_a_reason_in_words_every_time_and_leaves_nothing_in_memory() -> None:
    rng = random.Random(11)
    before = 0
    with Camera().on() as camera:
        for visit in range(12 * len(KINDS)):
            kind = KINDS[visit % len(KINDS)]
            camera.line = garbage(kind, rng)
            scheme = "rtsp" if kind.startswith("rtsp") else "http"
            with suppress(CameraError):  # and nothing else
                url = f"{scheme}://127.0.0.1:{camera.port}/stream"
                with NetworkStream(url, name="reef", open_s=2.0, read_s=1.0) as stream:
                    for frame in islice(stream, 80):
                        assert frame.picture.rgb().ndim == 3
            if visit == 4 * len(KINDS):
                before = resident_bytes()
        assert camera.visits >= 11 * len(KINDS)  # the last may still be on their way
    assert resident_bytes() - before < 8 << 20, (resident_bytes() - before) >> 20


def test_a_camera_that_comes_to_its_senses_is_seen() -> None:
    rng = random.Random(12)
    with Camera().on() as camera:
        camera.line = garbage("noise as pictures", rng)
        url = f"http://127.0.0.1:{camera.port}/"
        opener = partial(NetworkStream, url, name="reef", open_s=2.0, read_s=1.0)
        with Reconnecting(opener, name="reef", kind="stream") as source:

            def mend() -> None:
                while camera.visits < 3:
                    threading.Event().wait(0.05)
                camera.line, camera.endless = MULTIPART + part(JPEG), True

            mender = threading.Thread(target=mend, daemon=True)
            too_late = threading.Timer(WAIT_S, source.close)  # ends the frames, and the test
            too_late.start()
            mender.start()
            frame = next(frame for frame in source if frame.picture.rgb()[..., 0].mean() > 200)
            too_late.cancel()
            mender.join(20.0)
    assert frame.picture.size_hw == (48, 64)
