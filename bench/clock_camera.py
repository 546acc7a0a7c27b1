"""A camera whose pictures carry the time at which they were taken (bench/age.py reads it): MJPEG over HTTP.

    python bench/clock_camera.py [--size 1280x720] [--rate 30]     prints its address

The wall clock in milliseconds is painted as 48 black or white blocks along the lower edge, most significant first,
before the picture is encoded; whoever sees the blocks knows how old they are on this machine. Several may connect.
"""

from __future__ import annotations

import argparse
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
from numpy.typing import NDArray

BITS = 48
BLOCK = 24  # pixels: survives JPEG and any scaling that a page may do
BACKGROUNDS = 24


def backgrounds(width: int, height: int) -> list[NDArray[np.uint8]]:
    """A pattern that moves, uint8 [H, W, 3] BGR, so that the JPEGs are as heavy as those of a real scene."""
    noise = np.random.default_rng(0).integers(0, 255, (height // 8, width // 8, 3), np.uint8)
    still = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return [np.roll(still, 8 * step, axis=1) for step in range(BACKGROUNDS)]


def paint(picture: NDArray[np.uint8], stamp_ms: int) -> None:
    """Writes the stamp into the lower left corner, in place."""
    bits = np.array([stamp_ms >> (BITS - 1 - i) & 1 for i in range(BITS)], np.uint8) * 255
    strip = np.repeat(bits, BLOCK)
    picture[-BLOCK:, : len(strip)] = strip[None, :, None]


class Shutter:
    """Takes pictures at its rate and keeps the newest; ``wait`` for one newer than the last."""

    def __init__(self, width: int, height: int, rate: float) -> None:
        self._changed = threading.Condition()
        self._newest: tuple[int, bytes] = (-1, b"")
        self._pictures = backgrounds(width, height)
        self._rate = rate

    def run(self) -> None:
        begun_s = time.monotonic()
        for number in range(1 << 40):
            time.sleep(max(0.0, begun_s + number / self._rate - time.monotonic()))
            picture = self._pictures[number % len(self._pictures)]
            paint(picture, int(time.time() * 1000))
            _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])
            with self._changed:
                self._newest = (number, data.tobytes())
                self._changed.notify_all()

    def wait(self, after: int) -> tuple[int, bytes]:
        with self._changed:
            self._changed.wait_for(lambda: self._newest[0] > after)
            return self._newest


def main() -> None:
    """Serves until it is killed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--rate", type=float, default=30.0)
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    if width < BITS * BLOCK:
        parser.error(f"--size: expected a width from {BITS * BLOCK}, received {width}")
    shutter = Shutter(width, height, options.rate)

    class Camera(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            number = -1
            try:
                while True:
                    number, data = shutter.wait(number)
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                    self.wfile.write(head.encode() + data + b"\r\n")
            except OSError:
                pass  # it hung up

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    server.daemon_threads = True
    threading.Thread(target=shutter.run, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_address[1]}/", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
