"""Wrong tokens, counted by where they come from: after a few of them the next ones are not even looked at for a while.

Bounded, whoever asks: MOST addresses are remembered, and those that have been quiet longest are forgotten first. A
network of many addresses can try more, of 99 bits.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from serving.asker import place

FREE = 5  # that people mistype
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
FORGOTTEN_S = 900.0
MOST = 4096


@dataclass(slots=True)
class _Record:
    wrong: int
    last_s: float
    open_s: float  # from when on one may try again


class Attempts:
    """Used on one event loop. clock: monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._records: OrderedDict[str, _Record] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """For how many seconds nothing from this address is looked at; 0 when it may try."""
        record = self._records.get(place(address))
        return max(0.0, record.open_s - self._clock()) if record is not None else 0.0

    def wrong(self, address: str) -> None:
        """A wrong token came from there."""
        now_s, there = self._clock(), place(address)
        record = self._records.pop(there, None)
        if record is None or now_s - record.last_s > FORGOTTEN_S:
            record = _Record(0, now_s, now_s)
        record.wrong, record.last_s = record.wrong + 1, now_s
        if record.wrong >= FREE:
            record.open_s = now_s + min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(record.wrong - FREE, 16))
        self._records[there] = record
        while len(self._records) > MOST:
            self._records.popitem(last=False)

    def __len__(self) -> int:
        return len(self._records)
