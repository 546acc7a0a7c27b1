"""Notices when a live stream has run ahead of us: what is read now was filmed a while ago, and more of it is waiting.

Whoever decodes more slowly than a camera films does not lose frames over TCP: they wait in the buffers between, and all
that is seen grows older, second by second, while every frame still looks fresh to the clock that stamps its arrival.
"""

from __future__ import annotations

import math

BEHIND_S = 0.4  # more than the jitter of a wireless link and the spread of a key frame's packets
MEMORY_S = 60.0  # the clocks of a camera and a computer drift apart by a millisecond or two in this time
IDLE = 0.3  # who waits for so large a share of the time has read all there was; one that is behind never waits
IDLE_OVER_S = 0.5  # a single wait says little: a busy machine takes milliseconds to wake a thread
RISE = 0.5  # seconds per second by which a longer delay is accepted: what follows a pause is let go by, not accepted


class Backlog:
    """Feed it with the packets of one stream; ``behind`` says whether to let them go by undecoded.

    The distance between a packet's stamp and our clock is its delay but for a constant. The least delay of the last
    minute belongs to a packet that came straight through; what is above it has been waiting somewhere. As long as
    reading hardly ever waits, that is at our door; else it is the network's own delay, which no hurry of ours makes
    less, and by and by becomes the new measure.
    """

    def __init__(self) -> None:
        self.behind = False
        self.late_s = 0.0  # how long the newest packet was waiting
        self._least_s = math.inf
        self._next_s = math.inf  # the least since `_since_s`, which takes over when the old one is forgotten
        self._since_s = -math.inf
        self._stamp_s = 0.0
        self._read_s = -math.inf
        self._idle = 1.0

    def step(self, stamp_s: float | None, now_s: float, waited_s: float) -> bool:
        """Takes a packet as it was read; returns ``behind``.

        stamp_s: when it is to be shown, by the stream's own clock, from any zero; without one nothing changes. now_s:
        monotonic clock after the read. waited_s: how long the read took.
        """
        passed_s = max(now_s - self._read_s, waited_s, 1e-9)
        weight = -math.expm1(-passed_s / IDLE_OVER_S)
        self._idle += weight * (waited_s / passed_s - self._idle)
        self._read_s = now_s
        if stamp_s is None:
            return self.behind
        delay_s = now_s - stamp_s
        jumped = abs(stamp_s - self._stamp_s) > MEMORY_S  # a camera that set its clock
        self._stamp_s = stamp_s
        if jumped or self._least_s == math.inf:
            self._least_s = self._next_s = delay_s
            self._since_s = now_s
        elif self._idle > IDLE:
            self._least_s = self._next_s = min(delay_s, self._least_s + RISE * min(passed_s, 0.1))
            self._since_s = now_s
        elif now_s - self._since_s > MEMORY_S and not self.behind:
            self._least_s, self._next_s, self._since_s = min(self._next_s, delay_s), delay_s, now_s
        else:
            self._least_s, self._next_s = min(self._least_s, delay_s), min(self._next_s, delay_s)
        self.late_s = delay_s - self._least_s
        # Half of it before we count as caught up, lest every second key frame finds us behind again.
        self.behind = self.late_s > (BEHIND_S / 2 if self.behind else BEHIND_S)
        return self.behind
