"""Small work off the event loop, such as one JPEG: on one thread, which another replaces when it dies or hangs.

concurrent.futures.ThreadPoolExecutor never replaces a thread, and everybody who wants a picture would wait for it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from realtime.parts import Part, PartStatus

P = ParamSpec("P")
T = TypeVar("T")

HANGS_S = 10.0  # a JPEG takes milliseconds


class Hung(Exception):  # noqa: N818 - what became of the work
    """The work did not end in time; its thread was left behind."""


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    future: Future[Any]
    work: Callable[[], Any]


class Workbench(Executor):
    """An executor of one thread. Work that hangs for ``hangs_s`` fails with Hung, and the next is begun elsewhere.

    ``part`` wants to be looked at (realtime/parts.py).
    """

    def __init__(self, name: str, *, hangs_s: float = HANGS_S) -> None:
        self.part = Part(name, self._work, hangs_s=hangs_s, replace=True, on_change=self._changed)
        self._wake = threading.Condition()
        self._jobs: deque[_Job] = deque()
        self._current: _Job | None = None
        self._closed = False
        self.part.start()

    @property
    def waiting(self) -> int:
        """How much is not begun."""
        return len(self._jobs)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """As of any executor."""
        job = _Job(Future(), lambda: fn(*args, **kwargs))
        with self._wake:
            if self._closed:
                raise RuntimeError("the workbench is closed")
            self._jobs.append(job)
            self._wake.notify_all()
        return job.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """As of any executor."""
        with self._wake:
            self._closed = True
            if cancel_futures:
                while self._jobs:
                    self._jobs.popleft().future.cancel()
            self._wake.notify_all()
        self.part.join(None if wait else 0.0)

    def _work(self) -> None:
        while (job := self._next()) is not None:
            result, error = None, None
            with self.part.busy():
                try:
                    result = job.work()
                except BaseException as raised:
                    error = raised
            with self._wake:
                mine = self._current is job  # else it was given up meanwhile
                self._current = None if mine else self._current
            if mine and error is not None:
                job.future.set_exception(error)
            elif mine:
                job.future.set_result(result)

    def _next(self) -> _Job | None:
        with self._wake:
            while True:
                self._wake.wait_for(lambda: self._jobs or self._closed or not self.part.mine)
                if not self.part.mine or not self._jobs:
                    return None
                job = self._jobs.popleft()
                if job.future.set_running_or_notify_cancel():
                    self._current = job
                    return job

    def _changed(self, now: PartStatus) -> None:
        """Whoever waits for work that will not come is told."""
        if now.state == "well":
            return
        with self._wake:
            job, self._current = self._current, None
        if job is not None:
            job.future.set_exception(Hung(now.reason))
