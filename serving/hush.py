"""What uvicorn logs of others' mistakes: a line a minute, without our stack, lest anybody can fill the log of a server.

A viewer who is turned away is no error at all, and uvicorn 0.54 calls each of them one; nor is what the stop of the
server cuts off.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

OF_EVERY_S = 60.0
TURNED_AWAY = "ASGI callable returned without completing handshake."
THEIRS = frozenset({"Invalid HTTP request received.", "Invalid UTF-8 sequence received from client."})


class Hush(logging.Filter):
    """Put on the logger that uvicorn's protocols have. clock: monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._told_s: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is logged."""
        error = record.exc_info[1] if record.exc_info else None
        if record.msg == TURNED_AWAY or isinstance(error, asyncio.CancelledError):
            return False
        if record.msg not in THEIRS:
            return True
        now_s = self._clock()
        if now_s - self._told_s.get(record.msg, -OF_EVERY_S) < OF_EVERY_S:
            return False
        self._told_s[record.msg] = now_s
        record.levelno, record.levelname, record.exc_info = logging.WARNING, "WARNING", None
        return True


HUSH = Hush()  # the one of this process: a logger takes the same filter once only
