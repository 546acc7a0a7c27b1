"""overlay.mp4: the dive with what the model said and where it looked drawn into it, playable in a browser.

H.264 without B-frames, yuv420p, BT.709, the index at the front: what every browser of the last ten years plays while it
still loads. A GPU's encoder makes it where one works. It holds one picture per line of frames.csv at that line's media
time, so that the video can be checked against the table, picture k against line k; a variable rate stays variable.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from fractions import Fraction
from typing import ClassVar

import av
import cv2
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from numpy.typing import NDArray

from dives.partial import PartialFile, writing
from dives.writers.base import Dive
from realtime.errors import ResultsError
from realtime.frames import Frame, FrameResult, Picture
from realtime.overlay import draw_caption, draw_overlay
from realtime.sightings import Sighting
from realtime.sources import Source

log = logging.getLogger(__name__)

TICKS_PER_S = 90_000  # the clock of MPEG: exact for 24, 25, 30 and 60 frames/s, 6 us off at worst
MAX_SIDE = 3840  # wider H.264 is beyond level 5.1, where hardware decoders end
MIN_SIDE = 16  # libx264 wants a macroblock
RATES = (1, 120)  # frames/s told to the encoder; containers announce 90000 when they mean "varies"
UNKNOWN_RATE = 30
# With its macroblock tree libx264 turned equal pictures into other bytes in 1 of 20 runs (64 x 48 pixels, 349 runs;
# none of 211 without), and a resumed dive must equal one that was never interrupted.
SOFTWARE, GPU = "libx264", "h264_nvenc"
ENCODERS = {
    SOFTWARE: {"preset": "veryfast", "crf": "21", "x264-params": "mbtree=0"},
    GPU: {"preset": "p5", "rc": "vbr", "cq": "23", "b": "0"},
}
NOTHING = "nothing I know"
EMPTY = "nothing there"


class OverlayMp4:
    """Reads the recording a second time, because stable labels are known only after the first.

    open_source: opens the recording from its start. opacity: of the heat map, 0..1. encoder: what encodes, known from
    ``begin`` on; the same rows give the same bytes with SOFTWARE. ``frame`` also raises SourceError or ResultsError
    when the recording does not give the row's frame again.
    """

    name: ClassVar[str] = "overlay.mp4"

    def __init__(self, open_source: Callable[[], Source], *, opacity: float = 0.6) -> None:
        self.encoder = SOFTWARE
        self._open_source = open_source
        self._opacity = opacity

    def begin(self, dive: Dive, files: ExitStack) -> None:
        """Opens the recording and the video."""
        self._labels = dive.contract.labels
        self._frames: Iterator[Frame] = iter(files.enter_context(self._open_source()))
        self._file = files.enter_context(PartialFile(dive.folder / self.name, ""))
        self._size_hw = canvas(dive.info.size_hw)
        rate = min(max(dive.info.rate or UNKNOWN_RATE, RATES[0]), RATES[1])
        self._rate = Fraction(rate).limit_denominator(1001)
        self._pts = -1
        self._interval = round(TICKS_PER_S / self._rate)
        self.encoder = GPU if encodes(GPU, self._size_hw) else SOFTWARE
        self._held: av.Packet[av.VideoStream] | None = None
        files.callback(self._abandon)
        with writing(self._file.path):
            # The prefix keeps a colon in a path from being taken for a protocol.
            self._container = av.open(
                f"file:{self._file.partial_path}", "w", format="mp4", options={"movflags": "+faststart"}
            )
            self._stream = self._new_stream()

    def frame(self, row: FrameResult) -> None:
        """Draws and encodes the row's picture."""
        picture = self._picture_of(row).rgb(MAX_SIDE)
        drawn = draw_caption(draw_overlay(picture, row.cam, self._opacity), self._caption(row))
        image = av.VideoFrame.from_ndarray(place(drawn, self._size_hw), "rgb24").reformat(
            format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
        )
        # Two pictures at one time cannot both be shown; players want the clock to move.
        pts = max(self._pts + 1, round(row.media_s * TICKS_PER_S))
        if self._pts >= 0:
            self._interval = pts - self._pts
        self._pts = image.pts = pts
        image.time_base = Fraction(1, TICKS_PER_S)
        with writing(self._file.path):
            for packet in self._stream.encode(image):
                self._mux(packet)

    def finish(self, sightings: Sequence[Sighting]) -> None:
        """Completes the video."""
        with writing(self._file.path):
            for packet in self._stream.encode():
                self._mux(packet)
            if self._held is not None:
                self._held.duration = self._interval  # nothing follows that would end it
                self._container.mux(self._held)
            self._container.close()
        self._file.commit()

    def _new_stream(self) -> av.VideoStream:
        stream = self._container.add_stream(self.encoder, rate=self._rate, options=ENCODERS[self.encoder])
        assert isinstance(stream, av.VideoStream)
        stream.pix_fmt = "yuv420p"
        stream.height, stream.width = self._size_hw
        context = stream.codec_context
        context.max_b_frames = 0
        context.time_base = Fraction(1, TICKS_PER_S)
        # Named in the file, or players take small pictures for BT.601 and shift the colours.
        context.colorspace = Colorspace.ITU709
        context.color_range = ColorRange.MPEG
        context.color_primaries = ColorPrimaries.BT709
        context.color_trc = ColorTrc.BT709
        return stream

    def _mux(self, packet: av.Packet[av.VideoStream]) -> None:
        """One packet late, so that the last can be given its length."""
        if self._held is not None:
            self._container.mux(self._held)
        self._held = packet

    def _abandon(self) -> None:
        with suppress(Exception):  # completing a video on a full disk fails again; the first failure is on its way
            self._container.close()

    def _picture_of(self, row: FrameResult) -> Picture:
        for frame in self._frames:
            if frame.index == row.index:
                return frame.picture
        raise ResultsError(f"{self._file.path}: frame {row.index} cannot be decoded a second time")

    def _caption(self, row: FrameResult) -> str:
        if row.stable.index is None:
            return EMPTY if row.stable.empty else NOTHING
        return f"{self._labels[row.stable.index]} {row.stable.probability:.0%}"


