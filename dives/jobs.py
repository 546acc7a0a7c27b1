"""The queue of a library at work: one job at a time, each in a process of its own (dives/worker.py).

What is waiting stands in the library's table and survives a stop; what is running is put back and goes on after it. A
job that crashes, grows too big, hangs or takes too long fails alone, with a reason.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dives
from dives import uploads
from dives.causes import JobCause, Outcome
from dives.library import CANCELLED, COPY, COPY_FAILED, COPY_READY, COPY_WANTED, Job, Library, TableError
from dives.run_record import COMPLETE, FAILED, INCOMPLETE
from dives.times import give_up_wanted
from realtime.parts import Part

log = logging.getLogger(__name__)

MEMORY_BYTES = 12 << 30  # of address space, most of which is never touched: a job has been seen to ask for 3 GB
LIMIT_S = 48 * 3600.0
PROCESSOR_S = int(LIMIT_S) * (os.cpu_count() or 1)
SILENT_S = 15 * 60.0  # a disk that went to sleep takes seconds, a model that starts on a new GPU minutes
ATTEMPTS = 3  # a dive that takes the whole server with it is not tried for ever
CANCEL_S = 10.0  # to write the tables of what is classified
IDLE_S = 5.0
# How jobs end. killed: crashed, or took too much of something; stopped: with the server, to go on at its next start, or
# by somebody else, to be begun again; retried: no end, but begun again after a server that was killed amid it.
ENDS = ("complete", "failed", "killed", "cancelled", "stopped", "retried")
_SAID = {"failed": "failed", "killed": "was ended"}
_KILLED = frozenset({JobCause.CRASHED, JobCause.MEMORY, JobCause.TOO_LONG, JobCause.SILENT})


@dataclass(frozen=True, slots=True)
class JobSettings:
    """How jobs run. threads: called when one begins, None for as many as the machine has. memory_bytes: None for no
    limit, as GPUs need more addresses than there is memory. processor_s: over all processors; the system itself ends
    what takes more, also a decoder that spins after its server was killed."""

    model: Path
    provider: str = "auto"
    require_gpu: bool = False
    threads: Callable[[], int | None] = lambda: None
    memory_bytes: int | None = MEMORY_BYTES
    processor_s: int = PROCESSOR_S
    limit_s: float = LIMIT_S
    silent_s: float = SILENT_S


@dataclass(frozen=True, slots=True)
class JobProgress:
    """How far the running job is. step: as in Job. phase, done, total, rate: as in dives.progress.Progress."""

    dive_id: str
    step: str
    phase: str = "start"
    done: int = 0
    total: int | None = None
    rate: float = 0.0
    media_s: float = 0.0
    duration_s: float | None = None


class JobQueue:
    """Works off a library's queue on a thread of its own, from ``start`` until ``stop``. Methods are for any thread."""

    def __init__(
        self,
        library: Library,
        settings: JobSettings,
        *,
        command: Sequence[str] = (sys.executable, "-m", "dives.worker"),
    ) -> None:
        self._library = library
        self._settings = settings
        self._command = tuple(command)
        self._wake = threading.Condition()
        self._stopping = False
        self._current: _Running | None = None
        self._trouble = ""  # what was told last of a disk that fails
        self._ends = dict.fromkeys(ENDS, 0)
        self.part = Part("jobs", self._work)  # a job has a watch of its own

    def start(self) -> None:
        """Begins to work."""
        self.part.start()

    def stop(self, timeout: float = 2.0) -> bool:
        """Ends the running job, which goes on at the next start; True when all ended within ``timeout`` seconds."""
        with self._wake:
            self._stopping = True
            if self._current is not None:
                self._current.kill()
            self._wake.notify_all()
        self.part.join(timeout)
        return not self.part.is_alive()

    def notice(self) -> None:
        """Something was queued."""
        with self._wake:
            self._wake.notify_all()

    def progress(self) -> JobProgress | None:
        """How far the running job is; None when nothing runs."""
        current = self._current
        return current.progress if current is not None else None

    def ends(self) -> dict[str, int]:
        """How many jobs came to which of ENDS since this began."""
        return dict(self._ends)

    def cancel(self, dive_id: str, *, timeout: float = 0.0) -> None:
        """Takes a dive out of the queue, or stops the work on it; what is classified already is kept.

        timeout: seconds to wait until nothing works on it. Raises NoDiveError, and TimeoutError when it still does.
        """
        with self._wake:
            current = self._current
            if current is not None and current.job.dive.id == dive_id:
                current.cancel()
                if timeout and not self._wake.wait_for(lambda: self._current is not current, timeout):
                    current.kill()
                    if not self._wake.wait_for(lambda: self._current is not current, timeout):
                        raise TimeoutError(dive_id)
            elif (row := self._library.dive(dive_id)).state == "queued":
                self._library.end(dive_id, CANCELLED)
            elif row.overlay == COPY_WANTED:
                self._library.set_overlay(dive_id, "")
            elif row.times == COPY_WANTED:
                give_up_wanted(self._library.folder(dive_id))
                self._library.end_times(dive_id, joined=False)

    def _work(self) -> None:
        while True:
            with self._wake:
                if self._stopping:
                    return
                job = self._next()
                if job is None:
                    self._wake.wait(IDLE_S)
                    continue
                self._current = running = _Running(job, self._settings, self._command, self._library)
            try:
                self._record(job, running, running.run())
            except BaseException as error:  # a bug must not end the queue for all that wait
                running.kill()
                log.exception("job on dive %s", job.dive.id, extra={"dive": job.dive.id})
                reason = "an error of Reeflens itself; its log says more"
                self._record(job, running, Outcome(FAILED, reason, JobCause.INTERNAL))
                if not isinstance(error, Exception):
                    raise
            finally:
                with self._wake:
                    self._current = None
                    self._wake.notify_all()

    def _next(self) -> Job | None:
        """What to work on now, which has begun; None when there is nothing, or the disk does not let us."""
        try:
            while (job := self._library.next_job()) is not None:
                if job.step == "dive" and job.dive.attempts >= ATTEMPTS:
                    reason = f"the server stopped {job.dive.attempts} times while it worked on this; try again by hand"
                    self._library.end(job.dive.id, FAILED, reason, JobCause.ATTEMPTS)
                    self._ends["failed"] += 1
                    continue
                if job.step == "dive":
                    self._library.begin(job.dive.id)
                    self._ends["retried"] += job.dive.attempts > 0
                self._trouble = ""
                return job
        except Exception as error:  # the disk with the library may come back
            self._tell("the queue waits", error)
        return None

    def _tell(self, what: str, error: Exception) -> None:
        """Once, however often it is tried."""
        if str(error) != self._trouble:
            log.warning("%s: %s", what, error)
        self._trouble = str(error)

    def _record(self, job: Job, running: _Running, outcome: Outcome) -> None:
        """Keeps how it went; a table that cannot be written is waited for, or the dive would be at work for ever."""
        end, dive_id = self._end(running, outcome), job.dive.id
        self._ends[end] += 1
        if end in ("failed", "killed"):
            log.warning(
                "job %s on dive %s %s: %s", job.step, dive_id, _SAID[end], outcome.reason, extra={"dive": dive_id}
            )
        while True:
            try:
                self._keep(job, running, outcome)
                return
            except TableError as error:
                self._tell(f"the outcome of dive {job.dive.id} waits", error)
                with self._wake:
                    if self._wake.wait_for(lambda: self._stopping, IDLE_S):
                        return  # the next start goes on with this dive, and finds it done
            except Exception:
                log.exception("the outcome of dive %s cannot be kept", job.dive.id, extra={"dive": job.dive.id})
                return

    def _end(self, running: _Running, outcome: Outcome) -> str:
        if outcome.state == COMPLETE:
            return "complete"
        if running.cancelled:
            return "cancelled"
        if self._stopping or outcome.cause == JobCause.STOPPED:
            return "stopped"
        return "killed" if outcome.cause in _KILLED else "failed"

    def _keep(self, job: Job, running: _Running, outcome: Outcome) -> None:
        dive_id, state = job.dive.id, outcome.state
        # A service manager tells all processes of a server to end, and a job may hear of it first.
        goes_on = self._end(running, outcome) == "stopped" and (running.killed or outcome.cause == JobCause.STOPPED)
        if job.step != "dive":
            if goes_on:
                return
            library = self._library
            stands = {"copy": library.set_copy, "overlay": library.set_overlay, "times": library.set_times}[job.step]
            if state == COMPLETE and job.step == "times":
                library.end_times(dive_id, joined=True)
            elif state == COMPLETE:
                stands(dive_id, COPY_READY)
            else:
                reason, cause = outcome.reason or "stopped on request", outcome.cause or JobCause.STOPPED
                stands(dive_id, COPY_FAILED, reason, cause)
            self._library.refresh(dive_id)
        elif goes_on:
            self._library.put_back(dive_id)
        elif running.cancelled:
            self._library.end(dive_id, state if state == COMPLETE else CANCELLED)
        else:
            self._library.end(dive_id, state, outcome.reason, outcome.cause)


