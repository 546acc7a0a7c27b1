"""Tables to look into while a dive is still being classified: frames.csv.partial and sightings.csv.partial.

They hold what the finished tables will, as far as the dive is classified; only the stills are still to come. A line is
in them whole or not at all, so that they can be read at any moment, also after the process was killed. The second pass
begins them anew and gives them their names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from dives.appending import AppendedCsv
from dives.partial import SUFFIX, writing
from dives.timeline import Timeline
from dives.writers.base import Dive
from dives.writers.frame_table import FrameTable
from dives.writers.frames_csv import FramesCsv, texts
from dives.writers.sightings_csv import COLUMNS, SightingsCsv, sighting_fields
from realtime.pipeline import RawResult


class GrowingTables:
    """Both tables of one dive; a context manager. ``add`` it every row in order of time.

    dive: gives the facts of the dive as they are known by now; asked at every ``add``. Nothing is opened before the
    first row: what an earlier run left there can be read until then. The files stay when it is closed.
    """

    def __init__(self, dive: Callable[[], Dive]) -> None:
        self._dive = dive
        self._timeline: Timeline | None = None
        self._tables: list[AppendedCsv] = []
        self._told = 0

    def add(self, rows: Iterable[RawResult]) -> None:
        """Writes what these rows give. Raises ResultsError."""
        dive = self._dive()
        table = FrameTable(dive)
        with writing(dive.folder / FramesCsv.name):
            if self._timeline is None:
                self._timeline = Timeline(dive.contract, merge_gap_s=dive.merge_gap_s)
                self._open(dive.folder / FramesCsv.name, [column.name for column in table.columns])
                self._open(dive.folder / SightingsCsv.name, COLUMNS)
            frames, sightings = self._tables
            for row in rows:
                frames.append(texts(table.columns, table.values(self._timeline.step(row))))
            ended = self._timeline.ended
            for number in range(self._told, len(ended)):
                sightings.append(sighting_fields(number + 1, ended[number], dive, still=None))
            self._told = len(ended)

    def _open(self, path: Path, columns: Iterable[str]) -> None:
        partial = path.with_name(path.name + SUFFIX)
        partial.unlink(missing_ok=True)
        table = AppendedCsv.open(partial, list(columns))
        assert table is not None  # it was not there a moment ago
        self._tables.append(table)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for table in self._tables:
            table.close()


def keep_readable(folder: Path) -> tuple[str, ...]:
    """Finished tables of a run that goes on become partial ones, until its own take their place; the names of both.

    Raises ResultsError.
    """
    names = FramesCsv.name, SightingsCsv.name
    for name in names:
        with writing(folder / name):
            if (folder / name).exists():
                (folder / name).replace(folder / f"{name}{SUFFIX}")
    return names
