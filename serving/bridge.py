"""From the inference thread to the event loop: what is newest crosses, a backlog cannot build up.

``loop.call_soon_threadsafe`` queues without a bound: a loop that is held up for a second would find 25 frames of 12 MB
in its queue and publish all of them. Here one call is pending at most, and finds the newest of each source.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Mapping

from realtime.frames import Frame, FrameResult
from realtime.pipeline import LiveStatus
from serving.hub import Hub


class Bridge:
    """The callbacks for a LiveRunner. ``on_result`` and ``on_status`` may be called from any thread and never wait.

    hubs: by source name; called on ``loop`` only. What is replaced on the way is in their counts, as ``overtaken``.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, hubs: Mapping[str, Hub]) -> None:
        self._loop = loop
        self._hubs = hubs
        self._lock = threading.Lock()
        self._results: dict[str, tuple[Frame, FrameResult, LiveStatus]] = {}
        self._states: dict[str, LiveStatus] = {}
        self._overtaken: Counter[str] = Counter()
        self._scheduled = False

    def on_result(self, frame: Frame, result: FrameResult, status: LiveStatus) -> None:
        """Takes a result to its source's hub."""
        with self._lock:
            self._overtaken[frame.source] += frame.source in self._results
            self._results[frame.source] = (frame, result, status)
            self._schedule()

    def on_status(self, source: str, status: LiveStatus) -> None:
        """Takes a change of state to its source's hub."""
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
            self._hubs[source].set_state(status.state, status.reason)
        for source, (frame, result, status) in results.items():
            self._hubs[source].publish(frame, result, status)
        for source, times in overtaken.items():
            self._hubs[source].counts.overtaken += times
