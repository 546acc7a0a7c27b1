"""frames.csv: one line per classified frame, for spreadsheets and everything that reads text."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, ClassVar

from dives.partial import PartialFile
from dives.writers.base import Dive, score, seconds
from dives.writers.frame_table import FrameTable, Kind
from realtime.frames import FrameResult, iso_utc
from realtime.sightings import Sighting

AS_TEXT: dict[Kind, Callable[[Any], str]] = {
    Kind.NAME: lambda text: text or "",
    Kind.WHOLE: str,
    Kind.SECONDS: seconds,
    Kind.SCORE: score,
    Kind.UTC: iso_utc,
}


class FramesCsv:
    """The columns of dives.writers.frame_table; None is an empty field."""

    name: ClassVar[str] = "frames.csv"

    def begin(self, dive: Dive, files: ExitStack) -> None:
        """Writes the header line."""
        self._table = FrameTable(dive)
        self._file = files.enter_context(PartialFile(dive.folder / self.name, "w"))
        self._csv = csv.writer(self._file, lineterminator="\n")
        self._csv.writerow([column.name for column in self._table.columns])
        self._as_text = [AS_TEXT[column.kind] for column in self._table.columns]

    def frame(self, row: FrameResult) -> None:
        """Writes one line."""
        values = zip(self._as_text, self._table.values(row), strict=True)
        self._csv.writerow([as_text(value) for as_text, value in values])

    def finish(self, sightings: Sequence[Sighting]) -> None:
        """Completes the file."""
        self._file.commit()
