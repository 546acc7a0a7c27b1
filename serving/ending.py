"""The one deadline of a stop: each part may take until a moment after the first signal, whatever those before took.

Waits of their own would add up. People press Ctrl-C again after three seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable

# Seconds after the first signal. Viewers, parts and answers under way end at the same time; then what was seen last is
# written, which takes a disk milliseconds as a rule.
VIEWERS_BY_S = 0.5
PARTS_BY_S = 1.2
ANSWERS_BY_S = 1.6
WRITTEN_BY_S = 2.4
OVER_BY_S = 2.6


class Ending:
    """Begins once, by whoever is the first to hear of it; for any thread. clock: monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began_s: float | None = None

    def begin(self) -> None:
        """The server stops; a second call is nothing new."""
        if self._began_s is None:
            self._began_s = self._clock()

    def left_s(self, by_s: float) -> float:
        """Seconds until ``by_s`` after the begin, 0 when they are over; begins where nobody has."""
        self.begin()
        assert self._began_s is not None
        return max(0.0, self._began_s + by_s - self._clock())
