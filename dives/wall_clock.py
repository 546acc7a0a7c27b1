"""When the rows of a dive were recorded, by the clock that its recording has now.

A journal keeps rows under the clock of the run that made them. Somebody may say later when the recording really began:
then its rows are told by that, and nothing has to be classified again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from dives.chapters import JoinedVideo
from realtime.pipeline import RawResult
from realtime.sources import Source, moment_after

Clock = Callable[[int, float], datetime | None]
"""The wall clock of a frame by its number in the dive and its media time; None where nobody knows."""


def clock_of(opened: Source) -> Clock:
    """The clock of a recording; of several files for those frames whose file reading has come to."""
    if isinstance(opened, JoinedVideo):
        return opened.utc_of
    return lambda index, media_s: moment_after(opened.info.start_utc, media_s)


def on_the_clock(rows: Iterable[RawResult], opened: Source) -> Iterator[RawResult]:
    """The rows with the wall clock of ``opened``, which they are of."""
    clock = clock_of(opened)
    for row in rows:
        utc = clock(row.index, row.media_s)
        yield replace(row, utc=utc, utc_source=opened.info.utc_source if utc is not None else "")
