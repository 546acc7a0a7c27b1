"""How frames pass from the thread that reads to the thread that thinks.

Two answers to "the reader is faster": a live camera keeps only the newest frame and counts what it overwrote
(`LatestSlot`), a file waits so that nothing is lost (`BoundedQueue`). Both end in one of two ways that must not be
confused: `Closed` when the stream is over, or the producer's own error.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Closed(Exception):  # noqa: N818 - an end, not an error
    """The stream is over and everything in it was taken."""


class LatestSlot(Generic[T]):
    """Holds the newest item only. Safe between threads; never blocks the producer.

    condition: share one between several slots to wait for whichever has something first.
    """

    def __init__(self, condition: threading.Condition | None = None) -> None:
        self._condition = condition if condition is not None else threading.Condition()
        self._item: T | None = None
        self._closed = False
        self._error: BaseException | None = None
        self._overwritten = 0

    @property
    def overwritten(self) -> int:
        """How many items were replaced before anyone took them."""
        with self._condition:
            return self._overwritten

    @property
    def ready(self) -> bool:
        """Whether ``get`` would return or raise at once. Call with the shared condition held to wait on it."""
        return self._item is not None or self._closed

    def put(self, item: T) -> None:
        """Replaces whatever is there. An item put after ``close`` is dropped."""
        with self._condition:
            if self._closed:
                return
            if self._item is not None:
                self._overwritten += 1
            self._item = item
            self._condition.notify_all()

    def get(self, timeout: float | None = None) -> T:
        """Takes the newest item, waiting for one. Raises TimeoutError, Closed, or the producer's error."""
        with self._condition:
            if not self._condition.wait_for(lambda: self.ready, timeout):
                raise TimeoutError
            if self._item is not None:
                item, self._item = self._item, None
                return item
            if self._error is not None:
                raise self._error
            raise Closed

    def close(self, error: BaseException | None = None) -> None:
        """Ends the stream; an item still there can be taken. Only the first call counts."""
        with self._condition:
            if not self._closed:
                self._closed, self._error = True, error
            self._condition.notify_all()


class BoundedQueue(Generic[T]):
    """First in, first out, at most ``size`` items; a full queue blocks the producer. Safe between threads."""

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError(f"size: expected at least 1, received {size}")
        self._size = size
        self._items: deque[T] = deque()
        self._condition = threading.Condition()
        self._closed = False
        self._cancelled = False
        self._error: BaseException | None = None

    def put(self, item: T) -> None:
        """Adds an item, waiting for room. Raises Closed when the queue was closed or the consumer gave up."""
        with self._condition:
            self._condition.wait_for(lambda: len(self._items) < self._size or self._closed or self._cancelled)
            if self._closed or self._cancelled:
                raise Closed
            self._items.append(item)
            self._condition.notify_all()

    def get(self, timeout: float | None = None) -> T:
        """Takes the oldest item, waiting for one. Raises TimeoutError, Closed, or the producer's error, last of all."""
        with self._condition:
            if not self._condition.wait_for(lambda: self._items or self._closed or self._cancelled, timeout):
                raise TimeoutError
            if self._items:
                item = self._items.popleft()
                self._condition.notify_all()
                return item
            if self._error is not None:
                raise self._error
            raise Closed

    def close(self, error: BaseException | None = None) -> None:
        """The producer is done, well or with an error; what is queued can still be taken. The first call counts."""
        with self._condition:
            if not self._closed:
                self._closed, self._error = True, error
            self._condition.notify_all()

    def cancel(self) -> None:
        """The consumer wants no more: drops what is queued and frees a blocked producer with Closed."""
        with self._condition:
            self._cancelled = True
            self._items.clear()
            self._condition.notify_all()