def encodes(encoder: str, size_hw: tuple[int, int]) -> bool:
    """Whether ``encoder`` really encodes a picture of this size here; that ffmpeg knows it says nothing of that."""
    try:
        context = av.CodecContext.create(encoder, "w")
        assert isinstance(context, av.VideoCodecContext)
        context.height, context.width = size_hw
        context.pix_fmt, context.time_base = "yuv420p", Fraction(1, UNKNOWN_RATE)
        context.max_b_frames = 0
        context.options = ENCODERS.get(encoder, {})
        picture = av.VideoFrame(size_hw[1], size_hw[0], "yuv420p")
        picture.pts = 0
        return bool([*context.encode(picture), *context.encode(None)])
    except (av.error.FFmpegError, ValueError) as error:
        log.debug("%s does not encode here: %s", encoder, error)
        return False


def canvas(size_hw: tuple[int, int]) -> tuple[int, int]:
    """Height and width of the video for pictures of ``size_hw``: even, as yuv420p demands, and not beyond MAX_SIDE."""
    scale = min(1.0, MAX_SIDE / max(size_hw))
    height, width = (max(MIN_SIDE, round(side * scale)) for side in size_hw)
    return height + height % 2, width + width % 2


def place(rgb: NDArray[np.uint8], size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """uint8 [H, W, 3] on a canvas of ``size_hw``: an odd side gets its last line twice, any other size is fitted in.

    Pictures of a folder, and a camera that changes its resolution, share one canvas; the rest of it is black.
    """
    height, width = size_hw
    if height - rgb.shape[0] in (0, 1) and width - rgb.shape[1] in (0, 1):
        return np.pad(rgb, ((0, height - rgb.shape[0]), (0, width - rgb.shape[1]), (0, 0)), mode="edge")
    scale = min(height / rgb.shape[0], width / rgb.shape[1])
    inner_h, inner_w = max(1, round(rgb.shape[0] * scale)), max(1, round(rgb.shape[1] * scale))
    out = np.zeros((height, width, 3), np.uint8)
    top, left = (height - inner_h) // 2, (width - inner_w) // 2
    interpolation = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_LINEAR
    out[top : top + inner_h, left : left + inner_w] = cv2.resize(rgb, (inner_w, inner_h), interpolation=interpolation)
    return out
