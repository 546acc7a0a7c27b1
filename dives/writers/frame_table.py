"""The columns of tables of frames, named and typed once. docs/results.md explains each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TypeAlias

from dives.writers.base import Dive
from realtime.frames import FrameResult
from realtime.labels import means_no_animal

TOP = 5

Value: TypeAlias = str | int | float | datetime | None


class Kind(Enum):
    """What a column holds; NAME, UTC and MEASURE may be None."""

    NAME = "a text that comes again"
    WHOLE = "a whole number"
    SECONDS = "seconds"
    SCORE = "a probability or score"
    UTC = "a moment"
    MEASURE = "metres or degrees"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table."""

    name: str
    kind: Kind


class FrameTable:
    """Turns the rows of one dive into values, in the order of ``columns``."""

    def __init__(self, dive: Dive) -> None:
        self._dive = dive
        self.columns = (
            Column("file", Kind.NAME),
            *result_columns(dive.contract.labels),
            Column("depth_m", Kind.MEASURE),
            Column("temperature_c", Kind.MEASURE),
        )

    def values(self, row: FrameResult) -> Iterator[Value]:
        """One value per column."""
        file, frame = self._dive.files.at(row.index)
        at = self._dive.conditions(row.utc)
        yield file.path.name
        yield from result_values(row, self._dive.contract.labels, frame)
        yield from (at.depth_m, at.temperature_c)


def result_columns(labels: Sequence[str]) -> tuple[Column, ...]:
    """What a table says of a frame by itself, for a model with these labels."""
    best = [
        column
        for k in range(1, min(TOP, len(labels)) + 1)
        for column in (Column(f"label_{k}", Kind.NAME), Column(f"probability_{k}", Kind.SCORE))
    ]
    return (
        Column("frame", Kind.WHOLE),
        Column("media_s", Kind.SECONDS),
        Column("utc", Kind.UTC),
        Column("utc_source", Kind.NAME),
        *best,
        Column("unknown", Kind.SCORE),
        Column("stable_label", Kind.NAME),
        Column("stable_probability", Kind.SCORE),
    )


def result_values(row: FrameResult, labels: Sequence[str], frame: int) -> Iterator[Value]:
    """One value for each of ``result_columns``. frame: the number that the table gives it."""
    yield from (frame, row.media_s, row.utc, row.utc_source or None)
    for label, probability in row.top(min(TOP, len(labels))):
        yield labels[label]
        yield probability
    yield row.unknown
    if row.stable.empty:
        yield next(label for label in labels if means_no_animal(label))
    else:
        yield None if row.stable.index is None else labels[row.stable.index]
    yield row.stable.probability
