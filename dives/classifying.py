"""The first pass, written down as it goes: rows into the journal, and into tables that can be looked into.

It can be interrupted anywhere; what the journal holds by then is not classified again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dives.chapters import JoinedVideo
from dives.growing import GrowingTables
from dives.journal import NAME as JOURNAL
from dives.journal import Journal
from dives.progress import Meter, Progress
from dives.run_record import COMPLETE, INCOMPLETE, INTERRUPTED
from dives.segments import Segment
from dives.wall_clock import on_the_clock
from realtime.engine import Engine
from realtime.errors import ResultsError, SourceError
from realtime.pipeline import RawResult
from realtime.sources import PictureFolder, Source, VideoFile

BATCH = 8


@dataclass(slots=True)
class Reading:
    """What the first pass did, beyond the rows it added.

    continued_from: rows that were there before. frames_per_s: classified per second. broken: how the source broke on
    the way. interrupted: by Ctrl-C.
    """

    continued_from: int
    frames_per_s: float = 0.0
    broken: SourceError | None = None
    interrupted: bool = False

    @property
    def state(self) -> str:
        """For run.json and the report."""
        return INCOMPLETE if self.interrupted or self.broken else COMPLETE

    @property
    def reason(self) -> str:
        """Why it is not complete, for run.json."""
        return INTERRUPTED if self.interrupted else str(self.broken or "")

    @property
    def reason_for_others(self) -> str:
        """The same without saying where on this disk the recording lies."""
        return self.broken.reason if self.broken else self.reason


def open_journal(out: Path, source: str, engine: Engine, every_s: float | None, *, resume: bool) -> Journal:
    """The journal of the results in ``out``, a folder that is made; see Journal.open.

    source: the recording's fingerprint. Raises ResultsError, also when the rows to resume are of something else.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResultsError(f"{out}: cannot be written ({(error.strerror or str(error)).lower()})") from error
    return Journal.open(
        out / JOURNAL,
        facts={"the source": source, "the model": f"sha256 {engine.sha256}", "--every": every_s},
        notes={"batch": BATCH, "model": engine.path.name, "provider": engine.provider.name},
        classes=len(engine.contract.labels),
        cam_size=engine.contract.cam_size,
        resume=resume,
    )


def classify(
    opened: Source,
    engine: Engine,
    journal: Journal,
    every_s: float | None,
    growing: GrowingTables,
    counts: dict[str, Any],
    progress: Callable[[Progress], None],
) -> Reading:
    """Adds the rows that the journal lacks, and what was counted on the way to ``counts``.

    every_s: see Sampler. A source that breaks, and Ctrl-C, are in what is returned; they are raised, as SourceError and
    KeyboardInterrupt, only where no tables can be made of what is classified. Raises ResultsError.
    """
    batch = int(journal.notes()["batch"])
    # Only whole batches are taken over, so that the rest falls into the same batches as in one go.
    journal.truncate(journal.records - journal.records % batch)
    reading = Reading(continued_from=journal.records)
    meter = Meter(progress, "classify", opened.info, opened.info.frames)
    with Segment(opened, engine, every_s=every_s, batch=batch, known=journal.moments()) as segment:
        try:
            _take(segment, opened, journal, growing, counts, meter)
        except SourceError as error:
            if not journal.records:
                raise
            reading.broken = error
        except KeyboardInterrupt:  # what is classified gets its tables, which take a moment, before we go
            if not journal.records or not _placed(opened, segment, journal):
                raise
            reading.interrupted = True
    journal.sync()
    meter.over(segment.decoded)
    reading.frames_per_s = meter.rate
    counts.update(_counts(opened, segment), announced=opened.info.frames, classified=journal.records)
    return reading


def _take(
    segment: Segment, opened: Source, journal: Journal, growing: GrowingTables, counts: dict[str, Any], meter: Meter
) -> None:
    """Writes down what the segment gives, batch by batch."""
    grown = False
    for rows in segment:
        journal.append(rows)
        counts["classified"] = journal.records
        if rows:
            # What was classified before comes first; which file that is in is known by now.
            growing.add(rows if grown else on_the_clock(journal.rows(opened.name), opened))
            grown = True
        _tell(meter, segment, rows)


def _tell(meter: Meter, segment: Segment, rows: list[RawResult]) -> None:
    if rows:
        meter.add(len(rows), done=rows[-1].index + 1, media_s=rows[-1].media_s)
    else:
        meter.add(0, done=segment.decoded, media_s=segment.media_s)


def _placed(opened: Source, segment: Segment, journal: Journal) -> bool:
    """Whether it is known which file each row is in; of several files, not before all that were classified are read."""
    return isinstance(opened, VideoFile) or segment.decoded > int(journal.moments()[0][-1])


def _counts(opened: Source, segment: Segment) -> dict[str, Any]:
    skipped: dict[str, int] = {"between samples": segment.unsampled}
    counts: dict[str, Any] = {"decoded": segment.decoded, "skipped": skipped}
    if isinstance(opened, VideoFile | JoinedVideo):
        skipped["damaged packets"] = opened.damaged_packets
        counts["guessed_stamps"] = opened.guessed_stamps
        counts["restarts"] = opened.restarts
    if isinstance(opened, PictureFolder):
        skipped["unreadable files"] = len(opened.skipped)
        counts["unreadable"] = [{"name": name, "reason": reason} for name, reason in opened.skipped]
    return counts
