"""Rows as the two passes make them, without a video."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import numpy as np

from dives.writers.base import Dive, Writer
from realtime.frames import FrameResult, StableLabel
from realtime.pipeline import RawResult
from realtime.sightings import Sighting, SightingTracker

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


def shown(index: int, media_s: float, label: int | None, *, utc: bool = False, classes: int = 3) -> FrameResult:
    """A row that shows ``label``, without asking how long the smoother would have taken."""
    row = raw(index, media_s, label, utc=utc, classes=classes)
    fields = {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}
    return FrameResult(**fields, stable=StableLabel(label, float(row.probabilities.max()), media_s))


def write(rows: Sequence[FrameResult], dive: Dive, *writers: Writer) -> list[Sighting]:
    """Hands rows and their sightings to writers; returns the sightings."""
    tracker = SightingTracker(merge_gap_s=dive.merge_gap_s)
    with ExitStack() as files:
        for writer in writers:
            writer.begin(dive, files)
        sightings = []
        for row in rows:
            sightings.append(tracker.step(row))
            for writer in writers:
                writer.frame(row)
        sightings.append(tracker.finish())
        found = [sighting for sighting in sightings if sighting is not None]
        for writer in writers:
            writer.finish(found)
    return found
