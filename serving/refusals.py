"""What was refused, counted by cause, with a line in the log a minute: who looks after a server sees who knocks."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Literal, get_args

from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

OF_EVERY_S = 60.0
Cause = Literal["foreign", "token", "guessing", "crowd", "viewers", "connections", "upload"]
_WORDS: dict[Cause, str] = {
    "foreign": "a page or a name that is not this server's",
    "token": "a token that is none of this server's",
    "guessing": "too many wrong tokens from one address",
    "crowd": "as many requests as can be are being answered",
    "viewers": "as many as can are watching",
    "connections": "as many connections as may be are open",
    "upload": "an upload for which there is no room, or no turn, now",
}
_NO_ROOM = frozenset({413, 423, 503, 507})


class Refusals:
    """For any thread. clock: monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: dict[Cause, int] = dict.fromkeys(get_args(Cause), 0)
        self._told: dict[Cause, tuple[float, int]] = {}  # when, and how many there were

    def add(self, cause: Cause, address: str = "") -> None:
        """One more. address: of who was refused, "" where it does not matter."""
        now_s = self._clock()
        with self._lock:
            self._counts[cause] += 1
            told_s, told = self._told.get(cause, (now_s - OF_EVERY_S, 0))
            if now_s - told_s < OF_EVERY_S:
                return
            fresh = self._counts[cause] - told
            self._told[cause] = now_s, self._counts[cause]
        by = f", the last by {address}" if address else ""
        log.warning("refused %d since this was last told: %s%s", fresh, _WORDS[cause], by)

    def counts(self) -> Mapping[Cause, int]:
        """Of every cause, since the start."""
        with self._lock:
            return dict(self._counts)


class RefusedUploads:
    """ASGI middleware: counts the uploads that are refused for want of room or of a turn."""

    def __init__(self, app: ASGIApp, refusals: Refusals) -> None:
        self._app = app
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/api/uploads"):
            await self._app(scope, receive, send)
            return

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in _NO_ROOM:
                self._refusals.add("upload")
            await send(message)

        await self._app(scope, receive, send_counted)
