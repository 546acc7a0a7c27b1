"""Results as a live source gives them, without one: what test_recorder and test_logbook feed on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from realtime.frames import Frame, FrameResult, StableLabel
from realtime.pictures import ArrayPicture

LABELS = ("Fish", "Octopus", "Turtle")
BEGAN = datetime(2026, 5, 17, 9, 30, tzinfo=UTC)


def seen(
    index: int,
    label: int | None,
    *,
    source: str = "reef",
    probability: float = 0.9,
    size_hw: tuple[int, int] = (48, 64),
) -> tuple[Frame, FrameResult]:
    """Frame ``index`` of ten a second, which shows ``label``, or nothing that is known."""
    media_s, moment = index / 10, BEGAN + timedelta(seconds=index / 10)
    scores = np.full(3, (1.0 - probability) / 2, np.float32)
    scores[label or 0] = probability
    picture = ArrayPicture(np.full((*size_hw, 3), index % 200, np.uint8))
    frame = Frame(source, index, media_s, picture, moment, "clock", 0.0)
    stable = StableLabel(label, probability, media_s)
    cam = np.full((2, 2), 200, np.uint8)
    unknown = 1.0 - probability
    return frame, FrameResult(
        *(source, index, media_s, moment, "clock", 0.0, size_hw, scores, unknown, cam, label or 0, stable)
    )
