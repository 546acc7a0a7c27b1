"""The work on one dive of a library, in a process of its own: a decoder that crashes costs one dive, not the server.

    python -m dives.worker dive FOLDER --model M …      look at it, classify it, make its track
    python -m dives.worker copy FOLDER                  make the copy that browsers play
    python -m dives.worker overlay FOLDER --model M …   make overlay.mp4
    python -m dives.worker times FOLDER --model M …     join another start or dive log, and classify nothing

stdout carries one JSON object per line: {"phase", "done", "total", "rate"} while it works, {"seen": true} when the
folder shows something new, and at last {"end": state, "reason": text, "cause": word}. It ends at once when its stdin
does: a server that was killed leaves nobody behind, and the next one goes on after the last row that was written.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from dives.causes import JobCause, Outcome
from dives.chapters import in_order
from dives.copying import copy_for_browsers
from dives.divelog import DiveLog
from dives.library import (
    COPY,
    DIVELOG,
    ORIGINAL,
    RESULTS,
    THUMBNAIL,
    changing_facts,
    originals_of,
    read_facts,
    write_facts,
)
from dives.locking import lock
from dives.probe import probe_joined, probe_video, read_probe, refuse_other_kinds, write_probe, write_thumbnail
from dives.process import DiveRun, ProcessOptions, process
from dives.progress import Progress
from dives.recorded import parts_of
from dives.run_record import COMPLETE, FAILED, INCOMPLETE, read_run
from dives.times import Times, in_words_of_the_page, keep_wanted, read_wanted
from dives.track import write_track
from realtime.engine import Engine
from realtime.errors import DiveLogError, EngineError, ProviderError, ReeflensError, ResultsError, SourceError

LOCK = "worker.lock"
TELL_S = 0.25
NICENESS = 10  # live sources come first
THUMBNAIL_AT = 0.1  # of the length: the first frames show the boat


def main() -> None:
    """Does what the command line says and prints how it goes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=["dive", "copy", "overlay", "times"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--provider", default="auto")
    parser.add_argument("--require-gpu", action="store_true")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--memory-bytes", type=int)
    parser.add_argument("--processor-s", type=int)
    parser.add_argument("--anew", action="store_true")
    parser.add_argument("--leave-bytes", type=int, default=0)
    given = parser.parse_args()
    threading.Thread(target=_end_with_stdin, name="stdin", daemon=True).start()
    signal.signal(signal.SIGTERM, _interrupt)
    _be_modest(given.memory_bytes, given.processor_s)
    tell = _Teller(given.folder, given.leave_bytes)
    try:
        tell.look_for_room()
        with (given.folder / LOCK).open("ab") as held:
            lock(held, wait=True)  # one that was told to end may still be ending
            ended = {"dive": _dive, "copy": _copy, "overlay": _overlay, "times": _times}[given.step](given, tell)
    except KeyboardInterrupt:
        ended = Outcome(INCOMPLETE, "stopped on request", JobCause.STOPPED)
    except MemoryError:
        ended = Outcome(FAILED, "it needs more memory than a job may have", JobCause.MEMORY)
    except (ReeflensError, OSError) as error:
        ended = Outcome(FAILED, _plainly(error, given.folder), _cause(error) or JobCause.RESULTS)
    tell({"end": ended.state, "reason": ended.reason, "cause": ended.cause})


def _dive(given: argparse.Namespace, tell: _Teller) -> Outcome:
    folder: Path = given.folder
    results = folder / RESULTS
    if read_probe(folder) is None:
        _look(folder)
        tell({"seen": True})
    unfit: DiveLogError | None = None
    with _engine(given) as engine:
        try:
            run = _process(folder, engine, tell, resume=not given.anew)
        except DiveLogError as error:  # known before anything is touched; what was seen is worth having without it
            unfit = error
            run = _process(folder, engine, tell, resume=not given.anew, logged=False)
        labels = engine.contract.labels
    write_track(results, folder, labels)
    if run.sightings:
        best = max(run.sightings, key=lambda sighting: sighting.peak_probability)
        with suppress(SourceError):
            write_thumbnail(*_file_at(folder, best.peak_s), folder / THUMBNAIL)
    if run.error is None and unfit is not None:
        return Outcome(run.state, _plainly(unfit, folder), JobCause.DIVELOG)
    reason = run.error.reason if isinstance(run.error, SourceError) else str(run.error or "")
    return Outcome(run.state, reason, _cause(run.error))


def _look(folder: Path) -> None:
    """Finds out what the recording is, and of several files their order."""
    facts, videos = read_facts(folder), originals_of(folder)
    if facts.more:
        for video in videos:
            refuse_other_kinds(video)
        videos = in_order(videos)
        first, *more = (video.name for video in videos)
        with changing_facts(folder) as now:  # somebody may have renamed the dive meanwhile
            write_facts(folder, replace(now, video=first, more=tuple(more)))
        probe = probe_joined(videos, facts.file_name)
    else:
        probe = probe_video(videos[0], facts.file_name)
    write_probe(folder, probe)
    with suppress(SourceError):
        write_thumbnail(videos[0], THUMBNAIL_AT * (probe.duration_s or 0.0), folder / THUMBNAIL)


def _process(
    folder: Path,
    engine: Engine,
    tell: _Teller,
    *,
    resume: bool,
    logged: bool = True,
    overlay: bool = False,
    times: Times | None = None,
) -> DiveRun:
    """times: instead of those in dive.json, and of all that was joined before. logged: with the dive log of these."""
    facts, videos = read_facts(folder), originals_of(folder)
    given = times or Times.of(facts)
    options = ProcessOptions(
        every_s=facts.every_s,
        overlay=overlay,
        start_utc=datetime.fromisoformat(given.start_utc) if given.start_utc else None,
        resume=resume,
        divelog=DiveLog.read(folder / DIVELOG / given.divelog, offset_s=given.divelog_offset_s)
        if given.divelog and logged
        else None,
        keep_start=times is None,
        keep_divelog=times is None,
    )
    return process(videos if facts.more else videos[0], folder / RESULTS, engine, options, tell.progress)


def _file_at(folder: Path, media_s: float) -> tuple[Path, float]:
    """Which original shows a moment of the dive, and when in it."""
    parts = parts_of(read_run(folder / RESULTS))
    if len(parts) < 2:
        return originals_of(folder)[0], media_s
    part = max((part for part in parts if part.offset_s <= media_s), key=lambda part: part.offset_s, default=parts[0])
    return folder / ORIGINAL / part.name, media_s - part.offset_s


def _overlay(given: argparse.Namespace, tell: _Teller) -> Outcome:
    """Nothing is classified again: what is in the results is drawn over the recording."""
    with _engine(given) as engine:
        _process(given.folder, engine, tell, resume=True, logged=False, overlay=True)  # what was joined is kept
    return Outcome(COMPLETE)


def _times(given: argparse.Namespace, tell: _Teller) -> Outcome:
    """What somebody says of the dive's clock and depth, into every file that tells them."""
    folder: Path = given.folder
    wanted = read_wanted(folder)
    if wanted is None:  # done, and then the server was killed
        return Outcome(COMPLETE)
    before = read_run(folder / RESULTS)
    with _engine(given) as engine:
        _process(folder, engine, tell, resume=True, times=wanted)
        after = read_run(folder / RESULTS)
        if before is None or after is None or before["counts"] != after["counts"]:
            write_track(folder / RESULTS, folder, engine.contract.labels)
    keep_wanted(folder, wanted)
    return Outcome(COMPLETE)


def _engine(given: argparse.Namespace) -> Engine:
    return Engine.open(
        given.model, provider=given.provider, require_gpu=given.require_gpu, threads=given.threads, recorded=True
    )


def _copy(given: argparse.Namespace, tell: _Teller) -> Outcome:
    folder: Path = given.folder
    copy_for_browsers(originals_of(folder), folder / COPY, tell.progress)
    run = read_run(folder / RESULTS)
    if run is not None and not (folder / "track.json").exists():
        write_track(folder / RESULTS, folder, run["model"]["labels"])
    return Outcome(COMPLETE)


class _Teller:
    """Prints lines; progress at most every TELL_S, and ends the work where it would take the last of the disk."""

    def __init__(self, folder: Path, leave_bytes: int) -> None:
        self._folder = folder
        self._leave_bytes = leave_bytes
        self._told_s = float("-inf")
        self._phase = ""

    def __call__(self, message: dict[str, Any]) -> None:
        print(json.dumps(message), flush=True)

    def progress(self, progress: Progress) -> None:
        now_s = time.monotonic()
        if progress.phase == self._phase and now_s - self._told_s < TELL_S:
            return
        self._told_s, self._phase = now_s, progress.phase
        self.look_for_room()
        self(
            {
                "phase": progress.phase,
                "done": progress.done,
                "total": progress.total,
                "rate": round(progress.rate, 2),
                "media_s": round(progress.media_s, 3),
                "duration_s": progress.duration_s,
            }
        )

    def look_for_room(self) -> None:
        """Raises ResultsError where the disk has less left than is to be left."""
        left = shutil.disk_usage(self._folder).free
        if left < self._leave_bytes:
            raise ResultsError(
                f"the disk has {left / 1e6:.0f} MB left, and a job leaves {self._leave_bytes / 1e6:.0f} MB "
                "to what is recorded and said; make room and go on"
            )


def _end_with_stdin() -> None:
    while os.read(0, 64):  # not sys.stdin: its lock is one that an ordinary exit would wait for
        pass
    os._exit(3)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _be_modest(memory_bytes: int | None, processor_s: int | None) -> None:
    if sys.platform == "win32":
        return
    with suppress(OSError):
        os.nice(NICENESS)
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash would write gigabytes beside the library
    for kind, limit in ((resource.RLIMIT_AS, memory_bytes), (resource.RLIMIT_CPU, processor_s)):
        if limit:
            with suppress(ValueError, OSError):  # an outer limit may be lower already
                resource.setrlimit(kind, (limit, limit + 1))  # the second is of the processor's, and is SIGKILL


def _cause(error: Exception | None) -> str:
    if isinstance(error, EngineError | ProviderError):
        return JobCause.MODEL
    if isinstance(error, DiveLogError):
        return JobCause.DIVELOG
    return str(error.cause or "") if isinstance(error, SourceError) else ""


def _plainly(error: Exception, folder: Path) -> str:
    """Without the place of the library, which is nobody's business, and with the name that people gave the file."""
    if isinstance(error, SourceError):
        return error.reason
    if isinstance(error, DiveLogError):
        return in_words_of_the_page(str(error).replace(f"{folder}{os.sep}", "").removeprefix(f"{ORIGINAL}{os.sep}"))
    text = str(error).replace("give the same again, or run without --resume to start anew", "start it anew")
    return text.replace(f"{folder}{os.sep}", "").replace(str(folder), "the dive")


if __name__ == "__main__":
    main()
