"""The page and its files, from the web folder, compressed where the browser takes it; nothing else of the disk.

The dives and the way in name their files below assets/EDITION/, where the edition stands for what all of them hold. A
browser keeps these for good and asks for none of them again until one has changed: then the page, which it always asks
for, names another edition. The live page is open for hours, and spares the bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath

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
ASK = "no-cache"  # keep it, but ask each time
KEEP = "max-age=31536000, immutable"
_PRIVATE = frozenset({"package.json"})  # for Node's test runner
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_NAMED = b'"assets/'  # how a page begins the name of a file


def page_router(folder: Traversable) -> APIRouter:
    """Serves ``folder``/index.html as /, dives.html as /dives, login.html as /login, and its files under /assets/.

    Of these only files of MEDIA_TYPES.
    """
    router = APIRouter(include_in_schema=False)
    edition = _Edition("", {})  # that a page named last

    # Plain functions: reading a file blocks, so they run in a thread of the pool.
    @router.get("/")
    def index(request: Request) -> Response:
        return _answer("index.html", _read(folder, "index.html"), request)

    @router.get("/dives")
    def dives(request: Request) -> Response:
        return page("dives.html", request)

    @router.get("/login")
    def login(request: Request) -> Response:
        return page("login.html", request)

    @router.get("/assets/{name}")
    def asset(name: str, request: Request) -> Response:
        return _answer(name, _read(folder, name), request)

    @router.get("/assets/{of}/{name}")
    def asset_of_edition(of: str, name: str, request: Request) -> Response:
        content = _read(folder, name)
        # Edited since, or of a page that another version of Reeflens served: as good as it gets, but not for good.
        kept = of == edition.name and edition.tags.get(name) == _tag(content)
        return _answer(name, content, request, KEEP if kept else ASK)

    def page(name: str, request: Request) -> Response:
        nonlocal edition
        edition = _edition(folder, edition)
        content = _read(folder, name).replace(_NAMED, _NAMED + f"{edition.name}/".encode())
        return _answer(name, content, request)

    return router


@dataclass(frozen=True, slots=True)
class _Edition:
    """What the files hold. tags: name -> tag of each. stood: how they stood on the disk then; None for no such disk."""

    name: str
    tags: Mapping[str, str]
    stood: frozenset[tuple[str, int, int, int]] | None = None


def _edition(folder: Traversable, before: _Edition) -> _Edition:
    """Reads all of them, unless none has changed since ``before``: an edit shows at the next reload."""
    stood = _stood(folder) if isinstance(folder, Path) else None
    if stood is not None and stood == before.stood:
        return before
    tags = {file.name: _tag(file.read_bytes()) for file in folder.iterdir() if _is_served(file)}
    return _Edition(_tag(repr(sorted(tags.items())).encode())[:16], tags, stood)


def _stood(folder: Path) -> frozenset[tuple[str, int, int, int]]:
    """How the disk says that its files stand: a tenth of the time of reading them."""
    with os.scandir(folder) as entries:
        stats = [(entry.name, entry.stat()) for entry in entries]
    return frozenset((name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns) for name, stat in stats)


def _is_served(file: Traversable) -> bool:
    name = file.name
    known = PurePosixPath(name).suffix in MEDIA_TYPES and _NAME.fullmatch(name) and name not in _PRIVATE
    return bool(known) and file.is_file()


def _read(folder: Traversable, name: str) -> bytes:
    """Raises HTTPException 404."""
    file = folder / name if _NAME.fullmatch(name) else None
    if file is None or not _is_served(file):
        raise HTTPException(404, f"there is no {name!r} here")
    return file.read_bytes()


def _tag(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def _answer(name: str, content: bytes, request: Request, kept: str = ASK) -> Response:
    tag = _tag(content)
    headers = {"cache-control": kept, "vary": "accept-encoding"}
    if takes_gzip(request.headers.get("accept-encoding", "")):
        content = _compressed(content)
        tag += "-gzip"  # other bytes, so another tag
        headers["content-encoding"] = "gzip"
    headers["etag"] = f'"{tag}"'
    if has_it(request.headers.get("if-none-match", ""), headers["etag"]):
        headers.pop("content-encoding", None)
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=MEDIA_TYPES[PurePosixPath(name).suffix], headers=headers)


@lru_cache(maxsize=128)
def _compressed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)
