"""realtime/push.py: pictures that somebody else brings, the newest only."""

from __future__ import annotations

import threading

import cv2
import numpy as np
import pytest
from clips import colour_frame

from realtime.errors import SourceError
from realtime.push import PushSource


def jpeg(value: int) -> bytes:
    return cv2.imencode(".jpg", np.full((8, 12, 3), value, np.uint8))[1].tobytes()


def test_a_picture_comes_out_decoded_with_the_times_it_was_given() -> None:
    rgb = colour_frame(0, 8, 12)
    data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))[1].tobytes()
    with PushSource("mine") as source:
        source.push(data, index=3, media_s=1.5, captured_s=7.25)
        frame = next(iter(source))
    assert (frame.source, frame.index, frame.media_s, frame.captured_s) == ("mine", 3, 1.5, 7.25)
    assert frame.utc_source == "clock"
    assert frame.picture.size_hw == (8, 12)
    mean = frame.picture.rgb().mean(axis=(0, 1))
    assert mean[0] > 150 > 60 > mean[2]  # red is still red


def test_the_newest_wins() -> None:
    source = PushSource("mine")
    for index in range(5):
        source.push(jpeg(50 * index), index=index, media_s=index / 10)
    frame = next(iter(source))
    assert frame.index == 4
    assert frame.picture.rgb().mean() == pytest.approx(200, abs=2)


def test_closing_wakes_the_thread_that_waits_for_a_picture() -> None:
    source = PushSource("mine")
    came: list[int] = []
    thread = threading.Thread(target=lambda: came.extend(frame.index for frame in source))
    thread.start()
    source.close()
    thread.join(5)
    assert not thread.is_alive()
    source.push(jpeg(0), index=0, media_s=0.0)
    source.close()
    assert came == []


def test_a_picture_that_waits_when_it_is_closed_is_not_decoded_any_more() -> None:
    source = PushSource("mine")
    source.push(b"not decoded, or this would fail", index=0, media_s=0.0)
    source.close()
    assert list(source) == []


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff\xd9", b"nonsense"])
def test_what_cannot_be_decoded_ends_it_with_the_reason(data: bytes) -> None:
    source = PushSource("mine")
    source.push(data, index=0, media_s=0.0)
    with pytest.raises(SourceError, match="mine: the picture cannot be decoded"):
        next(iter(source))
    assert source.broken == "the picture cannot be decoded"
