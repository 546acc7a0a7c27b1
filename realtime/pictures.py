"""What a frame shows, converted only when someone asks for it."""

from __future__ import annotations

from fractions import Fraction

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

from realtime.preprocess import resize_av, resize_rgb, scale_av, upright

SQUARE = Fraction(1)


def pixel_aspect(stream: av.VideoStream) -> Fraction:
    """Width of a stored pixel over its height, as the file says: 1 but for DV, DVD, HDV and some analogue cameras."""
    return _believed(stream.sample_aspect_ratio)


def pixel_aspect_now(stream: av.VideoStream) -> Fraction:
    """The same of what was decoded last: a camera may change its shape while it runs, and has no file to say so."""
    return _believed(stream.codec_context.sample_aspect_ratio or stream.sample_aspect_ratio)


def displayed_hw(height: int, width: int, aspect: Fraction) -> tuple[int, int]:
    """The size with square pixels, made by stretching the side that is too short."""
    if aspect > 1:
        return height, round(width * aspect)
    return round(height / aspect), width


def _believed(aspect: Fraction | None) -> Fraction:
    # Anamorphic lenses end at 2; a damaged header may say 30000, which would be a picture of gigabytes.
    return aspect if aspect is not None and Fraction(1, 4) <= aspect <= 4 else SQUARE


class VideoPicture:
    """A decoded video frame, kept as the decoder gave it (YUV, maybe rotated). Safe to read from several threads.

    aspect: of its stored pixels, see pixel_aspect. People see square pixels (displayed_hw); the model's input is the
    whole picture made square, as in training, whatever shape its pixels had.
    """

    __slots__ = ("_aspect", "_frame")

    def __init__(self, frame: av.VideoFrame, aspect: Fraction = SQUARE) -> None:
        self._frame = frame
        self._aspect = aspect

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels as displayed."""
        height, width = self._square_hw()
        return (width, height) if round(self._frame.rotation / 90) % 2 else (height, width)

    def model_input(self, size: int) -> NDArray[np.uint8]:
        """uint8 [size, size, 3] RGB, straight from YUV."""
        return resize_av(self._frame, size)

    def rgb(self, max_side: int | None = None) -> NDArray[np.uint8]:
        """uint8 [H, W, 3] RGB, upright, no side longer than ``max_side``."""
        height, width = _fit(*self._square_hw(), max_side)
        return upright(scale_av(self._frame, width, height), self._frame.rotation)

    def yuv420p(self, size_hw: tuple[int, int]) -> av.VideoFrame:
        """The picture upright in ``size_hw`` (both even), 8 bits, BT.709, for an encoder; may be the same frame."""
        turns = round(self._frame.rotation / 90) % 4
        height, width = size_hw[::-1] if turns % 2 else size_hw
        lying = self._frame.reformat(
            width, height, "yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
        )
        if not turns:
            return lying
        flat = lying.to_ndarray().reshape(-1)
        ends = np.cumsum([height * width, height * width // 4, height * width // 4])
        planes = [
            np.rot90(plane.reshape(height // step, width // step), turns)
            for plane, step in zip(np.split(flat, ends[:-1]), (1, 2, 2), strict=True)
        ]
        turned = np.concatenate([plane.reshape(-1) for plane in planes]).reshape(size_hw[0] * 3 // 2, size_hw[1])
        return av.VideoFrame.from_ndarray(turned, "yuv420p")

    def _square_hw(self) -> tuple[int, int]:
        """Before rotation, with square pixels."""
        return displayed_hw(self._frame.height, self._frame.width, self._aspect)


class ArrayPicture:
    """A picture that already is an array, uint8 [H, W, 3] RGB; it must not be written to afterwards."""

    __slots__ = ("_rgb",)

    def __init__(self, rgb: NDArray[np.uint8]) -> None:
        self._rgb = rgb

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self._rgb.shape[0], self._rgb.shape[1]

    def model_input(self, size: int) -> NDArray[np.uint8]:
        """uint8 [size, size, 3] RGB by the contract's resize rule."""
        return resize_rgb(self._rgb, size)

    def rgb(self, max_side: int | None = None) -> NDArray[np.uint8]:
        """uint8 [H, W, 3] RGB, no side longer than ``max_side``."""
        height, width = _fit(*self.size_hw, max_side)
        if (height, width) == self.size_hw:
            return self._rgb
        small: NDArray[np.uint8] = cv2.resize(self._rgb, (width, height), interpolation=cv2.INTER_AREA)
        return small


def _fit(height: int, width: int, max_side: int | None) -> tuple[int, int]:
    longest = max(height, width)
    if max_side is None or longest <= max_side:
        return height, width
    return max(1, round(height * max_side / longest)), max(1, round(width * max_side / longest))
