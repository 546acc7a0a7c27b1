"""The second pass: raw rows, in order, become what a viewer is shown. It is cheap and always done anew."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack

from dives.writers.base import Dive, Writer
from realtime.contract import ModelContract
from realtime.frames import FrameResult
from realtime.pipeline import RawResult, settle
from realtime.sightings import MERGE_GAP_S, Sighting, SightingTracker
from realtime.smoothing import Smoother


class Timeline:
    """Smoothing and sightings of one dive; ``step`` it with every row in order of time."""

    def __init__(self, contract: ModelContract, *, merge_gap_s: float = MERGE_GAP_S) -> None:
        self._smoother = Smoother(contract)
        self._tracker = SightingTracker(merge_gap_s=merge_gap_s)
        self._sightings: list[Sighting] = []

    def step(self, raw: RawResult) -> FrameResult:
        """The row with its stable label."""
        result = settle(raw, self._smoother)
        self._keep(self._tracker.step(result))
        return result

    @property
    def ended(self) -> Sequence[Sighting]:
        """The sightings that are over by now, in order of their start."""
        return self._sightings

    def finish(self) -> list[Sighting]:
        """All sightings, in order of their start."""
        self._keep(self._tracker.finish())
        return list(self._sightings)

    def _keep(self, ended: Sighting | None) -> None:
        if ended is not None:
            self._sightings.append(ended)


def merge_gap(every_s: float | None) -> float:
    """How long a label may be lost within one sighting, in seconds, when a frame is classified every ``every_s``.

    Samples further apart than the usual gap would otherwise make one sighting each; 1.5 intervals join
    neighbouring samples, also where a variable frame rate moves them, and nothing beyond.
    """
    return max(MERGE_GAP_S, 1.5 * every_s) if every_s is not None else MERGE_GAP_S


def write_results(rows: Iterable[RawResult], dive: Dive, writers: Sequence[Writer]) -> list[Sighting]:
    """Runs all rows of ``dive`` through smoothing and sightings into the writers; returns the sightings.

    A file appears complete or not at all. Raises ResultsError when one cannot be written.
    """
    timeline = Timeline(dive.contract, merge_gap_s=dive.merge_gap_s)
    with ExitStack() as files:
        for writer in writers:
            writer.begin(dive, files)
        for raw in rows:
            row = timeline.step(raw)
            for writer in writers:
                writer.frame(row)
        sightings = timeline.finish()
        for writer in writers:
            writer.finish(sightings)
    return sightings
