"""frames.csv: one line per classified frame, for spreadsheets and everything that reads text."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from typing import Any, ClassVar

from dives.partial import PartialFile
from dives.writers.base import Dive, measured, score, seconds
from dives.writers.frame_table import Column, FrameTable, Kind, Value, result_columns, result_values
from realtime.frames import FrameResult, iso_utc
from realtime.sightings import Sighting

AS_TEXT: dict[Kind, Callable[[Any], str]] = {
    Kind.NAME: lambda text: text or "",
    Kind.WHOLE: str,
    Kind.SECONDS: seconds,
    Kind.SCORE: score,
    Kind.UTC: iso_utc,
    Kind.MEASURE: measured,
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

    def frame(self, row: FrameResult) -> None:
        """Writes one line."""
        self._csv.writerow(texts(self._table.columns, self._table.values(row)))

    def finish(self, sightings: Sequence[Sighting]) -> None:
        """Completes the file."""
        self._file.commit()


def columns(labels: Sequence[str]) -> list[str]:
    """The header line for a source that is not in files and has no dive log, and a model with these labels."""
    return [column.name for column in result_columns(labels)]


def fields(row: FrameResult, labels: Sequence[str]) -> list[str]:
    """One line, a text for each of ``columns``."""
    return texts(result_columns(labels), result_values(row, labels, row.index))


def texts(columns: Sequence[Column], values: Iterable[Value]) -> list[str]:
    """Values as they stand in a line, each as its column says."""
    return [AS_TEXT[column.kind](value) for column, value in zip(columns, values, strict=True)]
