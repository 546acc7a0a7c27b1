"""frames.csv: one line per classified frame, for spreadsheets, pandas and R."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from contextlib import ExitStack
from typing import ClassVar

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
        self._top = min(TOP, len(self._labels))
        self._file = files.enter_context(PartialFile(dive.folder / self.name, "w"))
        self._csv = csv.writer(self._file, lineterminator="\n")
        best = [column for k in range(1, self._top + 1) for column in (f"label_{k}", f"probability_{k}")]
        self._csv.writerow(
            [
                *("frame", "media_s", "utc", "utc_source", *best, "unknown", "stable_label", "stable_probability"),
                *("depth_m", "temperature_c"),
            ]
        )

    def frame(self, row: FrameResult) -> None:
        """Writes one line."""
        best: list[str] = []
        for label, probability in row.top(self._top):
            best += [self._labels[label], score(probability)]
        stable = "" if row.stable.index is None else self._labels[row.stable.index]
        at = self._dive.conditions(row.utc)
        self._csv.writerow(
            [
                *(row.index, seconds(row.media_s), iso_utc(row.utc), row.utc_source),
                *(*best, score(row.unknown), stable, score(row.stable.probability)),
                *(measured(at.depth_m), measured(at.temperature_c)),
            ]
        )

    def finish(self, sightings: Sequence[Sighting]) -> None:
        """Completes the file."""
        self._file.commit()