class _Running:
    """One job in its process."""

    def __init__(self, job: Job, settings: JobSettings, command: Sequence[str], library: Library) -> None:
        self.job = job
        self.progress = JobProgress(job.dive.id, job.step)
        self.cancelled = False
        self.killed = False
        self._settings = settings
        self._library = library
        self._command = self._line(command)
        self._process: subprocess.Popen[str] | None = None
        self._guard = threading.Lock()
        self._heard_s = self._began_s = time.monotonic()
        self._why: Outcome | None = None

    def run(self) -> Outcome:
        """Runs it to its end."""
        with self._guard:
            if self.killed or self.cancelled:
                return Outcome(INCOMPLETE)
            # A session of its own: Ctrl-C in the server's terminal is the server's affair.
            self._process = process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
                env=_environment(),
                start_new_session=True,
            )
        tail: list[str] = []
        watchers = [
            threading.Thread(target=_drain, args=(process.stderr, tail), daemon=True),
            threading.Thread(target=self._watch, daemon=True),
        ]
        for watcher in watchers:
            watcher.start()
        ended: dict[str, Any] | None = None
        assert process.stdout is not None
        for line in process.stdout:
            self._heard_s = time.monotonic()
            ended = self._hear(line) or ended
        code = process.wait()
        watchers[0].join(1.0)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        if ended is not None:
            return Outcome(*(str(ended.get(name, "")) for name in ("end", "reason", "cause")))
        if tail:
            said, dive_id = "".join(tail).strip()[-2000:], self.job.dive.id
            log.warning("job on dive %s: %s", dive_id, said, extra={"dive": dive_id})
        return self._why or _crash(code, tail)

    def cancel(self) -> None:
        """Asks it to end; after CANCEL_S it is made to."""
        with self._guard:
            self.cancelled = True
            if self._process is not None and self._process.poll() is None:
                self._process.terminate()
                timer = threading.Timer(CANCEL_S, self.kill)
                timer.daemon = True
                timer.start()

    def kill(self, why: Outcome | None = None) -> None:
        """Makes it end now. What it wrote is whole (dives/journal.py)."""
        with self._guard:
            self.killed = True
            self._why = self._why or why
            if self._process is not None and self._process.poll() is None:
                self._process.kill()

    def _hear(self, line: str) -> dict[str, Any] | None:
        try:
            message = json.loads(line)
        except ValueError:
            return None
        if not isinstance(message, dict):
            return None
        if "seen" in message:
            with suppress(TableError):  # the end of the job tells it again
                self._library.refresh(self.job.dive.id)
        elif "phase" in message:
            known = {name: message[name] for name in JobProgress.__dataclass_fields__ if name in message}
            self.progress = JobProgress(self.job.dive.id, self.job.step, **known)
        return message if "end" in message else None

    def _watch(self) -> None:
        assert self._process is not None
        while True:
            try:
                self._process.wait(1.0)
                return
            except subprocess.TimeoutExpired:
                now_s = time.monotonic()
                if now_s - self._began_s > self._settings.limit_s:
                    reason = f"it took longer than {self._settings.limit_s / 3600:.4g} h"
                    self.kill(Outcome(FAILED, reason, JobCause.TOO_LONG))
                elif now_s - self._heard_s > self._settings.silent_s:
                    reason = f"it made no progress for {self._settings.silent_s / 60:.4g} min"
                    self.kill(Outcome(FAILED, reason, JobCause.SILENT))

    def _line(self, command: Sequence[str]) -> list[str]:
        dive, settings = self.job.dive, self._settings
        line = [*command, self.job.step, str(self._library.folder(dive.id).resolve())]
        if self.job.step != "copy":
            line += ["--model", str(settings.model.resolve()), "--provider", settings.provider]
            line += ["--require-gpu"] if settings.require_gpu else []
            threads = settings.threads()
            line += ["--threads", str(threads)] if threads else []
            line += ["--anew"] if dive.anew and self.job.step == "dive" else []
        else:
            with suppress(OSError):  # the job itself says what is wrong with the disk
                (self._library.folder(dive.id) / f"{COPY}.partial").unlink(missing_ok=True)
        line += ["--processor-s", str(settings.processor_s)]
        # Of what uploads leave of the disk, for what is recorded and said: nobody knows before what a job takes.
        line += ["--leave-bytes", str(uploads.MIN_FREE_BYTES // 10)]
        if settings.memory_bytes:
            line += ["--memory-bytes", str(settings.memory_bytes)]
        return line


def _environment() -> dict[str, str]:
    """Ours, with the place that this program itself was imported from, and without settings, which may be secrets."""
    place = str(Path(dives.__file__).resolve().parents[1])
    known = os.environ.get("PYTHONPATH", "")
    ours = {name: value for name, value in os.environ.items() if not name.startswith("REEFLENS_")}
    return {**ours, "PYTHONPATH": f"{place}{os.pathsep}{known}" if known else place}


def _drain(pipe: Any, tail: list[str]) -> None:
    for line in pipe:
        tail.append(line)
        del tail[:-40]


def _crash(code: int, tail: Sequence[str]) -> Outcome:
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = str(-code)
        if name == "SIGXCPU":
            return Outcome(FAILED, "it took more time of the processors than a job may have", JobCause.TOO_LONG)
        more = "; the machine may have run out of memory" if name == "SIGKILL" else ""
        return Outcome(FAILED, f"the work was ended by {name}{more}", JobCause.CRASHED)
    text = "".join(tail)
    if "MemoryError" in text or "bad_alloc" in text or "Cannot allocate memory" in text:
        return Outcome(FAILED, "it needs more memory than a job may have", JobCause.MEMORY)
    last = next((line.strip() for line in reversed(tail) if line.strip()), "")
    reason = f"the work broke off with code {code}{f' ({last[:200]})' if last else ''}"
    return Outcome(FAILED, reason, JobCause.CRASHED)
