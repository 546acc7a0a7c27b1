"""The page and its files, from the web folder; nothing else of the disk."""

from __future__ import annotations

import hashlib
import re
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath

from fastapi import APIRouter, HTTPException, Request, Response

# Said, not guessed: `mimetypes` reads the registry on Windows, where .js can be text/plain, which no browser runs.
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def page_router(folder: Traversable) -> APIRouter:
    """Serves ``folder``/index.html as /, dives.html as /dives, and its files, of MEDIA_TYPES only, under /assets/."""
    router = APIRouter(include_in_schema=False)

    # Plain functions: reading a file blocks, so they run in a thread of the pool.
    @router.api_route("/", methods=["GET", "HEAD"])
    def index(request: Request) -> Response:
        return _answer(folder, "index.html", request)

    @router.api_route("/dives", methods=["GET", "HEAD"])
    def dives(request: Request) -> Response:
        return _answer(folder, "dives.html", request)

    @router.api_route("/assets/{name}", methods=["GET", "HEAD"])
    def asset(name: str, request: Request) -> Response:
        return _answer(folder, name, request)

    return router


def _answer(folder: Traversable, name: str, request: Request) -> Response:
    media_type = MEDIA_TYPES.get(PurePosixPath(name).suffix)
    file = folder / name if media_type and _NAME.fullmatch(name) else None
    if file is None or not file.is_file():
        raise HTTPException(404, f"there is no {name!r} here")
    content = file.read_bytes()
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    # no-cache: keep it, but ask each time. An edit, or another version of Reeflens, shows at the next reload.
    headers = {"etag": etag, "cache-control": "no-cache"}
    known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if etag in known:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=media_type, headers=headers)
