"""realtime/jpeg.py: the size of a JPEG without decoding it, and what is not taken."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.jpeg import MAX_JPEG_BYTES, jpeg_size


def jpeg(height: int = 24, width: int = 40, *options: int, suffix: str = ".jpg") -> bytes:
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return cv2.imencode(suffix, picture, list(options))[1].tobytes()


GOOD = jpeg()
SIZE_AT = GOOD.index(b"\xff\xc0") + 5


def resized(height: int, width: int) -> bytes:
    """A JPEG of a few hundred bytes that claims to be of any size."""
    return GOOD[:SIZE_AT] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + GOOD[SIZE_AT + 4 :]


def test_the_size_is_read_from_the_header() -> None:
    assert jpeg_size(GOOD) == (24, 40)
    assert jpeg_size(jpeg(1, 300)) == (1, 300)
    assert jpeg_size(cv2.imencode(".jpg", np.zeros((9, 7), np.uint8))[1].tobytes()) == (9, 7)  # grey
    assert jpeg_size(jpeg(24, 40, cv2.IMWRITE_JPEG_RST_INTERVAL, 1)) == (24, 40)


def test_a_limit_is_the_last_size_that_is_taken() -> None:
    assert jpeg_size(resized(4096, 4096)) == (4096, 4096)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a JPEG"),
        (jpeg(suffix=".png"), "not a JPEG"),
        (b"\xff\xd8", "breaks off"),
        (GOOD[:-2], "breaks off"),
        (GOOD[: len(GOOD) // 2], "breaks off"),
        (b"\xff\xd8\xff\xd9", "damaged"),
        (b"\xff\xd8" + b"\x00" * 20 + b"\xff\xd9", "damaged"),
        (b"\xff\xd8\xff\xe0\xff\xff\x00\xff\xd9", "damaged"),
        (GOOD[:2] + GOOD[GOOD.index(b"\xff\xda") :], "names no size"),
        (b"\xff\xd8" + b"\xff\xfe\x00\x02" * 300 + GOOD[2:], "too long"),
        (resized(4097, 16), "16 x 4097 pixels are more"),
        (resized(16, 65535), "65535 x 16 pixels are more"),
        (resized(0, 16), "names no size"),
        (jpeg(24, 40, cv2.IMWRITE_JPEG_PROGRESSIVE, 1), "progressive"),
        (GOOD[:-2] + GOOD[GOOD.index(b"\xff\xda") : -2] * 3 + b"\xff\xd9", "more scans"),
        (GOOD + b"\x00" * MAX_JPEG_BYTES, "are more than the 1048576"),
    ],
)
def test_what_a_canvas_would_not_write_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        jpeg_size(data)


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_any_damage_is_either_refused_or_leaves_a_size_within_the_limits(at: int, value: int) -> None:
    try:
        height, width = jpeg_size(GOOD[:at] + bytes([value]) + GOOD[at + 1 :])
    except ValueError:
        return
    assert 1 <= height <= 4096
    assert 1 <= width <= 4096
