"""Rows as the first pass makes them, without a video."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from realtime.pipeline import RawResult

DIVE_START = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)


def raw(index: int, media_s: float, label: int | None, *, utc: bool = False, classes: int = 3) -> RawResult:
    """A row that is sure of ``label``, or of nothing when that is None; its map is its index."""
    probabilities = np.full(classes, 1.0 / classes, np.float32)
    if label is not None:
        probabilities[:] = 0.1 / (classes - 1)
        probabilities[label] = 0.9
    return RawResult(
        source="dive.mp4",
        index=index,
        media_s=media_s,
        utc=DIVE_START + timedelta(seconds=media_s) if utc else None,
        utc_source="container" if utc else "",
        captured_s=None,
        size_hw=(48, 64),
        probabilities=probabilities,
        unknown=float(1.0 - probabilities.max()),
        cam=np.full((2, 2), index % 256, np.uint8),
        explained=int(probabilities.argmax()),
    )
