"""sightings.csv: one line per sighting, the table a diver wants first."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from contextlib import ExitStack
from typing import ClassVar

from dives.partial import PartialFile
from dives.stills import Still
from dives.writers.base import Dive, measured, score, seconds
from dives.writers.stills import Stills
from realtime.frames import FrameResult, iso_utc
from realtime.sightings import Sighting

COLUMNS = (
    *("id", "label", "start_s", "end_s", "start_utc", "end_utc"),
    *("peak_s", "peak_file", "peak_frame", "peak_probability", "mean_probability", "frames"),
    *("depth_m", "min_depth_m", "max_depth_m", "temperature_c", "still"),
)


class SightingsCsv:
    """Label, first and last time, the best frame, probabilities. See docs/results.md.

    stills: comes earlier in the list of writers.
    """

    name: ClassVar[str] = "sightings.csv"

    def __init__(self, stills: Stills) -> None:
        self._stills = stills

    def begin(self, dive: Dive, files: ExitStack) -> None:
        """Writes the header line."""
        self._dive = dive
        self._file = files.enter_context(PartialFile(dive.folder / self.name, "w"))
        self._csv = csv.writer(self._file, lineterminator="\n")
        self._csv.writerow(COLUMNS)

    def frame(self, row: FrameResult) -> None:
        """Needs nothing of a single frame."""

    def finish(self, sightings: Sequence[Sighting]) -> None:
        """Writes all lines and completes the file."""
        for number, sighting in enumerate(sightings, start=1):
            self._csv.writerow(sighting_fields(number, sighting, self._dive, self._stills.of(number)))
        self._file.commit()


def sighting_fields(number: int, sighting: Sighting, dive: Dive, still: Still | None) -> list[str]:
    """One line, a text for each of COLUMNS. number: from 1."""
    file, frame = dive.files.at(sighting.peak_frame)
    at = dive.conditions(sighting.peak_utc)
    profile = dive.profile
    depths = profile.depths(sighting.start_utc, sighting.end_utc) if profile is not None else (None, None)
    return [
        str(number),
        dive.contract.labels[sighting.label_index],
        seconds(sighting.start_s),
        seconds(sighting.end_s),
        iso_utc(sighting.start_utc),
        iso_utc(sighting.end_utc),
        seconds(sighting.peak_s),
        file.path.name,
        str(frame),
        score(sighting.peak_probability),
        score(sighting.mean_probability),
        str(sighting.frames),
        *(measured(at.depth_m), *map(measured, depths), measured(at.temperature_c)),
        "" if still is None else still.plain,
    ]
