"""Files of a library as answers: whole, in parts, or not at all when the browser has them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.responses import FileResponse
from starlette.types import Receive, Scope, Send

from serving.answers import has_it

OPEN_FILES = "/dev/fd"  # by number, also when their names are gone
KEEP_FRESH = {"cache-control": "no-cache"}  # kept by the browser, which asks each time whether it still holds


def whole_or_part(media_type: str) -> dict[int | str, dict[str, Any]]:
    """What a route that sends files may answer beside all of it."""
    return {
        206: {"description": "The part asked for by Range.", "content": {media_type: {}}},
        304: {"description": "It is the one of If-None-Match."},
        416: {"description": "There is no such part."},
    }


class SentFile(FileResponse):
    """A file as it is now, whatever is put in its place, or whether it is deleted, before the last byte has left.

    Raises OSError when it cannot be opened.
    """

    def __init__(self, path: Path, media_type: str, headers: dict[str, str] | None = None, **more: Any) -> None:
        self._held = path.open("rb")
        found = os.fstat(self._held.fileno())
        super().__init__(path, media_type=media_type, headers=headers, stat_result=found, **more)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._held as file:
            if Path(OPEN_FILES).exists():  # elsewhere a file that is open is not replaced
                self.path = f"{OPEN_FILES}/{file.fileno()}"
            await super().__call__(scope, receive, send)

    def close(self) -> None:
        """Instead of sending it."""
        self._held.close()


def send_file(path: Path, media_type: str, request: Request, *, filename: str | None = None) -> Response:
    """A file, or a part of it; nothing when the browser has this very one. Raises HTTPException 404."""
    if not path.is_file():
        raise HTTPException(404, "it is not there")
    answer = SentFile(path, media_type, KEEP_FRESH, filename=filename)
    if "range" not in request.headers and has_it(request.headers.get("if-none-match", ""), answer.headers["etag"]):
        answer.close()
        return Response(status_code=304, headers={**KEEP_FRESH, "etag": answer.headers["etag"]})
    return answer
