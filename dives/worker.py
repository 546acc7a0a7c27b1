"""The work on one dive of a library, in a process of its own: a decoder that crashes costs one dive, not the server.

    python -m dives.worker dive FOLDER --model M …      look at it, classify it, make its track
    python -m dives.worker copy FOLDER                  make the copy that browsers play

stdout carries one JSON object per line: {"phase", "done", "total", "rate"} while it works, {"seen": true} when the
folder shows something new, and at last {"end": state, "reason": text, "cause": word}. It ends at once when its stdin
does: a server that was killed leaves nobody behind, and the next one goes on after the last row that was written.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from dives.causes import JobCause, Outcome
from dives.copying import copy_for_browsers
from dives.library import COPY, ORIGINAL, RESULTS, THUMBNAIL, read_facts
from dives.locking import lock
from dives.probe import probe_video, read_probe, write_probe, write_thumbnail
from dives.process import ProcessOptions, process
from dives.progress import Progress
from dives.run_record import COMPLETE, FAILED, INCOMPLETE, read_run
from dives.track import write_track
from realtime.engine import Engine
from realtime.errors import ReeflensError, SourceError

LOCK = "worker.lock"
TELL_S = 0.25
NICENESS = 10  # live sources come first
THUMBNAIL_AT = 0.1  # of the length: the first frames show the boat


def main() -> None:
    """Does what the command line says and prints how it goes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=["dive", "copy"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--provider", default="auto")
    parser.add_argument("--require-gpu", action="store_true")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--memory-bytes", type=int)
    parser.add_argument("--anew", action="store_true")
    given = parser.parse_args()
    threading.Thread(target=_end_with_stdin, name="stdin", daemon=True).start()
    signal.signal(signal.SIGTERM, _interrupt)
    _be_modest(given.memory_bytes)
    tell = _Teller()
    try:
        with (given.folder / LOCK).open("ab") as held:
            lock(held, wait=True)  # one that was told to end may still be ending
            ended = _dive(given, tell) if given.step == "dive" else _copy(given.folder, tell)
    except KeyboardInterrupt:
        ended = Outcome(INCOMPLETE, "stopped on request", JobCause.STOPPED)
    except MemoryError:
        ended = Outcome(FAILED, "it needs more memory than a job may have", JobCause.MEMORY)
    except (ReeflensError, OSError) as error:
        ended = Outcome(FAILED, _plainly(error, given.folder), _cause(error) or JobCause.RESULTS)
    tell({"end": ended.state, "reason": ended.reason, "cause": ended.cause})


def _dive(given: argparse.Namespace, tell: _Teller) -> Outcome:
    folder: Path = given.folder
    facts = read_facts(folder)
    video, results = folder / ORIGINAL / facts.video, folder / RESULTS
    probe = read_probe(folder)
    if probe is None:
        probe = probe_video(video, facts.file_name)
        write_probe(folder, probe)
        with suppress(SourceError):
            write_thumbnail(video, THUMBNAIL_AT * (probe.duration_s or 0.0), folder / THUMBNAIL)
        tell({"seen": True})
    with Engine.open(
        given.model, provider=given.provider, require_gpu=given.require_gpu, threads=given.threads, recorded=True
    ) as engine:
        options = ProcessOptions(every_s=facts.every_s, resume=not given.anew)
        run = process(video, results, engine, options, tell.progress)
        labels = engine.contract.labels
    write_track(results, folder, labels)
    if run.sightings:
        best = max(run.sightings, key=lambda sighting: sighting.peak_probability)
        with suppress(SourceError):
            write_thumbnail(video, best.peak_s, folder / THUMBNAIL)
    reason = run.error.reason if isinstance(run.error, SourceError) else str(run.error or "")
    return Outcome(run.state, reason, _cause(run.error))


def _copy(folder: Path, tell: _Teller) -> Outcome:
    facts = read_facts(folder)
    copy_for_browsers(folder / ORIGINAL / facts.video, folder / COPY, tell.progress)
    run = read_run(folder / RESULTS)
    if run is not None and not (folder / "track.json").exists():
        write_track(folder / RESULTS, folder, run["model"]["labels"])
    return Outcome(COMPLETE)


class _Teller:
    """Prints lines; progress at most every TELL_S."""

    def __init__(self) -> None:
        self._told_s = float("-inf")
        self._phase = ""

    def __call__(self, message: dict[str, Any]) -> None:
        print(json.dumps(message), flush=True)

    def progress(self, progress: Progress) -> None:
        now_s = time.monotonic()
        if progress.phase == self._phase and now_s - self._told_s < TELL_S:
            return
        self._told_s, self._phase = now_s, progress.phase
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


def _end_with_stdin() -> None:
    while os.read(0, 64):  # not sys.stdin: its lock is one that an ordinary exit would wait for
        pass
    os._exit(3)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _be_modest(memory_bytes: int | None) -> None:
    if sys.platform == "win32":
        return
    with suppress(OSError):
        os.nice(NICENESS)
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash would write gigabytes beside the library
    if memory_bytes:
        with suppress(ValueError, OSError):  # an outer limit may be lower already
            resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def _cause(error: Exception | None) -> str:
    return str(error.cause or "") if isinstance(error, SourceError) else ""


def _plainly(error: Exception, folder: Path) -> str:
    """Without the place of the library, which is nobody's business, and with the name that people gave the file."""
    if isinstance(error, SourceError):
        return error.reason
    text = str(error).replace("give the same again, or run without --resume to start anew", "start it anew")
    return text.replace(f"{folder}{os.sep}", "").replace(str(folder), "the dive")


if __name__ == "__main__":
    main()
