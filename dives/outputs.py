"""The second pass, all of it: which files are made of a dive's rows, how they are made, and which of them are there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from dives.checked import NAME as CHECKED
from dives.classifying import Reading
from dives.growing import keep_readable
from dives.joined_log import NAME as JOINED_LOG
from dives.occurrences import NAME as OCCURRENCES
from dives.partial import SUFFIX, writing
from dives.progress import Meter, Progress
from dives.run_record import RunRecord
from dives.stills import FOLDER as STILLS
from dives.stills import remove_stills
from dives.timeline import write_results
from dives.writers.base import Dive, Writer
from dives.writers.cams_npy import CamsNpy
from dives.writers.coco_json import CocoJson
from dives.writers.frames_csv import FramesCsv
from dives.writers.frames_parquet import FramesParquet
from dives.writers.overlay_mp4 import OverlayMp4
from dives.writers.report_html import ReportHtml
from dives.writers.sightings_csv import SightingsCsv
from dives.writers.srt import Srt
from dives.writers.stills import Stills
from dives.writers.viame_csv import ViameCsv
from dives.writers.webvtt import WebVtt
from realtime.pipeline import RawResult
from realtime.sightings import Sighting
from realtime.sources import Source

WRITERS: tuple[type[Writer], ...] = (
    *(FramesCsv, FramesParquet, SightingsCsv, WebVtt, Srt, CamsNpy, ViameCsv, CocoJson),
    *(ReportHtml, OverlayMp4),
)
FROM_ROWS = (*(writer.name for writer in WRITERS), OCCURRENCES, CHECKED)
FILES = (*FROM_ROWS, JOINED_LOG)
"""Every file that may be made, beside stills, run.json and the journal."""

TELL_WRITTEN = 512  # rows between two reports: some 50 ms
TELL_DRAWN = 8  # the same while they are drawn


def write_tables(
    rows: Iterable[RawResult],
    dive: Dive,
    record: RunRecord,
    reading: Reading,
    model_sha256: str,
    progress: Callable[[Progress], None],
) -> tuple[list[Sighting], Stills]:
    """Makes every file of ``dive`` but the overlay from all its rows; returns the sightings and how the stills went.

    record, reading: what the report tells of the run. Raises ResultsError.
    """
    stills = Stills(
        skip=reading.interrupted,
        seek=not record.counts.get("guessed_stamps") and not record.counts.get("restarts"),
        tell=_telling(dive, progress),
    )
    writers: list[Writer] = [
        *(FramesCsv(), FramesParquet(model_sha256), WebVtt(), Srt(), CamsNpy(), ViameCsv(), CocoJson()),
        *(stills, SightingsCsv(stills), ReportHtml(stills, record, reading.state, reading.reason_for_others)),
    ]
    meter = Meter(progress, "write", dive.info, dive.frames)
    return write_results(_told(rows, dive, meter, TELL_WRITTEN), dive, writers), stills


def draw_overlay(
    rows: Iterable[RawResult], dive: Dive, open_source: Callable[[], Source], progress: Callable[[Progress], None]
) -> str:
    """Makes overlay.mp4 from all rows of ``dive``; returns the encoder. Raises ResultsError."""
    overlay = OverlayMp4(open_source)
    meter = Meter(progress, "overlay", dive.info, dive.frames)
    write_results(_told(rows, dive, meter, TELL_DRAWN), dive, [overlay])
    return overlay.encoder


def files_there(folder: Path) -> list[str]:
    """What run.json lists: of what may be made, what is there."""
    return sorted(name for name in (*FILES, STILLS) if (folder / name).exists())


def clear(folder: Path, *, going_on: bool) -> None:
    """Removes results that the journal does not stand behind. Raises ResultsError.

    going_on: it stands behind some. Then stills stay, since what they are of is in their names, and the tables that can
    be looked into.
    """
    kept = keep_readable(folder) if going_on else ()
    with writing(folder):
        for name in FROM_ROWS:
            (folder / name).unlink(missing_ok=True)
            if name not in kept:
                (folder / f"{name}{SUFFIX}").unlink(missing_ok=True)
        if not going_on:
            remove_stills(folder)


def _told(rows: Iterable[RawResult], dive: Dive, meter: Meter, every: int) -> Iterator[RawResult]:
    """The rows; the meter is told after each ``every`` of them, and at the end."""
    for done, row in enumerate(rows, start=1):
        yield row
        if done % every == 0:
            meter.add(every, done=done, media_s=row.media_s)
    meter.over(dive.frames)


def _telling(dive: Dive, progress: Callable[[Progress], None]) -> Callable[[int, int], None]:
    """Reports how many stills are made; the phase begins with the first."""
    meter: Meter | None = None

    def tell(done: int, total: int) -> None:
        nonlocal meter
        meter = meter or Meter(progress, "stills", dive.info, total)
        meter.add(1, done=done, media_s=0.0)

    return tell
