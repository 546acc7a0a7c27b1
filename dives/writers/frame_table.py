"""The columns of frames.csv and frames.parquet, named and typed once. docs/results.md explains each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TypeAlias

from dives.writers.base import Dive
from realtime.frames import FrameResult

TOP = 5

Value: TypeAlias = str | int | float | datetime | None


class Kind(Enum):
    """What a column holds; NAME and UTC may be None."""

    NAME = "a text that comes again"
    WHOLE = "a whole number"
    SECONDS = "seconds"
    SCORE = "a probability or score"
    UTC = "a moment"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table."""

    name: str
    kind: Kind


class FrameTable:
    """Turns the rows of one dive into values, in the order of ``columns``."""

    def __init__(self, dive: Dive) -> None:
        self._files = dive.files
        self._labels = dive.contract.labels
        self._top = min(TOP, len(self._labels))
        best = [
            column
            for k in range(1, self._top + 1)
            for column in (Column(f"label_{k}", Kind.NAME), Column(f"probability_{k}", Kind.SCORE))
        ]
        self.columns = (
            Column("file", Kind.NAME),
            Column("frame", Kind.WHOLE),
            Column("media_s", Kind.SECONDS),
            Column("utc", Kind.UTC),
            Column("utc_source", Kind.NAME),
            *best,
            Column("unknown", Kind.SCORE),
            Column("stable_label", Kind.NAME),
            Column("stable_probability", Kind.SCORE),
        )

    def values(self, row: FrameResult) -> Iterator[Value]:
        """One value per column."""
        file, frame = self._files.at(row.index)
        yield from (file.path.name, frame, row.media_s, row.utc, row.utc_source or None)
        for label, probability in row.top(self._top):
            yield self._labels[label]
            yield probability
        yield row.unknown
        yield None if row.stable.index is None else self._labels[row.stable.index]
        yield row.stable.probability
