"""sightings.csv: one line per sighting, the table a diver wants first."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from contextlib import ExitStack
from typing import ClassVar

from dives.partial import PartialFile
from dives.writers.base import Dive, score, seconds
from realtime.frames import FrameResult, iso_utc
from realtime.sightings import Sighting

COLUMNS = (
    *("label", "start_s", "end_s", "start_utc", "end_utc"),
    *("peak_s", "peak_frame", "peak_probability", "mean_probability", "frames"),
)


class SightingsCsv:
    """Label, first and last time, the best frame, probabilities. See docs/results.md."""

    name: ClassVar[str] = "sightings.csv"

    def begin(self, dive: Dive, files: ExitStack) -> None:
        """Writes the header line."""
        self._labels = dive.contract.labels
        self._file = files.enter_context(PartialFile(dive.folder / self.name, "w"))
        self._csv = csv.writer(self._file, lineterminator="\n")
        self._csv.writerow(COLUMNS)

    def frame(self, row: FrameResult) -> None:
        """Needs nothing of a single frame."""

    def finish(self, sightings: Sequence[Sighting]) -> None:
        """Writes all lines and completes the file."""
        for sighting in sightings:
            self._csv.writerow(fields(sighting, self._labels))
        self._file.commit()


def fields(sighting: Sighting, labels: Sequence[str]) -> list[str]:
    """One line, a text for each of COLUMNS."""
    return [
        labels[sighting.label_index],
        seconds(sighting.start_s),
        seconds(sighting.end_s),
        iso_utc(sighting.start_utc),
        iso_utc(sighting.end_utc),
        seconds(sighting.peak_s),
        str(sighting.peak_frame),
        score(sighting.peak_probability),
        score(sighting.mean_probability),
        str(sighting.frames),
    ]
