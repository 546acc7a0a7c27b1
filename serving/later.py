"""Not now: the one answer for everything that has no room at the moment. A status, when to come back, why in words.

Whatever is limited says so in this way and at once; nothing waits inside for a place to become free. 503: as many as
are allowed are at it. 507: the disk or the quota is full. 423: somebody else is at this very thing. 429: this address
is too eager. Of a websocket it is the answer to the handshake; browsers keep that from their pages, so that a plain GET
of the same address gives it as well (serving/live.py, serving/webcam.py).
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from starlette.responses import JSONResponse, Response

from dives.library import TableError
from realtime.errors import ResultsError
from serving.answers import problem

log = logging.getLogger(__name__)

PLACE_S = 10.0  # people leave when they like; a page that asks six times a minute costs nothing
ROOM_S = 60.0  # a disk has room again when somebody has made it
TURN_S = 5.0
MOMENT_S = 1.0


@dataclass(frozen=True, slots=True)
class Later:
    """Why not, and after how many seconds it is worth trying again."""

    status: int
    why: str
    retry_s: float

    def answer(self) -> JSONResponse:
        """What is sent, of a websocket before it is one."""
        return JSONResponse({"detail": self.why}, self.status, self._headers())

    def error(self) -> HTTPException:
        """For routes to raise."""
        return HTTPException(self.status, self.why, self._headers())

    def _headers(self) -> dict[str, str]:
        return {"retry-after": str(max(1, math.ceil(self.retry_s)))}


def tell_of_the_disk(app: FastAPI) -> None:
    """Has every route answer 507 where the disk does not take something, or give it; the log says why, with paths."""
    for kind in (ResultsError, TableError):
        app.add_exception_handler(kind, _disk)


async def _disk(request: Request, error: Exception) -> Response:
    log.warning("%s %s: %s", request.method, request.url.path, error)
    return Later(507, "this cannot be done now: the disk does not take it", ROOM_S).answer()


def no_room(why: str) -> HTTPException:
    """The disk or the quota is full."""
    return Later(507, why, ROOM_S).error()


def retry_after(description: str) -> dict[str, Any]:
    """For a route's ``responses``: a problem that passes."""
    return {
        **problem(f"{description} Retry-After says when to try again."),
        "headers": {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}},
    }
