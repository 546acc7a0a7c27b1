"""A recorded dive in, a folder of results out: joins the two passes and keeps a record of how it went."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from dives.chapters import JoinedVideo
from dives.checked import take_in_corrections
from dives.classifying import Reading, classify, open_journal
from dives.corrections import find_corrections, read_corrections
from dives.divelog import DiveLog, LoggedDive
from dives.files import Files, files_by_now, files_of
from dives.growing import GrowingTables
from dives.joined_log import is_kept, keep_log, kept_log
from dives.journal import NAME as JOURNAL
from dives.journal import Journal
from dives.matching import Corrected, corrected, read_keys
from dives.outputs import FILES, clear, draw_overlay, files_there, write_tables
from dives.progress import Progress
from dives.remaking import discard, remade, settle
from dives.run_facts import (
    chapter_facts,
    frames_with_depth,
    log_facts,
    model_facts,
    provider_facts,
    read_s,
    source_facts,
    until_now,
)
from dives.run_record import COMPLETE, RunLog, RunRecord, is_whole, read_run, versions
from dives.timeline import merge_gap
from dives.wall_clock import on_the_clock
from dives.writers.base import Dive
from dives.writers.overlay_mp4 import OverlayMp4
from realtime.engine import Engine
from realtime.errors import ReeflensError, ResultsError, SettingsError, SourceError
from realtime.frames import iso_utc
from realtime.pipeline import RawResult
from realtime.sightings import Sighting
from realtime.sources import Source, open_recorded


@dataclass(frozen=True, slots=True)
class ProcessOptions:
    """How to process. Raises SettingsError when a value makes no sense.

    every_s: classify the first frame at or after each multiple of this many seconds of media time; None for every
    frame. overlay: also make overlay.mp4. start_utc: wall clock at media time 0, with its zone; outranks the
    container's. resume: go on after what was classified before, instead of anew. divelog: depth and temperature, joined
    by the wall clock. With ``resume`` None for start_utc or divelog keeps what was given before, unless keep_start or
    keep_divelog is off.
    """

    every_s: float | None = None
    overlay: bool = False
    start_utc: datetime | None = None
    resume: bool = False
    divelog: DiveLog | None = None
    keep_start: bool = True
    keep_divelog: bool = True

    def __post_init__(self) -> None:
        if self.every_s is not None and not 0.0 < self.every_s < float("inf"):
            raise SettingsError(f"--every: expected a number of seconds above 0, received {self.every_s}")
        if self.start_utc is not None and self.start_utc.tzinfo is None:
            raise SettingsError(f"--start: expected a time with its zone, such as {self.start_utc.isoformat()}Z")


@dataclass(frozen=True, slots=True)
class DiveRun:
    """What came of one dive.

    state: "complete", or "incomplete" when the source broke on the way; ``error`` then says how, and the results
    reach up to there. decoded: frames read. classified: lines in frames.csv; continued_from: how many of these were
    taken over from an earlier run. wall_s: seconds this run took. frames_per_s: classified by this run per second of
    its first pass, 0 when there was nothing left to classify. provider: the one that really runs the model.
    corrections: what people said of the sightings, also of those of earlier runs. divelog: as in run.json, empty
    without a log.
    """

    folder: Path
    state: str
    decoded: int
    classified: int
    continued_from: int
    sightings: tuple[Sighting, ...]
    wall_s: float
    frames_per_s: float
    provider: str
    corrections: Corrected
    error: ReeflensError | None = None
    divelog: Mapping[str, Any] = field(default_factory=dict)


def process(
    source: Path | Sequence[Path],
    out: Path,
    engine: Engine,
    options: ProcessOptions,
    progress: Callable[[Progress], None] = lambda _: None,
) -> DiveRun:
    """Processes the video or folder of pictures ``source`` into the folder ``out`` and returns how it went.

    Several videos are the chapters of one dive, in order: see JoinedVideo. Their gaps make the dive incomplete.
    progress is called on this thread, a few times a second. Raises, before ``out`` is touched, SourceError when the
    source gives no frame at all and DiveLogError when the log is of another time; and ResultsError when ``out`` cannot
    be written, is in use, or holds a run that cannot be continued with these options. A source that breaks half-way
    raises nothing: see DiveRun. KeyboardInterrupt goes on to the caller when the tables of what is classified are
    written; at once, while a resumed dive of several files is still being read up to where it was. Without
    ``options.resume`` earlier results of ``out`` are removed once the source has opened. With it a dive that is
    complete and is given another start or dive log is not classified again: its files are made anew and take the place
    of the old ones together, or not at all.
    """
    paths = (source,) if isinstance(source, Path) else tuple(source)
    if not options.resume:
        discard(out)
        return _process(paths, out, engine, options, progress)
    settle(out, JOURNAL, FILES)
    before = read_run(out)
    options = _as_before(options, before)
    if before is None or not (out / JOURNAL).exists() or not _rests_on_others(before, options):
        return _process(paths, out, engine, options, progress)
    with remade(out, JOURNAL, FILES) as anew:
        try:
            run = _process(paths, anew, engine, options, progress)
        except ResultsError as error:
            raise ResultsError(str(error).replace(str(anew), str(out))) from error
    find_corrections(out)
    take_in_corrections(out)  # what people said while it was made
    return replace(run, folder=out)


def _as_before(options: ProcessOptions, before: Mapping[str, Any] | None) -> ProcessOptions:
    """With the start that was given before, where none is given now and it is to be kept."""
    given = before["options"].get("start_utc", "") if before is not None else ""
    if not given or options.start_utc is not None or not options.keep_start:
        return options
    return replace(options, start_utc=datetime.fromisoformat(given))


def _rests_on_others(before: Mapping[str, Any], options: ProcessOptions) -> bool:
    """Whether finished results have another start, or another dive log, than these options ask for."""
    if before["state"] != COMPLETE or before["options"]["every_s"] != options.every_s:
        return False
    if before["options"].get("start_utc", "") != iso_utc(options.start_utc):
        return True
    return options.divelog is not None or (not options.keep_divelog and bool(before.get("divelog")))


@dataclass(frozen=True, slots=True)
class _Work:
    """What one run is of, what it has open, and what it was asked for."""

    paths: Sequence[Path]
    opened: Source
    engine: Engine
    journal: Journal
    run: RunLog
    options: ProcessOptions
    progress: Callable[[Progress], None]

    def rows(self) -> Iterator[RawResult]:
        return on_the_clock(self.journal.rows(self.opened.name), self.opened)


def _process(
    paths: Sequence[Path],
    out: Path,
    engine: Engine,
    options: ProcessOptions,
    progress: Callable[[Progress], None],
) -> DiveRun:
    began_s = time.monotonic()
    open_source = partial(_open_source, paths, options.start_utc)
    with ExitStack() as stack:
        opened = stack.enter_context(open_source())
        before = read_run(out) if options.resume else None
        logged = _log(opened, out, before, options)
        source = source_facts(paths, opened)
        journal = stack.enter_context(
            open_journal(out, source["fingerprint"], engine, options.every_s, resume=options.resume)
        )
        earlier = before if before is not None and is_whole(before, journal.records) else None
        record = _begun(opened, source, engine, journal.notes(), options, log_facts(logged))
        # Of the same source, model and options, or the journal would have been refused.
        with RunLog(out, record, stands=earlier is not None and is_kept(out, logged)) as run:
            keep_log(out, logged)
            work = _Work(paths, opened, engine, journal, run, options, progress)
            begun = _facts(work, out)
            reading = _read(work, begun) if earlier is None else _take_over(work, earlier)
            dive = _as_read(work, begun, reading)
            sightings, interrupted = _tables(work, dive, reading, began_s)
            if (out / OverlayMp4.name).exists():
                record.overlay_encoder = str((earlier or {}).get("overlay_encoder", ""))
            elif options.overlay and not interrupted:
                record.overlay_encoder = draw_overlay(work.rows(), dive, open_source, progress)
            record.files = files_there(out)
            record.timing |= until_now(began_s)
            if interrupted:
                raise KeyboardInterrupt
            run.end(reading.state, reading.reason)
        return _what_came(work, dive, reading, sightings)


def _open_source(paths: Sequence[Path], start_utc: datetime | None) -> Source:
    name = str(paths[0])
    if len(paths) > 1:
        return JoinedVideo(paths, name=name, start=start_utc)
    if start_utc is not None and paths[0].is_dir():
        raise SourceError(name, "--start is for a video; the pictures of a folder have no common clock")
    return open_recorded(paths[0], name=name, start=start_utc)


def _log(opened: Source, out: Path, before: Mapping[str, Any] | None, options: ProcessOptions) -> LoggedDive | None:
    """The dive of the log that is given now, else of the one that was joined before."""
    if options.divelog is not None:
        return options.divelog.during(opened.name, opened.info.start_utc, opened.info.duration_s)
    return kept_log(out, before.get("divelog", {}) if before is not None and options.keep_divelog else {})


def _begun(
    opened: Source,
    source: dict[str, Any],
    engine: Engine,
    notes: Mapping[str, Any],
    options: ProcessOptions,
    divelog: dict[str, Any],
) -> RunRecord:
    info = opened.info
    return RunRecord(
        source=source,
        time={"start_utc": iso_utc(info.start_utc), "utc_source": info.utc_source},
        model=model_facts(engine, begun_on=notes.get("provider", "")),
        options={
            "every_s": options.every_s,
            "start_utc": iso_utc(options.start_utc),
            "overlay": options.overlay,
            "resume": options.resume,
            "divelog": divelog.get("name", ""),
            "divelog_offset_s": divelog.get("offset_s", 0.0),
        },
        timing={"begun_utc": iso_utc(datetime.now(UTC))},
        divelog=divelog,
        versions=versions(),
    )


def _facts(work: _Work, out: Path) -> Dive:
    """As they are known before anything is read."""
    logged = kept_log(out, work.run.record.divelog)  # as any later run reads it, to the last digit
    return Dive(
        folder=out,
        source=work.opened.name,
        contract=work.engine.contract,
        info=work.opened.info,
        frames=work.journal.records,
        merge_gap_s=merge_gap(work.options.every_s),
        files=Files.one(work.paths[0]),
        profile=logged.profile if logged is not None else None,
    )


def _read(work: _Work, begun: Dive) -> Reading:
    """Classifies what is not yet."""
    opened, engine, journal, record = work.opened, work.engine, work.journal, work.run.record
    clear(begun.folder, going_on=journal.records > 0)
    by_now = files_by_now(opened, work.paths[0])
    with GrowingTables(lambda: replace(begun, files=by_now())) as growing:
        reading = classify(opened, engine, journal, work.options.every_s, growing, record.counts, work.progress)
    record.model = {**record.model, **provider_facts(engine)}  # a GPU may have been lost on the way
    return reading


def _take_over(work: _Work, earlier: Mapping[str, Any]) -> Reading:
    """Nothing is left to classify: how it was read, and on what, is told by the run that did."""
    record, model = work.run.record, earlier["model"]
    record.counts = earlier["counts"]
    # Who only draws over the frames may have another processor.
    ran_on = {name: model.get(name, now) for name, now in provider_facts(work.engine).items()}
    record.model = {**record.model, **ran_on}
    if isinstance(work.opened, JoinedVideo):
        work.opened.was_read([chapter["first_frame"] for chapter in earlier["source"]["chapters"]])
    return Reading(continued_from=work.journal.records)


def _as_read(work: _Work, begun: Dive, reading: Reading) -> Dive:
    """The facts of the dive once all of it was read; run.json tells them too."""
    opened, journal, record = work.opened, work.journal, work.run.record
    record.source = {**record.source, **chapter_facts(opened)}
    record.timing |= {"frames_per_s": round(reading.frames_per_s, 3), "continued_from": reading.continued_from}
    if begun.profile is not None:
        record.divelog["frames"] = frames_with_depth(begun.profile, journal, opened)
    unreadable = {entry["name"] for entry in record.counts.get("unreadable", ())}
    files = files_of(opened, work.paths[0], unreadable)
    return replace(begun, info=opened.info, frames=journal.records, files=files)


def _tables(work: _Work, dive: Dive, reading: Reading, began_s: float) -> tuple[list[Sighting], bool]:
    """Makes every file but the overlay; returns the sightings, and whether Ctrl-C came by then."""
    run, record = work.run, work.run.record
    sightings, stills = write_tables(work.rows(), dive, record, reading, work.engine.sha256, work.progress)
    record.counts |= {
        "sightings": len(sightings),
        "read_s": read_s(work.journal, dive.merge_gap_s, dive.info.duration_s),
        "missing_stills": stills.missing,
    }
    record.files = files_there(dive.folder)
    if run.stands:
        record.timing |= until_now(began_s)
    run.save()  # what follows is made from what is in the folder
    find_corrections(dive.folder)
    take_in_corrections(dive.folder)
    return sightings, reading.interrupted or stills.interrupted


def _what_came(work: _Work, dive: Dive, reading: Reading, sightings: Sequence[Sighting]) -> DiveRun:
    record = work.run.record
    return DiveRun(
        folder=dive.folder,
        state=record.state,
        decoded=record.counts["decoded"],
        classified=work.journal.records,
        continued_from=reading.continued_from,
        sightings=tuple(sightings),
        wall_s=record.timing["wall_s"],
        frames_per_s=reading.frames_per_s,
        provider=work.engine.provider.name,
        error=reading.broken,
        corrections=corrected(read_keys(dive.folder), read_corrections(dive.folder)),
        divelog=record.divelog,
    )
