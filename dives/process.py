"""A recorded dive in, a folder of results out: joins the two passes and keeps a record of how it went."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dives.chapters import Chapter, JoinedVideo
from dives.checked import NAME as CHECKED
from dives.checked import take_in_corrections
from dives.corrections import Corrected, corrected, find_corrections, read_corrections, read_keys
from dives.divelog import DiveLog, LoggedDive
from dives.files import Files, RecordedFile
from dives.fingerprint import fingerprint
from dives.growing import GrowingTables, keep_readable
from dives.joined_log import NAME as JOINED_LOG
from dives.joined_log import is_kept, keep_log, kept_log
from dives.journal import Journal
from dives.occurrences import NAME as OCCURRENCES
from dives.partial import SUFFIX, writing
from dives.progress import Meter, Progress
from dives.remaking import discard, remade, settle
from dives.run_record import COMPLETE, INCOMPLETE, INTERRUPTED, RunLog, RunRecord, read_run, versions
from dives.segments import Segment
from dives.stills import remove_stills
from dives.timeline import merge_gap, write_results
from dives.wall_clock import clock_of, on_the_clock
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
from realtime.engine import Engine
from realtime.errors import ReeflensError, ResultsError, SettingsError, SourceError
from realtime.frames import iso_utc
from realtime.pipeline import RawResult
from realtime.sightings import Sighting
from realtime.sources import PictureFolder, Source, VideoFile, open_recorded

JOURNAL = "raw.journal"
WRITERS: tuple[type[Writer], ...] = (
    *(FramesCsv, FramesParquet, SightingsCsv, Stills, WebVtt, Srt, CamsNpy, ViameCsv, CocoJson),
    *(ReportHtml, OverlayMp4),
)
NAMES = (*(writer.name for writer in WRITERS if writer is not Stills), OCCURRENCES, CHECKED)  # of files
MADE = (*NAMES, JOINED_LOG)
BATCH = 8
TELL_ROWS = 512  # rows of the second pass between two reports: some 50 ms


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
    settle(out, JOURNAL, MADE)
    before = read_run(out)
    options = _as_before(options, before)
    if before is None or not (out / JOURNAL).exists() or not _rests_on_others(before, options):
        return _process(paths, out, engine, options, progress)
    with remade(out, JOURNAL, MADE) as anew:
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


def _process(
    paths: Sequence[Path],
    out: Path,
    engine: Engine,
    options: ProcessOptions,
    progress: Callable[[Progress], None],
) -> DiveRun:
    began_s = time.monotonic()
    open_source = partial(_open_source, paths, options)
    with ExitStack() as stack:
        opened = stack.enter_context(open_source())
        info = opened.info
        before = read_run(out) if options.resume else None
        if options.divelog is not None:
            logged: LoggedDive | None = options.divelog.during(opened.name, info.start_utc, info.duration_s)
        else:
            kept = before.get("divelog", {}) if before is not None and options.keep_divelog else {}
            logged = kept_log(out, kept)
        journal = stack.enter_context(_open_journal(paths, out, engine, options))
        earlier = before if before is not None and _is_whole(before, journal.records) else None
        record = _new_record(paths, opened, engine, options, journal, _logged(logged))
        # Of the same source, model and options, or the journal would have been refused.
        with RunLog(out, record, stands=earlier is not None and is_kept(out, logged)) as run:
            keep_log(out, logged)
            logged = kept_log(out, run.record.divelog)  # as any later run reads it, to the last digit
            facts = Dive(
                folder=out,
                source=opened.name,
                contract=engine.contract,
                info=opened.info,
                frames=journal.records,
                merge_gap_s=merge_gap(options.every_s),
                files=Files.one(paths[0]),
                profile=logged.profile if logged is not None else None,
            )
            if earlier is None:
                _clear(out, going_on=journal.records > 0)
                by_now = _files_by_now(paths, opened)
                with GrowingTables(lambda: replace(facts, files=by_now())) as growing:
                    reading = _classify(opened, engine, journal, options.every_s, progress, run.record.counts, growing)
                run.record.model = {**run.record.model, **_ran_on(engine)}  # a GPU may have been lost on the way
                if isinstance(opened, JoinedVideo):  # what is known only now: gaps, and where each chapter begins
                    run.record.source = {**run.record.source, **_joined(opened)}
            else:
                reading = _Reading(continued_from=journal.records)
                run.record.counts = earlier["counts"]
                run.record.model = {**run.record.model, **_ran_then(earlier["model"], engine)}
                if isinstance(opened, JoinedVideo):
                    opened.was_read([chapter["first_frame"] for chapter in earlier["source"]["chapters"]])
                    run.record.source = {**run.record.source, **_joined(opened)}
            run.record.timing |= {
                "frames_per_s": round(reading.frames_per_s, 3),
                "continued_from": reading.continued_from,
            }
            dive = replace(facts, info=opened.info, frames=journal.records, files=_files(paths, opened, run.record))
            if logged is not None:
                run.record.divelog["frames"] = _frames_with_depth(logged, journal, opened)
            counts = run.record.counts
            stills = Stills(
                skip=reading.interrupted,
                seek=not counts.get("guessed_stamps") and not counts.get("restarts"),
                tell=_telling(dive, progress),
            )
            tables: list[Writer] = [
                FramesCsv(),
                FramesParquet(engine.sha256),
                WebVtt(),
                Srt(),
                CamsNpy(),
                ViameCsv(),
                CocoJson(),
            ]
            state, reason = _outcome(reading)
            # What is sent to others does not say where on this disk the recording lies.
            told = reading.broken.reason if reading.broken else reason
            report = ReportHtml(stills, run.record, state, told)
            writers = [*tables, stills, SightingsCsv(stills), report]
            sightings = _write(dive, journal, opened, writers, progress, "write")
            run.record.counts |= {"sightings": len(sightings), "read_s": _read_s(journal, dive)}
            run.record.counts["missing_stills"] = stills.missing
            run.record.files = _there(out)
            if run.stands:
                run.record.timing |= _until_now(began_s)
            run.save()  # the tables below are made from what is in the folder
            find_corrections(out)
            take_in_corrections(out)
            reading.interrupted |= stills.interrupted
            if (out / OverlayMp4.name).exists():
                run.record.overlay_encoder = str((earlier or {}).get("overlay_encoder", ""))
            elif options.overlay and not reading.interrupted:
                overlay = OverlayMp4(open_source)
                _write(dive, journal, opened, [overlay], progress, "overlay")
                run.record.overlay_encoder = overlay.encoder
            run.record.files = _there(out)
            run.record.timing |= _until_now(began_s)
            if reading.interrupted:
                raise KeyboardInterrupt
            run.end(state, reason)
        return DiveRun(
            folder=out,
            state=run.record.state,
            decoded=run.record.counts["decoded"],
            classified=journal.records,
            continued_from=reading.continued_from,
            sightings=tuple(sightings),
            wall_s=run.record.timing["wall_s"],
            frames_per_s=reading.frames_per_s,
            provider=engine.provider.name,
            error=reading.broken,
            corrections=corrected(read_keys(out), read_corrections(out)),
            divelog=run.record.divelog,
        )


def _open_source(paths: Sequence[Path], options: ProcessOptions) -> Source:
    name = str(paths[0])
    if len(paths) > 1:
        return JoinedVideo(paths, name=name, start=options.start_utc)
    if options.start_utc is not None and paths[0].is_dir():
        raise SourceError(name, "--start is for a video; the pictures of a folder have no common clock")
    return open_recorded(paths[0], name=name, start=options.start_utc)


def _open_journal(paths: Sequence[Path], out: Path, engine: Engine, options: ProcessOptions) -> Journal:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResultsError(f"{out}: cannot be written ({(error.strerror or str(error)).lower()})") from error
    return Journal.open(
        out / JOURNAL,
        facts={
            "the source": _fingerprint(paths),
            "the model": f"sha256 {engine.sha256}",
            "--every": options.every_s,
        },
        notes={"batch": BATCH, "model": engine.path.name, "provider": engine.provider.name},
        classes=len(engine.contract.labels),
        cam_size=engine.contract.cam_size,
        resume=options.resume,
    )


def _fingerprint(paths: Sequence[Path]) -> str:
    """Of all chapters. One that is not there is a gap; once it is back, the dive is another."""
    if len(paths) == 1:
        return fingerprint(paths[0])
    parts = []
    for path in paths:
        try:
            parts.append(fingerprint(path))
        except SourceError as error:
            parts.append(error.reason)
    return " + ".join(parts)


def _new_record(
    paths: Sequence[Path],
    opened: Source,
    engine: Engine,
    options: ProcessOptions,
    journal: Journal,
    divelog: dict[str, Any],
) -> RunRecord:
    info = opened.info
    return RunRecord(
        source={
            "name": paths[0].name,
            "path": str(paths[0].resolve()),
            "fingerprint": _fingerprint(paths),
            "kind": info.kind,
            "codec": info.codec,
            "size_hw": list(info.size_hw),
            "rate": info.rate,
            "duration_s": info.duration_s,
            "frames": info.frames,
            **(_joined(opened) if isinstance(opened, JoinedVideo) else {}),
        },
        time={"start_utc": iso_utc(info.start_utc), "utc_source": info.utc_source},
        model={
            "name": engine.path.name,
            "sha256": engine.sha256,
            "labels": list(engine.contract.labels),
            "taxonomy": dict(engine.contract.taxonomy),
            "precision": engine.contract.precision,
            **_ran_on(engine),
            "begun_on": journal.notes().get("provider", ""),
        },
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


def _ran_on(engine: Engine) -> dict[str, Any]:
    provider = engine.provider
    return {
        "provider": provider.name,
        "provider_share": round(provider.share, 4),
        "provider_note": provider.note,
    }


def _ran_then(model: Mapping[str, Any], engine: Engine) -> dict[str, Any]:
    """What the frames were classified on; who only draws over them may have another processor."""
    return {name: model.get(name, now) for name, now in _ran_on(engine).items()}


def _is_whole(record: dict[str, Any], classified: int) -> bool:
    """Whether a run of which ``classified`` frames are on the disk read its dive to the end."""
    return bool(record["state"] == COMPLETE and record["counts"]["classified"] == classified)


def _logged(logged: LoggedDive | None) -> dict[str, Any]:
    """Which dive of a log was joined; empty without a log."""
    if logged is None:
        return {}
    return {
        "name": logged.log,
        "dive": logged.number,
        "dives": logged.of,
        "first_utc": iso_utc(logged.profile.first_utc),
        "last_utc": iso_utc(logged.profile.last_utc),
        "offset_s": logged.offset_s,
        "frames": 0,  # until they are classified
    }


def _frames_with_depth(logged: LoggedDive, journal: Journal, opened: Source) -> int:
    clock = clock_of(opened)
    moments = (clock(int(index), float(media_s)) for index, media_s in zip(*journal.moments(), strict=True))
    plain = [moment and moment.replace(tzinfo=None) for moment in moments]
    return int(logged.profile.covers(np.array(plain, "datetime64[us]")).sum())


def _joined(opened: JoinedVideo) -> dict[str, Any]:
    return {
        "chapters": [
            {
                "name": chapter.path.name,
                "path": str(chapter.path.resolve()),
                "offset_s": round(chapter.offset_s, 6),
                "length_s": round(chapter.length_s, 6),
                "frames": chapter.frames,
                "first_frame": chapter.first_frame,
                "timed": chapter.timed,
                "problem": chapter.problem,
            }
            for chapter in opened.chapters
        ],
        "gaps": [asdict(gap) for gap in sorted(opened.gaps, key=lambda gap: gap.at_s)],
    }


def _there(out: Path) -> list[str]:
    """What run.json lists: of what may be made, what is there."""
    return sorted(name for name in (*MADE, Stills.name) if (out / name).exists())


def _until_now(began_s: float) -> dict[str, Any]:
    return {"finished_utc": iso_utc(datetime.now(UTC)), "wall_s": round(time.monotonic() - began_s, 3)}


@dataclass(slots=True)
class _Reading:
    """What the first pass did, beyond the rows it added."""

    continued_from: int
    frames_per_s: float = 0.0
    broken: SourceError | None = None
    interrupted: bool = False


def _classify(
    opened: Source,
    engine: Engine,
    journal: Journal,
    every_s: float | None,
    progress: Callable[[Progress], None],
    counts: dict[str, Any],
    growing: GrowingTables,
) -> _Reading:
    """The first pass. Raises SourceError when not one row came of it."""
    batch = int(journal.notes()["batch"])
    # Only whole batches are taken over, so that the rest falls into the same batches as in one go.
    journal.truncate(journal.records - journal.records % batch)
    reading = _Reading(continued_from=journal.records)
    meter = Meter(progress, "classify", opened.info, opened.info.frames)
    grown = False
    with Segment(opened, engine, every_s=every_s, batch=batch, known=journal.moments()) as segment:
        try:
            for rows in segment:
                # What was classified before comes first; which file that is in is known by now.
                new = rows if grown else on_the_clock(journal.rows(opened.name), opened)
                journal.append(rows)
                counts["classified"] = journal.records
                if rows:
                    growing.add(new)
                    grown = True
                last = rows[-1] if rows else None
                meter.add(
                    len(rows),
                    done=last.index + 1 if last else segment.decoded,
                    media_s=last.media_s if last else segment.media_s,
                )
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


def _read_s(journal: Journal, dive: Dive) -> float:
    """Seconds of the recording that its rows stand for: each until the next, but not over holes."""
    _, media_s = journal.moments()
    apart_s = np.clip(np.diff(media_s), 0.0, dive.merge_gap_s)
    last_s = float(apart_s[-1]) if len(apart_s) else 0.0
    read_s = float(apart_s.sum()) + last_s
    announced_s = dive.info.duration_s
    return round(min(read_s, announced_s) if announced_s else read_s, 3)


def _write(
    dive: Dive,
    journal: Journal,
    opened: Source,
    writers: Sequence[Writer],
    progress: Callable[[Progress], None],
    phase: str,
) -> list[Sighting]:
    """The second pass."""
    meter = Meter(progress, phase, dive.info, dive.frames)
    tell_rows = TELL_ROWS if phase == "write" else BATCH

    def told() -> Iterator[RawResult]:
        for done, row in enumerate(on_the_clock(journal.rows(dive.source), opened)):
            yield row
            if (done + 1) % tell_rows == 0:
                meter.add(tell_rows, done=done + 1, media_s=row.media_s)
        meter.over(dive.frames)

    return write_results(told(), dive, writers)


def _telling(dive: Dive, progress: Callable[[Progress], None]) -> Callable[[int, int], None]:
    """Reports how many stills are made; the phase begins with the first."""
    meter: Meter | None = None

    def tell(done: int, total: int) -> None:
        nonlocal meter
        meter = meter or Meter(progress, "stills", dive.info, total)
        meter.add(1, done=done, media_s=0.0)

    return tell


def _files(paths: Sequence[Path], opened: Source, run: RunRecord) -> Files:
    """What the frames of the dive are in, after all of it was read, now or by the run that finished it."""
    if isinstance(opened, JoinedVideo):
        return _of_chapters(opened.chapters)
    if isinstance(opened, PictureFolder):
        return _of_pictures(opened, {entry["name"] for entry in run.counts["unreadable"]})
    return Files.one(paths[0])


def _files_by_now(paths: Sequence[Path], opened: Source) -> Callable[[], Files]:
    """Tells what the frames are in that were read up to now; the decoder is ahead of the model."""
    known, files = -1, Files.one(paths[0])

    def by_now() -> Files:
        nonlocal known, files
        if isinstance(opened, JoinedVideo):
            chapters = list(opened.chapters)
            begun = sum(chapter.first_frame is not None for chapter in chapters)
            if begun != known:
                known, files = begun, _of_chapters(chapters)
        elif isinstance(opened, PictureFolder):
            unreadable = {name for name, _ in list(opened.skipped)}
            if len(unreadable) != known:
                known, files = len(unreadable), _of_pictures(opened, unreadable)
        return files

    return by_now


def _of_chapters(chapters: Sequence[Chapter]) -> Files:
    return Files(
        [
            RecordedFile(chapter.path, chapter.first_frame, chapter.offset_s)
            for chapter in chapters
            if chapter.first_frame is not None
        ]
    )


def _of_pictures(folder: PictureFolder, unreadable: set[str]) -> Files:
    return Files.pictures([path for path in folder.paths if path.name not in unreadable], folder.interval_s)


def _outcome(reading: _Reading) -> tuple[str, str]:
    """State and reason for run.json and the report."""
    if reading.interrupted:
        return INCOMPLETE, INTERRUPTED
    return (INCOMPLETE, str(reading.broken)) if reading.broken else (COMPLETE, "")


def _clear(out: Path, *, going_on: bool) -> None:
    """Removes results that the journal does not stand behind.

    going_on: it stands behind some. Then stills stay, since what they are of is in their names, and the tables that can
    be looked into.
    """
    kept = keep_readable(out) if going_on else ()
    with writing(out):
        for name in NAMES:
            (out / name).unlink(missing_ok=True)
            if name not in kept:
                (out / f"{name}{SUFFIX}").unlink(missing_ok=True)
        if not going_on:
            remove_stills(out)
