"""From the inference thread to the event loop: what is newest crosses, a backlog cannot build up.

``loop.call_soon_threadsafe`` queues without a bound: a loop that is held up for a second would find 25 frames of 12 MB
in its queue and publish all of them. Here one call is pending at most, and finds the newest of each source.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Mapping
from typing import Protocol

from realtime.frames import Frame, FrameResult
from realtime.live import LiveStatus


class Outlet(Protocol):
    """Where a source's results go: a Hub with its viewers, or the page whose own camera it is."""

    def publish(self, frame: Frame, result: FrameResult, status: LiveStatus) -> None:
        """A result."""

    def set_status(self, status: LiveStatus) -> None:
        """A change of state."""

    def overtake(self, times: int) -> None:
        """So many results were replaced by a newer one on the way."""


class Bridge:
    """The callbacks for a LiveRunner. ``on_result`` and ``on_status`` may be called from any thread and never wait.

    outlets: by source name, looked up and called on ``loop`` only, so it may change there; what comes for a source that
    is no longer in it is thrown away.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, outlets: Mapping[str, Outlet]) -> None:
        self._loop = loop
        self._outlets = outlets
        self._lock = threading.Lock()
        self._results: dict[str, tuple[Frame, FrameResult, LiveStatus]] = {}
        self._states: dict[str, LiveStatus] = {}
        self._overtaken: Counter[str] = Counter()
        self._scheduled = False

    def on_result(self, frame: Frame, result: FrameResult, status: LiveStatus) -> None:
        """Takes a result to its source's outlet."""
        with self._lock:
            self._overtaken[frame.source] += frame.source in self._results
            self._results[frame.source] = (frame, result, status)
            self._schedule()

    def on_status(self, source: str, status: LiveStatus) -> None:
        """Takes a change of state to its source's outlet."""
        with self._lock:
            self._states[source] = status
            self._schedule()

    def _schedule(self) -> None:
        if self._scheduled:
            return
        try:
            self._loop.call_soon_threadsafe(self._deliver)
        except RuntimeError:  # the loop is closed: the server stopped while a thread was still at work
            return
        self._scheduled = True

    def _deliver(self) -> None:
        with self._lock:
            states, self._states = self._states, {}
            results, self._results = self._results, {}
            overtaken, self._overtaken = self._overtaken, Counter()
            self._scheduled = False
        for source, status in states.items():
            if (outlet := self._outlets.get(source)) is not None:
                outlet.set_status(status)
        for source, (frame, result, status) in results.items():
            if (outlet := self._outlets.get(source)) is not None:
                outlet.publish(frame, result, status)
        for source, times in overtaken.items():
            if (outlet := self._outlets.get(source)) is not None:
                outlet.overtake(times)
