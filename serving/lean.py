"""Answers that travel light: JSON compressed, or not at all when the browser has it; and HEAD wherever there is GET."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import hashlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.answers import has_it, takes_gzip

LEAST_BYTES = 1000  # less than this is one packet either way
MOST_BYTES = 8 << 20  # of an answer that is held in memory; the longest of ours has 300 kB
LEVEL = 5


class Lean:
    """ASGI middleware around the routes.

    JSON below /api/ gets an ETag, 304 where the browser has it, and gzip where it is worth it and taken. Answers that
    have an ETag of their own, as files do, are left alone, and so are pictures, videos and websockets. HEAD is answered
    as GET is, without the body; of a file no more than the first piece is read for it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        answer = _Answer(Headers(scope=scope), send, is_head=scope["method"] == "HEAD", path=scope["path"])
        with contextlib.suppress(_Enough):
            await self._app({**scope, "method": "GET"}, receive, answer.take)


class _Enough(Exception):  # noqa: N818 - an end, not an error
    """HEAD was answered; what would follow is the body."""


class _Answer:
    """One answer on its way: passed on as it comes, or held until it is whole."""

    def __init__(self, asked: Headers, send: Send, *, is_head: bool, path: str) -> None:
        self._asked = asked
        self._send = send
        self._is_head = is_head
        self._path = path
        self._start: Message | None = None  # while it is held
        self._body = bytearray()

    async def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if self._is_json(message):
                self._start = message
            else:
                await self._begin(message)
        elif self._start is None:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._finish(self._start, bytes(self._body))

    def _is_json(self, start: Message) -> bool:
        headers = Headers(raw=start["headers"])
        size = headers.get("content-length", "")
        return (
            start["status"] == 200
            and self._path.startswith("/api/")
            and headers.get("content-type", "").partition(";")[0] == "application/json"
            and "etag" not in headers
            and size.isdecimal()
            and int(size) <= MOST_BYTES
        )

    async def _finish(self, start: Message, body: bytes) -> None:
        headers = MutableHeaders(raw=list(start["headers"]))
        headers.setdefault("cache-control", "no-cache")
        headers.add_vary_header("accept-encoding")
        tag = hashlib.blake2b(body, digest_size=12).hexdigest()
        shrinks = len(body) >= LEAST_BYTES and takes_gzip(self._asked.get("accept-encoding", ""))
        headers["etag"] = f'"{tag}-gzip"' if shrinks else f'"{tag}"'  # other bytes, so another tag
        if has_it(self._asked.get("if-none-match", ""), headers["etag"]):
            del headers["content-length"], headers["content-type"]
            await self._begin({**start, "status": 304, "headers": headers.raw})
            await self._send({"type": "http.response.body", "body": b""})
            return
        if shrinks:
            body = await asyncio.to_thread(gzip.compress, body, LEVEL)
            headers["content-encoding"] = "gzip"
            headers["content-length"] = str(len(body))
        await self._begin({**start, "headers": headers.raw})
        await self._send({"type": "http.response.body", "body": body})

    async def _begin(self, start: Message) -> None:
        await self._send(start)
        if self._is_head:
            await self._send({"type": "http.response.body", "body": b""})
            raise _Enough
