"""Short videos around sightings: what was seen a little before one is kept as JPEGs, what follows is encoded at once.

Memory is bounded: KEPT_BYTES of JPEGs per source, whose oldest go first, and at most OPEN_CLIPS encoders, each of
which holds some forty frames of 640 x 360.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from numpy.typing import NDArray

from dives.partial import PartialFile, writing
from dives.writers.overlay_mp4 import canvas, place

MAX_SIDE = 640  # pixels: enough to recognise an animal; the still has them all
KEPT_BYTES = 32 << 20  # 30 s at 25 frames/s of a murky 640 x 360 take about 20 MB
JPEG_QUALITY = 85
OPEN_CLIPS = 3  # sightings that follow each other faster than that share what is on the clips before
LONGEST_S = 300.0
TICKS_PER_S = 90_000
RATE = 30  # told to the encoder; every picture has its own time
ENCODER = {"preset": "veryfast", "crf": "26"}


class ClipWriter:
    """One clip, H.264 in an mp4 whose index stands in front. Raises ResultsError; ``finish`` or ``abandon`` ends it."""

    def __init__(self, path: Path, size_hw: tuple[int, int]) -> None:
        self._size_hw = canvas(size_hw)
        self._first_s: float | None = None
        self._pts = -1
        self._file = PartialFile(path, "")
        with writing(path):
            self._container = av.open(  # the prefix keeps a colon in a path from being taken for a protocol
                f"file:{self._file.partial_path}", "w", format="mp4", options={"movflags": "+faststart"}
            )
            self._stream = self._container.add_stream("libx264", rate=RATE, options=ENCODER)
            self._stream.pix_fmt = "yuv420p"
            self._stream.height, self._stream.width = self._size_hw
            context = self._stream.codec_context
            context.max_b_frames = 0
            context.thread_count = 1  # the others are the model's
            context.time_base = Fraction(1, TICKS_PER_S)
            context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG
            context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709

    def add(self, rgb: NDArray[np.uint8], media_s: float) -> None:
        """The next picture, uint8 [H, W, 3] RGB; the first one's time becomes 0."""
        self._first_s = media_s if self._first_s is None else self._first_s
        image = av.VideoFrame.from_ndarray(place(rgb, self._size_hw), "rgb24").reformat(
            format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
        )
        self._pts = image.pts = max(self._pts + 1, round((media_s - self._first_s) * TICKS_PER_S))
        image.time_base = Fraction(1, TICKS_PER_S)
        with writing(self._file.path):
            self._container.mux(self._stream.encode(image))

    def finish(self) -> Path:
        """Completes the file, which appears under its name now."""
        with writing(self._file.path):
            self._container.mux(self._stream.encode())
            self._container.close()
        self._file.commit()
        return self._file.path

    def abandon(self) -> None:
        """Leaves nothing behind."""
        with suppress(Exception):  # completing a file on a full disk fails again
            self._container.close()
        with suppress(OSError):
            self._file.partial_path.unlink(missing_ok=True)


class _Open:
    """A clip under way. until_s: media time at which it is complete, None while its sighting goes on."""

    def __init__(self, writer: ClipWriter, from_s: float) -> None:
        self.writer = writer
        self.from_s = from_s
        self.until_s: float | None = None


class SourceClips:
    """The clips of one source: ``frame`` with every picture, ``begin`` and ``end`` with every sighting.

    around_s: seconds before and after a sighting. Not thread-safe. Errors of the disk are ResultsError; after one the
    clips under way are given up.
    """

    def __init__(self, around_s: float) -> None:
        self._around_s = around_s
        self._kept: deque[tuple[float, bytes]] = deque()
        self._kept_bytes = 0
        self._size_hw = (0, 0)
        self._open: list[_Open] = []

    def frame(self, rgb: NDArray[np.uint8], media_s: float) -> list[Path]:
        """The next picture, uint8 [H, W, 3] RGB, at most MAX_SIDE a side; the clips that are complete with it."""
        finished = []
        if self._kept and media_s <= self._kept[-1][0]:  # another clock
            self._kept.clear()
            self._kept_bytes = 0
            finished = self.finish()
        self._size_hw = (rgb.shape[0], rgb.shape[1])
        self._keep(rgb, media_s)
        try:
            for clip in list(self._open):
                end_s = min(clip.from_s + LONGEST_S, clip.until_s if clip.until_s is not None else float("inf"))
                if media_s <= end_s:
                    clip.writer.add(rgb, media_s)
                else:
                    self._open.remove(clip)
                    finished.append(_finish(clip.writer))
        except Exception:
            self.abandon()
            raise
        return finished

    def begin(self, path: Path) -> bool:
        """A sighting begins with the newest picture; False when there is none, or OPEN_CLIPS are under way."""
        if not self._kept or len(self._open) >= OPEN_CLIPS:
            return False
        writer = ClipWriter(path, self._size_hw)
        self._open.append(_Open(writer, self._kept[0][0]))
        try:
            for media_s, jpeg in self._kept:
                writer.add(_from_jpeg(jpeg), media_s)
        except Exception:
            self.abandon()
            raise
        return True

    def end(self, end_s: float) -> None:
        """The sighting of the newest clip ended at media time ``end_s``."""
        if self._open and self._open[-1].until_s is None:
            self._open[-1].until_s = end_s + self._around_s

    def finish(self) -> list[Path]:
        """Completes what is under way: nothing follows."""
        clips, self._open = self._open, []
        return [_finish(clip.writer) for clip in clips]

    def abandon(self) -> None:
        """Gives up what is under way."""
        clips, self._open = self._open, []
        for clip in clips:
            clip.writer.abandon()

    def _keep(self, rgb: NDArray[np.uint8], media_s: float) -> None:
        bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        if done:
            self._kept.append((media_s, data.tobytes()))
            self._kept_bytes += len(data)
        while self._kept and (media_s - self._kept[0][0] > self._around_s or self._kept_bytes > KEPT_BYTES):
            self._kept_bytes -= len(self._kept.popleft()[1])


def _from_jpeg(data: bytes) -> NDArray[np.uint8]:
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    rgb: NDArray[np.uint8] = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    return rgb


def _finish(writer: ClipWriter) -> Path:
    try:
        return writer.finish()
    except BaseException:
        writer.abandon()
        raise
