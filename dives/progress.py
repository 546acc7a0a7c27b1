"""How far a dive is, in numbers that a progress bar or a page can show."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from realtime.sources import SourceInfo


@dataclass(frozen=True, slots=True)
class Progress:
    """One phase of one dive.

    phase: "classify", "write", "stills" or "overlay". done: frames dealt with, or stills. total: frames to come in all,
    as announced, None when unknown; when a phase is over it equals ``done``. media_s of duration_s: the same in seconds
    of the recording, 0.0 for stills, duration_s None when unknown. rate: frames classified, written or drawn per second
    since the phase began.
    """

    phase: str
    done: int
    total: int | None
    media_s: float
    duration_s: float | None
    rate: float


class Meter:
    """Counts one phase and reports it to ``listener``."""

    def __init__(
        self,
        listener: Callable[[Progress], None],
        phase: str,
        info: SourceInfo,
        total: int | None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._listener = listener
        self._phase = phase
        self._duration_s = info.duration_s
        self._total = total
        self._clock = clock
        self._began_s = clock()
        self._worked = 0
        self._media_s = 0.0

    @property
    def wall_s(self) -> float:
        """Seconds since the phase began."""
        return self._clock() - self._began_s

    @property
    def rate(self) -> float:
        """Frames worked on per second."""
        return self._worked / self.wall_s if self.wall_s > 0.0 else 0.0

    def add(self, worked: int, *, done: int, media_s: float) -> None:
        """``worked`` more frames; the phase now stands at ``done`` frames and ``media_s`` seconds."""
        self._worked += worked
        self._media_s = media_s
        # A container may announce less than it holds.
        self._tell(done, None if self._total is None else max(self._total, done))

    def over(self, done: int) -> None:
        """The phase is over: what was announced no longer matters."""
        self._tell(done, done)

    def _tell(self, done: int, total: int | None) -> None:
        self._listener(Progress(self._phase, done, total, self._media_s, self._duration_s, self.rate))
