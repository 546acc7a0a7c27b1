"""The routes by which the results of a dive leave the library: file by file, or all of them in one zip."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import StreamingResponse

from dives.bundle import zipped
from dives.checked import NAME as CHECKED
from dives.checked import take_in_corrections
from dives.corrections import NAME as CORRECTIONS
from dives.journal import NAME as JOURNAL
from dives.library import RESULTS
from dives.occurrences import NAME as OCCURRENCES
from dives.partial import SUFFIX
from dives.stills import small_still
from dives.writers.report_html import ReportHtml
from realtime.errors import ResultsError
from serving.answers import has_it, problem
from serving.desk import DeskDep
from serving.dives import ResultFile
from serving.files import KEEP_FRESH, send_file, whole_or_part

# Never what the name of an upload says: a browser must not take a file of somebody else's for a page of ours.
MEDIA_TYPES = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".vtt": "text/vtt",
    ".jpg": "image/jpeg",
    ".mp4": "video/mp4",
    ".srt": "text/plain; charset=utf-8",
}
TELLING = frozenset((CHECKED, OCCURRENCES, ReportHtml.name))  # what people said
ZIP = "application/zip"

router = APIRouter(
    prefix="/api/dives",
    tags=["dives"],
    responses={404: problem("There is no such dive, it has no such thing (yet), or this server has no library.")},
)


class _AnyType(Response):
    media_type = "*/*"  # in the schema; what is sent has the type that its name tells


class _Zip(StreamingResponse):
    media_type = ZIP


@router.get("/{dive_id}/files")
def files(desk: DeskDep, dive_id: str) -> list[ResultFile]:
    """What can be downloaded."""
    desk.dive(dive_id)
    results = desk.library.folder(dive_id) / RESULTS
    _take_in_corrections(results)
    told = []
    for name, path in _files(results).items():
        with suppress(FileNotFoundError):  # the dive is being deleted, or classified anew
            told.append(ResultFile(name=name, bytes=path.stat().st_size))
    return told


@router.get("/{dive_id}/files/{name:path}", response_class=_AnyType, responses=whole_or_part("*/*"))
def file(desk: DeskDep, dive_id: str, name: str, request: Request, show: bool = False, small: bool = False) -> Response:
    """One of them. show: a picture to show, not to keep; small: so in the size of a list."""
    row = desk.dive(dive_id)
    results = desk.library.folder(dive_id) / RESULTS
    if name in TELLING:
        _take_in_corrections(results)
    # Looked up, not put together: a name that is not in the list reaches no file.
    path = _files(results).get(name)
    if path is None:
        raise HTTPException(404, "there is no such file")
    if small and path.suffix == ".jpg":
        return _send_small(path, request)
    if show and path.suffix == ".jpg":
        return send_file(path, "image/jpeg", request)
    media_type = MEDIA_TYPES.get(path.suffix, "application/octet-stream")
    stem = _stem(row.title)
    return send_file(path, media_type, request, filename=f"{stem} - {path.name}" if stem else path.name)


@router.get("/{dive_id}/results.zip", response_class=_Zip)
def everything(desk: DeskDep, dive_id: str) -> Response:
    """All of them, with what people said of the sightings, in one zip. It is made on the way: no length, no ranges."""
    row = desk.dive(dive_id)
    results = desk.library.folder(dive_id) / RESULTS
    _take_in_corrections(results)
    found = _files(results)
    if not found:
        raise HTTPException(404, "this dive has no results yet")
    stem = _stem(row.title) or "dive"
    named = f"attachment; filename=\"dive.zip\"; filename*=utf-8''{quote(f'{stem}.zip')}"
    return _Zip(zipped(found, stem), headers={"content-disposition": named})


def _send_small(path: Path, request: Request) -> Response:
    try:
        headers = {**KEEP_FRESH, "etag": f'"{path.stat().st_mtime_ns:x}-small"'}
        if has_it(request.headers.get("if-none-match", ""), headers["etag"]):
            return Response(status_code=304, headers=headers)
        return Response(small_still(path), media_type="image/jpeg", headers=headers)
    except (OSError, ResultsError) as error:
        raise HTTPException(404, "it cannot be read") from error


def _stem(title: str) -> str:
    """What of a dive's title every disk takes as the name of a file."""
    return "".join(letter if letter.isalnum() or letter in " -_." else "-" for letter in title)[:80].strip(" .-")


def _take_in_corrections(results: Path) -> None:
    """Files that tell what people say tell it as of now; where that fails, what was there is better than nothing."""
    said, told = results / CORRECTIONS, results / CHECKED
    with suppress(OSError, ResultsError):
        if said.exists() and not (told.exists() and told.stat().st_mtime_ns > said.stat().st_mtime_ns):
            take_in_corrections(results)


def _files(results: Path) -> dict[str, Path]:
    """Name -> path of what people may have of a folder of results: finished files, and nothing that leads elsewhere."""
    found = {
        path.relative_to(results).as_posix(): path
        for folder, _, names in os.walk(results)  # which passes over what is being deleted, and follows no link
        for path in (Path(folder, name) for name in names)
        if path.is_file() and not path.is_symlink() and path.suffix != SUFFIX and path.name != JOURNAL
    }
    return dict(sorted(found.items(), key=lambda entry: (entry[0].count("/"), entry[0])))
