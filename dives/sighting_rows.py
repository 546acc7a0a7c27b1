"""A sighting as a line of sightings.csv says it: what is written while a camera runs, and read again afterwards."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

from dives.writers.base import score, seconds
from realtime.frames import iso_utc
from realtime.sightings import Sighting

REQUIRED = (
    *("label", "start_s", "end_s", "start_utc", "end_utc"),
    *("peak_s", "peak_frame", "peak_probability", "mean_probability", "frames"),
)
COLUMNS = (*REQUIRED, "still", "overlay", "clip")
_BELOW = re.compile(r"(stills|clips)/[^/\\\0]*[^/\\\0.][^/\\\0]*")  # never a way out of the folder


@dataclass(frozen=True, slots=True)
class SightingRow:
    """One line; columns as in docs/results.md. still, overlay, clip: paths relative to the table's folder, or ""."""

    label: str
    start_s: float
    end_s: float
    start_utc: str
    end_utc: str
    peak_s: float
    peak_frame: int
    peak_probability: float
    mean_probability: float
    frames: int
    still: str = ""
    overlay: str = ""
    clip: str = ""

    @classmethod
    def of(cls, sighting: Sighting, labels: Sequence[str]) -> Self:
        """With every number rounded as in the table, so that it reads the same after a restart."""
        return cls.read(
            [
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
        )

    @classmethod
    def read(cls, values: Sequence[str]) -> Self:
        """From the texts of a line; files may be missing. Raises ValueError."""
        if not len(REQUIRED) <= len(values) <= len(COLUMNS):
            raise ValueError(f"expected {len(COLUMNS)} fields, received {len(values)}")
        numbers = {"float": float, "int": int, "str": str}
        row = cls(*(numbers[str(field.type)](value) for field, value in zip(fields(cls), values, strict=False)))
        for path in (row.still, row.overlay, row.clip):
            if path and not _BELOW.fullmatch(path):
                raise ValueError(f"expected a file below stills/ or clips/, received {path!r}")
        return row

    def texts(self) -> list[str]:
        """The inverse of ``read``: a text for each of COLUMNS."""
        return [
            self.label,
            seconds(self.start_s),
            seconds(self.end_s),
            self.start_utc,
            self.end_utc,
            seconds(self.peak_s),
            str(self.peak_frame),
            score(self.peak_probability),
            score(self.mean_probability),
            str(self.frames),
            self.still,
            self.overlay,
            self.clip,
        ]

    def is_same(self, other: SightingRow) -> bool:
        """Whether both tell of one sighting, at an earlier and a later time perhaps."""
        return (self.label, self.start_utc, self.start_s) == (other.label, other.start_utc, other.start_s)


def read_rows(path: Path, newest: int | None) -> list[SightingRow]:
    """The last lines of a table with COLUMNS, in order, or all; none when it is not there. Damaged ones are left out.

    Raises OSError.
    """
    rows: deque[SightingRow] = deque(maxlen=newest)
    try:
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            lines = csv.reader(file)
            if tuple(next(lines, ())) != COLUMNS:
                return []
            for line in lines:
                with suppress(ValueError):
                    rows.append(SightingRow.read(line))
    except FileNotFoundError:
        return []
    except csv.Error:  # a line beyond all measure, or a NUL byte: what was before it is still true
        pass
    return list(rows)
