"""The page and its files, from the web folder, compressed where the browser takes it; nothing else of the disk."""

from __future__ import annotations

import gzip
import hashlib
import re
from functools import lru_cache
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath

from fastapi import APIRouter, HTTPException, Request, Response

from serving.answers import has_it, takes_gzip

# Said, not guessed: `mimetypes` reads the registry on Windows, where .js can be text/plain, which no browser runs.
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}
_PRIVATE = frozenset({"package.json"})  # for Node's test runner
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def page_router(folder: Traversable) -> APIRouter:
    """Serves ``folder``/index.html as /, dives.html as /dives, login.html as /login, and its files under /assets/.

    Of these only files of MEDIA_TYPES.
    """
    router = APIRouter(include_in_schema=False)

    # Plain functions: reading a file blocks, so they run in a thread of the pool.
    @router.get("/")
    def index(request: Request) -> Response:
        return _answer(folder, "index.html", request)

    @router.get("/dives")
    def dives(request: Request) -> Response:
        return _answer(folder, "dives.html", request)

    @router.get("/login")
    def login(request: Request) -> Response:
        return _answer(folder, "login.html", request)

    @router.get("/assets/{name}")
    def asset(name: str, request: Request) -> Response:
        return _answer(folder, name, request)

    return router


def _answer(folder: Traversable, name: str, request: Request) -> Response:
    media_type = MEDIA_TYPES.get(PurePosixPath(name).suffix)
    allowed = media_type and _NAME.fullmatch(name) and name not in _PRIVATE
    file = folder / name if allowed else None
    if file is None or not file.is_file():
        raise HTTPException(404, f"there is no {name!r} here")
    content = file.read_bytes()
    tag = hashlib.sha256(content).hexdigest()[:32]
    # no-cache: keep it, but ask each time. An edit, or another version of Reeflens, shows at the next reload.
    headers = {"cache-control": "no-cache", "vary": "accept-encoding"}
    if takes_gzip(request.headers.get("accept-encoding", "")):
        content = _compressed(content)
        tag += "-gzip"  # other bytes, so another tag
        headers["content-encoding"] = "gzip"
    headers["etag"] = f'"{tag}"'
    if has_it(request.headers.get("if-none-match", ""), headers["etag"]):
        headers.pop("content-encoding", None)
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=media_type, headers=headers)


@lru_cache(maxsize=128)
def _compressed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)
