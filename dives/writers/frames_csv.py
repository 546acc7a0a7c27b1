"""frames.csv: one line per classified frame, for spreadsheets, pandas and R."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from contextlib import ExitStack
from typing import ClassVar

from dives.divelog import UNKNOWN, Conditions
from dives.partial import PartialFile
from dives.writers.base import Dive, measured, score, seconds
from realtime.frames import FrameResult, iso_utc
from realtime.sightings import Sighting

TOP = 5


class FramesCsv:
    """Frame, three times, the most probable labels, the unknown score, the stable label. See docs/results.md."""

    name: ClassVar[str] = "frames.csv"

    def begin(self, dive: Dive, files: ExitStack) -> None:
        """Writes the header line."""
        self._dive = dive
        self._labels = dive.contract.labels
        self._file = files.enter_context(PartialFile(dive.folder / self.name, "w"))
        self._csv = csv.writer(self._file, lineterminator="\n")
        self._csv.writerow(columns(self._labels))

    def frame(self, row: FrameResult) -> None:
        """Writes one line."""
        self._csv.writerow(fields(row, self._labels, self._dive.conditions(row.utc)))

    def finish(self, sightings: Sequence[Sighting]) -> None:
        """Completes the file."""
        self._file.commit()


def columns(labels: Sequence[str]) -> list[str]:
    """The header line for a model with these labels."""
    best = [column for k in range(1, min(TOP, len(labels)) + 1) for column in (f"label_{k}", f"probability_{k}")]
    return [
        *("frame", "media_s", "utc", "utc_source", *best, "unknown", "stable_label", "stable_probability"),
        *("depth_m", "temperature_c"),
    ]


def fields(row: FrameResult, labels: Sequence[str], at: Conditions = UNKNOWN) -> list[str]:
    """One line, a text for each of ``columns``."""
    best: list[str] = []
    for label, probability in row.top(min(TOP, len(labels))):
        best += [labels[label], score(probability)]
    stable = "" if row.stable.index is None else labels[row.stable.index]
    return [
        *(str(row.index), seconds(row.media_s), iso_utc(row.utc), row.utc_source),
        *(*best, score(row.unknown), stable, score(row.stable.probability)),
        *(measured(at.depth_m), measured(at.temperature_c)),
    ]
