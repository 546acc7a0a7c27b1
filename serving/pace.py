"""How many messages a second a connection may send: what is more costs the others their turn on the event loop."""

from __future__ import annotations

import time
from collections.abc import Callable

MESSAGES_PER_S = 500.0  # a viewer acknowledges each result: twice the fastest camera there is
BURST = 1000.0  # after a pause of the network all that was on its way comes at once


class Pace:
    """A bucket that fills with time. clock: monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left = BURST
        self._last_s = clock()

    def take(self) -> bool:
        """Whether one more message may come now."""
        now_s = self._clock()
        self._left = min(BURST, self._left + (now_s - self._last_s) * MESSAGES_PER_S)
        self._last_s = now_s
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
