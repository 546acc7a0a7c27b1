"""How much of a request is read: little, but for the bytes of a recording, which have limits of their own.

The routes read JSON whole before they look at it, and the one that logs people in reads what strangers send.
"""

from __future__ import annotations

import re

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 256 << 10  # the longest that makes sense, a title of 20,000 letters, takes half of it as JSON
WHY = f"a request may have {MOST_BYTES} bytes"
_RECORDING = re.compile(r"/api/uploads/[^/]+")  # sent piece by piece to the disk (serving/uploads.py)


def is_recording(scope: Scope) -> bool:
    """Whether the body is bytes of a recording, which may be long and take its time."""
    return scope["method"] == "PATCH" and _RECORDING.fullmatch(scope["path"]) is not None


class Bodies:
    """ASGI middleware: 413 for a body over MOST_BYTES, before it is read where its length is announced."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_recording(scope):
            await self._app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit() and (len(announced) > 18 or int(announced) > MOST_BYTES):  # int() refuses 4,301 digits
            await JSONResponse({"detail": WHY}, 413)(scope, receive, send)
            return
        read = 0

        async def receive_some() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > MOST_BYTES:
                raise HTTPException(413, WHY)
            return message

        await self._app(scope, receive_some, send)
