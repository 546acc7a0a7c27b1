"""Files of a library as answers: whole, in parts, or not at all when the browser has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.responses import FileResponse
from starlette.types import Message, Receive, Scope, Send

from serving.answers import has_it

KEEP_FRESH = {"cache-control": "no-cache"}  # kept by the browser, which asks each time whether it still holds


def whole_or_part(media_type: str) -> dict[int | str, dict[str, Any]]:
    """What a route that sends files may answer beside all of it."""
    return {
        206: {"description": "The part asked for by Range.", "content": {media_type: {}}},
        304: {"description": "It is the one of If-None-Match."},
        416: {"description": "There is no such part."},
    }


class SentFile(FileResponse):
    """A file that begins to be sent when it is open: one that goes before is a 404 (serving/answers.py)."""

    def __init__(self, path: Path, media_type: str, headers: dict[str, str] | None = None, **more: Any) -> None:
        super().__init__(path, media_type=media_type, headers=headers, stat_result=path.stat(), **more)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        held: list[Message] = []

        async def send_later(message: Message) -> None:
            if message["type"] == "http.response.start":
                held.append(message)
                return
            while held:
                await send(held.pop())
            await send(message)

        await super().__call__(scope, receive, send_later)


def send_file(path: Path, media_type: str, request: Request, *, filename: str | None = None) -> Response:
    """A file, or a part of it; nothing when the browser has this very one. Raises HTTPException 404."""
    if not path.is_file():
        raise HTTPException(404, "it is not there")
    answer = SentFile(path, media_type, KEEP_FRESH, filename=filename)
    if "range" not in request.headers and has_it(request.headers.get("if-none-match", ""), answer.headers["etag"]):
        return Response(status_code=304, headers={**KEEP_FRESH, "etag": answer.headers["etag"]})
    return answer
