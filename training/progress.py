"""Tells a person how the work goes: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


class Reporter(Protocol):
    """What the work calls. One task runs at a time; ``begin`` ends the one before."""

    def begin(self, task: str, total: int) -> None:
        """A task of ``total`` steps starts."""

    def advance(self, steps: int = 1, note: str = "") -> None:
        """So many steps more are done; ``note`` replaces the text beside the bar."""

    def say(self, line: str) -> None:
        """One line that stays."""


class Silent:
    """For callers that want no progress."""

    def begin(self, task: str, total: int) -> None:
        """Nothing."""

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Nothing."""

    def say(self, line: str) -> None:
        """Nothing."""


class PlainLines:
    """For log files and pipes: the lines that stay, and a sign of life every ``every_s`` seconds of a long task.

    The time left is reckoned from the first ``advance`` on, which may be a leap over what was done before.
    """

    def __init__(
        self, stream: TextIO | None = None, every_s: float = 30.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._every_s = every_s
        self._clock = clock
        self._task, self._total, self._done, self._spoke_s = "", 0, 0, clock()
        self._first: tuple[int, float] | None = None

    def begin(self, task: str, total: int) -> None:
        """Says what starts."""
        self._task, self._total, self._done, self._spoke_s = task, total, 0, self._clock()
        self._first = None

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Counts; speaks when it has been silent for long."""
        self._done += steps
        if self._first is None:
            self._first = self._done, self._clock()
        if self._clock() - self._spoke_s >= self._every_s:
            done = f"{self._done} of {self._total}" if self._total else str(self._done)
            self.say("  ".join(filter(None, (f"{self._task}: {done}", note, self._left()))))

    def _left(self) -> str:
        if self._first is None or self._done <= self._first[0] or self._done >= self._total:
            return ""
        done, since_s = self._done - self._first[0], self._clock() - self._first[1]
        minutes, seconds = divmod(round((self._total - self._done) * since_s / done), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02d}:{seconds:02d} left"

    def say(self, line: str) -> None:
        """Writes the line and flushes."""
        self._spoke_s = self._clock()
        print(line, file=self._stream, flush=True)


class TerminalDisplay:
    """For a terminal: a bar with counts and time left, and above it the lines that stay. A context manager."""

    def __init__(self, console: Console | None = None) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=16),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=console if console is not None else Console(stderr=True),
        )
        self._task: TaskID | None = None

    def begin(self, task: str, total: int) -> None:
        """Replaces the bar."""
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(task, total=total, note="")

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Moves the bar."""
        if self._task is not None:
            self._progress.update(self._task, advance=steps, note=note)

    def say(self, line: str) -> None:
        """Prints the line above the bar."""
        self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
