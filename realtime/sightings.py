"""Stable labels become sightings: this animal, from here to there, seen best at this frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from realtime.frames import FrameResult
from realtime.pauses import paused

MERGE_GAP_S = 2.0  # an animal that is lost for less than this is the same sighting


@dataclass(frozen=True, slots=True)
class Sighting:
    """One label over one stretch of time.

    start_s, end_s: media times of its first and last frame. peak_s, peak_frame: the frame with the highest
    probability of this label. mean_probability: over the frames counted in ``frames``, which are those that
    showed the label; a short loss in between belongs to the stretch but not to the count. start_utc, end_utc, peak_utc:
    the wall clock of these three frames, None where it is not known.
    """

    label_index: int
    start_s: float
    end_s: float
    peak_s: float
    peak_frame: int
    peak_probability: float
    mean_probability: float
    frames: int
    start_utc: datetime | None
    end_utc: datetime | None
    peak_utc: datetime | None


class SightingTracker:
    """Feeds on the results of one source, in order of time. Not thread-safe.

    A label that is lost for too long ends its sighting, and so does a camera that was off, whatever it sees afterwards.
    """

    def __init__(self, *, merge_gap_s: float = MERGE_GAP_S) -> None:
        self._merge_gap_s = merge_gap_s
        self._current: Sighting | None = None

    @property
    def current(self) -> Sighting | None:
        """The sighting that has begun and not ended, if any."""
        return self._current

    def step(self, result: FrameResult) -> Sighting | None:
        """Takes the next result; returns the sighting that it showed to be over, if any."""
        label, current, ended = result.stable.index, self._current, None
        if current is not None and (
            (label is not None and label != current.label_index)
            or result.media_s - current.end_s > self._merge_gap_s
            or result.media_s < current.end_s
            or (result.captured_s is None and paused(current.end_s, current.end_utc, result.media_s, result.utc))
        ):
            ended, current = current, None
        if label is not None:
            current = _begin(label, result) if current is None else _extend(current, result)
        self._current = current
        return ended

    def finish(self) -> Sighting | None:
        """Ends the sighting that is still open, if any, and returns it."""
        ended, self._current = self._current, None
        return ended


def _begin(label: int, result: FrameResult) -> Sighting:
    probability = float(result.probabilities[label])
    return Sighting(
        label_index=label,
        start_s=result.media_s,
        end_s=result.media_s,
        peak_s=result.media_s,
        peak_frame=result.index,
        peak_probability=probability,
        mean_probability=probability,
        frames=1,
        start_utc=result.utc,
        end_utc=result.utc,
        peak_utc=result.utc,
    )


def _extend(current: Sighting, result: FrameResult) -> Sighting:
    probability = float(result.probabilities[current.label_index])
    frames = current.frames + 1
    longer = replace(
        current,
        end_s=result.media_s,
        end_utc=result.utc,
        frames=frames,
        mean_probability=current.mean_probability + (probability - current.mean_probability) / frames,
    )
    if probability > current.peak_probability:
        return replace(
            longer,
            peak_s=result.media_s,
            peak_frame=result.index,
            peak_probability=probability,
            peak_utc=result.utc,
        )
    return longer
