"""What every output format is given, and the three methods it answers with."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Protocol

from dives.files import Files
from dives.profile import UNKNOWN, Conditions, Profile
from realtime.contract import ModelContract
from realtime.frames import FrameResult
from realtime.sightings import Sighting, SightingTracker
from realtime.sources import SourceInfo


@dataclass(frozen=True, slots=True)
class Dive:
    """The facts of a dive that hold for all its rows.

    folder: where its files go. frames: the number of rows to come. merge_gap_s: how long, in seconds, a label may
    be lost within one sighting. files: what the recording consists of. profile: depth and temperature by the clock of
    the rows, when there is a dive log.
    """

    folder: Path
    source: str
    contract: ModelContract
    info: SourceInfo
    frames: int
    merge_gap_s: float
    files: Files
    profile: Profile | None = None

    def conditions(self, moment: datetime | None) -> Conditions:
        """Depth and temperature at a moment; unknown without a dive log."""
        return self.profile.at(moment) if self.profile is not None else UNKNOWN


class Writer(Protocol):
    """One output format: ``begin`` once, ``frame`` for every row in order of time, ``finish`` once.

    Its file appears under its name in ``finish``, not before. What ``begin`` opens it hands to ``files``, which closes
    it and removes what is unfinished if the dive fails on the way. All three raise ResultsError when the
    disk does not take it.
    """

    name: ClassVar[str]

    def begin(self, dive: Dive, files: ExitStack) -> None:
        """Opens the file."""

    def frame(self, row: FrameResult) -> None:
        """Takes the next row."""

    def finish(self, sightings: Sequence[Sighting]) -> None:
        """Takes all sightings of the dive, in order of their start, and completes the file."""


class SightingIds:
    """Tells a writer, row by row, which sighting a row belongs to. The first of a dive is 1, as in sightings.csv."""

    def __init__(self, dive: Dive) -> None:
        self._tracker = SightingTracker(merge_gap_s=dive.merge_gap_s)
        self._id = 0

    @property
    def current(self) -> Sighting | None:
        """The sighting as far as it is known, also while its label is lost for a moment."""
        return self._tracker.current

    def step(self, row: FrameResult) -> int | None:
        """The id of the sighting whose label the row shows; None when it shows none."""
        before = self._tracker.current
        ended = self._tracker.step(row)
        if self._tracker.current is not None and (before is None or ended is not None):
            self._id += 1
        return None if row.stable.index is None else self._id


def seconds(value: float) -> str:
    """Media time with 6 decimals: finer than any container's clock (1/90000 s and coarser). Never "-0.000000"."""
    return f"{value + 0.0:.6f}" if abs(value) >= 5e-7 else "0.000000"


def measured(value: float | None) -> str:
    """Metres or degrees with 2 decimals, finer than dive computers measure; empty for None."""
    return "" if value is None else f"{value:.2f}"


def score(value: float) -> str:
    """A probability or score with 6 decimals: as far as float32 carries near 1."""
    return f"{value:.6f}"
