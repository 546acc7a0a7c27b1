"""Times several ways of doing one job against each other: each in a process of its own, and all of them in turns.

Figures that were taken one after another compare moments of a machine, not programs. Here every way runs a moment,
then the next, round after round, so that whatever else the machine does hits all alike, and what is compared is ratios
within a round. A process of its own keeps the threads and the memory of one way out of the others' figures, and one
that crashes costs its row.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

import numpy as np

START_S = 180.0  # importing TensorFlow on a busy laptop takes half a minute

Job = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Way:
    """One way of doing the job.

    start: a function of a module, called in the way's own process with ``arguments``; returns what is then timed.
    frames: how many of them one call does.
    """

    name: str
    start: Callable[..., Job]
    arguments: tuple[Any, ...] = ()
    frames: int = 1


@dataclass(frozen=True, slots=True)
class Timed:
    """What one way took.

    rounds_s: seconds of every call, round by round; empty when there is a ``problem``, which says in words why.
    memory_mb: the most that its process has occupied, libraries included; 0 where the system does not say.
    """

    way: Way
    rounds_s: tuple[tuple[float, ...], ...] = ()
    memory_mb: float = 0.0
    problem: str = ""

    @property
    def calls_ms(self) -> list[float]:
        """Milliseconds of every call."""
        return [1e3 * call for calls in self.rounds_s for call in calls]

    def percentile_ms(self, share: float) -> float:
        """Milliseconds within which ``share`` of 100 calls were done."""
        return float(np.percentile(self.calls_ms, share))

    @property
    def frames_per_s(self) -> float:
        """By the median call."""
        return 1e3 * self.way.frames / statistics.median(self.calls_ms)

    def times_faster_than(self, other: Timed) -> float:
        """How many frames this way does while the other does one: the median over rounds of medians within a round."""
        pairs = zip(self.rounds_s, other.rounds_s, strict=True)
        return statistics.median(
            (statistics.median(theirs) / other.way.frames) / (statistics.median(ours) / self.way.frames)
            for ours, theirs in pairs
        )


def take_turns(
    ways: Sequence[Way], *, rounds: int, turn_s: float, say: Callable[[str], None] = lambda line: None
) -> list[Timed]:
    """Times all ways; a turn is as many calls as ``turn_s`` seconds allow, and one at least.

    A call that is not counted begins each turn, as the caches are another's, unless it would take long. say: told in a
    line what goes on.
    """
    with ExitStack() as stack:
        workers = []
        for way in ways:
            say(f"starting {way.name}")
            workers.append(stack.enter_context(_Worker(way)))
        for number in range(rounds):
            say(f"round {number + 1} of {rounds}")
            for worker in workers:
                worker.turn(turn_s)
        return [worker.timed() for worker in workers]


class _Worker:
    """A way in its process; a context manager."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._problem = ""
        self._rounds: list[tuple[float, ...]] = []
        self._memory_mb = 0.0
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(way, theirs), daemon=True)
        self._process.start()
        theirs.close()
        self._ask(START_S)

    def turn(self, turn_s: float) -> None:
        if self._problem:
            return
        self._connection.send(turn_s)
        answer = self._ask(START_S + 10 * turn_s)
        if answer is not None:
            calls, self._memory_mb = answer
            self._rounds.append(tuple(calls))

    def timed(self) -> Timed:
        if self._problem:
            return Timed(self._way, problem=self._problem)
        return Timed(self._way, tuple(self._rounds), self._memory_mb)

    def _ask(self, timeout_s: float) -> Any:
        """The answer, or None after noting why there is none."""
        try:
            if not self._connection.poll(timeout_s):
                self._problem = f"gave no answer within {timeout_s:.0f} s"
                return None
            answer = self._connection.recv()
        except (EOFError, OSError):
            self._process.join(5)
            self._problem = f"its process ended (exit code {self._process.exitcode})"
            return None
        if isinstance(answer, str):
            self._problem = answer
            return None
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
        self._process.kill()
        self._process.join()


def _serve(way: Way, connection: Connection) -> None:
    """In the way's process: does the job for as long as it is told, until the other end is closed."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # libraries greet, warn and draw progress bars
        os.dup2(nowhere, stream)
    try:
        job = way.start(*way.arguments)
        last_s = _seconds(job)
        connection.send(())
        while True:
            turn_s = connection.recv()
            if last_s < turn_s / 4:
                job()
            calls: list[float] = []
            while sum(calls) + (calls[-1] / 2 if calls else 0.0) < turn_s:
                calls.append(_seconds(job))
            last_s = calls[-1]
            connection.send((calls, _peak_mb()))
    except (EOFError, BrokenPipeError):
        pass
    except ImportError as error:
        connection.send(f"not installed ({error.name or error})")
    except Exception as error:  # whatever a library of somebody else brings; its row says so
        text = str(error).strip().splitlines()
        connection.send(text[0][:200] if text else type(error).__name__)


def _seconds(job: Job) -> float:
    begun_s = time.perf_counter()
    job()
    return time.perf_counter() - begun_s


def _peak_mb() -> float:
    if sys.platform == "win32":
        return 0.0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20) if sys.platform == "darwin" else peak / (1 << 10)
