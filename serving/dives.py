"""The routes of the library and of the player: dives, their video, track, sightings, corrections and files."""

from __future__ import annotations

import csv
import math
import os
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, HTTPException, Query, Request, Response
from pydantic import BaseModel, Field

from dives.corrections import (
    MAX_BY,
    MAX_LABEL,
    MAX_NOTE,
    Correction,
    SightingKey,
    Verdict,
    add_correction,
    read_corrections,
    undo_correction,
)
from dives.jobs import JobProgress
from dives.library import (
    COPY,
    COPY_FAILED,
    COPY_READY,
    COPY_WANTED,
    QUEUED,
    RESULTS,
    RUNNING,
    THUMBNAIL,
    DiveRow,
    TableError,
    clean_title,
)
from dives.matching import corrected, read_keys
from dives.run_record import COMPLETE
from dives.track import DATA, read_index
from realtime.errors import LibraryError, ResultsError
from serving.answers import problem
from serving.desk import Desk, DeskDep
from serving.files import send_file, whole_or_part
from serving.later import no_room, retry_after

CANCEL_S = 12.0
VIDEO_TYPES = {".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/mp4"}

router = APIRouter(
    prefix="/api/dives",
    tags=["dives"],
    responses={404: problem("There is no such dive, it has no such thing (yet), or this server has no library.")},
)


class _Jpeg(Response):
    media_type = "image/jpeg"


class _Mp4(Response):
    media_type = "video/mp4"


class _Bytes(Response):
    media_type = "application/octet-stream"


CONFLICT = problem("Not now, or not as it stands: the detail says why.")
FULL = retry_after("The disk does not take it.")


class Work(BaseModel):
    """How far the running job is. rate: frames/s."""

    step: str
    phase: str
    done: int
    total: int | None
    rate: float
    media_s: float
    duration_s: float | None


class DiveSummary(BaseModel):
    """A dive in the list; the fields are those of dives.library.DiveRow. work: None while nothing works on it.

    reason, unplayable, copy_reason: in English; cause, unplayable_cause, copy_cause: the same in a word, or "".
    """

    id: str
    title: str
    file_name: str
    added_utc: str
    recorded_utc: str
    duration_s: float | None
    bytes: int
    width: int | None
    height: int | None
    rate: float | None
    every_s: float | None
    playable: bool | None
    unplayable: str
    offset_s: float
    thumbnail: bool
    species: dict[str, int]
    sightings: int
    has_results: bool
    state: str
    reason: str
    copy_state: str
    copy_reason: str
    cause: str
    unplayable_cause: str
    copy_cause: str
    overlay_state: str
    overlay_reason: str
    overlay_cause: str
    times_state: str
    times_reason: str
    times_cause: str
    work: Work | None


class LibraryList(BaseModel):
    """The library. count: of all dives, also where fewer were asked for; used_bytes: of their videos.

    upload_limit, quota: bytes, quota 0 for none. labels: of the model.
    """

    dives: list[DiveSummary]
    count: int
    used_bytes: int
    upload_limit: int
    quota: int
    labels: list[str]


class Rename(BaseModel):
    """A new title."""

    title: str = Field(max_length=20_000)


class Again(BaseModel):
    """What to do (again): the dive, the copy for browsers, overlay.mp4 (the video with label and heat map drawn in), or
    joining the start and dive log that are wanted.

    anew: not after what was classified before.
    """

    what: Literal["dive", "copy", "overlay", "times"] = "dive"
    anew: bool = False


class CorrectionWord(BaseModel):
    """What somebody says of a sighting. label: what it is, for "wrong" alone."""

    verdict: Verdict
    label: str
    by: str
    note: str
    at: str

    @classmethod
    def of(cls, word: Correction) -> Self:
        """As a correction says it."""
        return cls(verdict=word.verdict, label=word.label, by=word.by, note=word.note, at=word.at.isoformat())


class ResultFile(BaseModel):
    """A file that can be had."""

    name: str
    bytes: int


class SightingRow(BaseModel):
    """A line of sightings.csv. number: from 0; still: its picture's name among the files, "" without."""

    number: int
    label: str
    start_s: float
    end_s: float
    peak_s: float
    peak_frame: int
    peak_probability: float
    mean_probability: float
    start_utc: str
    still: str
    correction: CorrectionWord | None


class Said(BaseModel):
    """A correction. peak_frame, label: of the sighting that it is about. by, note: who says so and what else, or ""."""

    number: int = Field(ge=0)
    peak_frame: int
    label: str = Field(max_length=MAX_LABEL)
    verdict: Literal["right", "wrong", "nothing", "undo"]
    truth: str = Field(default="", max_length=4 * MAX_LABEL)
    by: str = Field(default="", max_length=MAX_BY)
    note: str = Field(default="", max_length=4 * MAX_NOTE)


class LeftOver(BaseModel):
    """A correction of no sighting that is there now. label, file: of the one that it was of; truth: what it is."""

    file: str
    label: str
    start_s: float
    end_s: float
    peak_s: float
    verdict: Verdict
    truth: str
    by: str
    at: str


@router.get("", response_model=LibraryList)
def dives(desk: DeskDep, request: Request, limit: Annotated[int | None, Query(ge=1)] = None) -> Response:
    """Every dive, the last added first. limit: no more than so many of them, as for a first screen."""
    progress, rows = desk.jobs.progress(), desk.library.dives()
    library = LibraryList(
        dives=[summary(row, progress) for row in rows[:limit]],
        count=len(rows),
        used_bytes=sum(row.bytes for row in rows),
        upload_limit=desk.uploads.limits.upload,
        quota=desk.uploads.limits.quota,
        labels=list(request.app.state.station.contract.labels),
    )
    # FastAPI would check what has its types already, and write it with Python's json: three times as long.
    return Response(library.model_dump_json(), media_type="application/json")


@router.get("/{dive_id}")
def dive(desk: DeskDep, dive_id: str) -> DiveSummary:
    """One dive."""
    return summary(desk.dive(dive_id), desk.jobs.progress())


@router.patch("/{dive_id}", responses={507: FULL})
def rename(desk: DeskDep, dive_id: str, wanted: Rename) -> DiveSummary:
    """Gives it another title."""
    desk.dive(dive_id)
    try:
        return summary(desk.library.rename(dive_id, wanted.title), desk.jobs.progress())
    except ValueError as error:
        raise HTTPException(422, str(error)) from error


@router.delete("/{dive_id}", status_code=204, responses={409: CONFLICT, 507: FULL})
def delete(desk: DeskDep, dive_id: str) -> None:
    """Removes the video, its results and its corrections, for good."""
    desk.dive(dive_id)
    try:
        desk.jobs.cancel(dive_id, timeout=CANCEL_S)
    except TimeoutError as error:
        raise HTTPException(409, "the work on it does not end; try again in a moment") from error
    desk.dive(dive_id)
    try:
        desk.library.delete(dive_id)
    except OSError as error:  # Windows does not move what somebody is playing
        raise HTTPException(409, f"it cannot be deleted now ({(error.strerror or str(error)).lower()})") from error


@router.post("/{dive_id}/cancel", responses={507: FULL})
def cancel(desk: DeskDep, dive_id: str) -> DiveSummary:
    """Takes it out of the queue, or stops the work on it."""
    desk.dive(dive_id)
    desk.jobs.cancel(dive_id)
    return summary(desk.dive(dive_id), desk.jobs.progress())


@router.post("/{dive_id}/again", responses={409: CONFLICT, 507: FULL})
def again(desk: DeskDep, dive_id: str, wanted: Again) -> DiveSummary:
    """Queues it again, to go on where it stopped, or anew."""
    row = desk.dive(dive_id)
    if wanted.what == "copy":
        if row.copy == COPY_FAILED:
            desk.library.set_copy(dive_id, COPY_WANTED)
    elif wanted.what == "overlay":
        if row.state != COMPLETE:
            raise HTTPException(409, "only a dive that is complete can be drawn")
        if row.overlay != COPY_WANTED:
            desk.library.set_overlay(dive_id, COPY_WANTED)
    elif wanted.what == "times":
        if row.times == COPY_FAILED:
            desk.library.set_times(dive_id, COPY_WANTED)
    else:
        desk.library.queue(dive_id, anew=wanted.anew)
    desk.jobs.notice()
    return summary(desk.dive(dive_id), desk.jobs.progress())


@router.get("/{dive_id}/thumbnail", response_class=_Jpeg, responses=whole_or_part("image/jpeg"))
def thumbnail(desk: DeskDep, dive_id: str, request: Request) -> Response:
    """A picture to know it by."""
    desk.dive(dive_id)
    return send_file(desk.library.folder(dive_id) / THUMBNAIL, "image/jpeg", request)


@router.get("/{dive_id}/video", response_class=_Mp4, responses=whole_or_part("video/mp4"))
def video(desk: DeskDep, dive_id: str, request: Request) -> Response:
    """What browsers play: the original, or the copy made of it. Answers requests for ranges."""
    row = desk.dive(dive_id)
    if row.unplayable:
        if row.copy != COPY_READY:
            raise HTTPException(404, "the copy that browsers play is not there yet")
        return send_file(desk.library.folder(dive_id) / COPY, "video/mp4", request)
    path = _original(desk, dive_id)
    return send_file(path, VIDEO_TYPES.get(path.suffix, "video/mp4"), request)


@router.get("/{dive_id}/originals")
def originals(desk: DeskDep, dive_id: str) -> list[ResultFile]:
    """The files of the recording, in order; their place counts from 0."""
    row = desk.dive(dive_id)
    names = _names(desk, row)
    return [ResultFile(name=name, bytes=path.stat().st_size) for name, path in names if path.exists()]


@router.get("/{dive_id}/original", response_class=_Bytes, responses=whole_or_part("application/octet-stream"))
def original(desk: DeskDep, dive_id: str, request: Request, part: Annotated[int, Query(ge=0)] = 0) -> Response:
    """The file as it was sent. part: which of several, from 0."""
    names = _names(desk, desk.dive(dive_id))
    if part >= len(names):
        raise HTTPException(404, "this dive has fewer files")
    name, path = names[part]
    return send_file(path, "application/octet-stream", request, filename=name)


@router.get("/{dive_id}/track")
def track(desk: DeskDep, dive_id: str) -> dict[str, Any]:
    """What the result track holds (dives/track.py): ``edition`` belongs to the address of its bytes."""
    desk.dive(dive_id)
    folder = desk.library.folder(dive_id)
    index = read_index(folder)
    if index is None:
        raise HTTPException(404, "this dive has no track yet")
    return {**index, "edition": f"{(folder / DATA).stat().st_mtime_ns:x}"}


@router.get("/{dive_id}/track/{edition}", response_class=_Bytes, responses=whole_or_part("application/octet-stream"))
def track_bytes(desk: DeskDep, dive_id: str, edition: str, request: Request) -> Response:
    """The bytes of the track, to be asked for chunk by chunk as a range."""
    desk.dive(dive_id)
    path = desk.library.folder(dive_id) / DATA
    if not path.exists() or edition != f"{path.stat().st_mtime_ns:x}":
        raise HTTPException(404, "the track was made anew; ask for it again")
    answer = send_file(path, "application/octet-stream", request)
    answer.headers["cache-control"] = "private, max-age=31536000, immutable"  # another track has another address
    return answer


@router.get("/{dive_id}/sightings")
def sightings(desk: DeskDep, dive_id: str) -> list[SightingRow]:
    """Every sighting, in order of time, and beside it what people said of it."""
    desk.dive(dive_id)
    return _sightings(desk.library.folder(dive_id) / RESULTS)


@router.get("/{dive_id}/corrections/left-over", responses={409: CONFLICT})
def left_over(desk: DeskDep, dive_id: str) -> list[LeftOver]:
    """Corrections that are of no sighting: what another processing does not see any more, or other recordings'."""
    desk.dive(dive_id)
    results = desk.library.folder(dive_id) / RESULTS
    try:
        keys = read_keys(results)
    except ResultsError:  # no sightings yet
        return []
    try:
        words = corrected(keys, read_corrections(results)).left_over
    except ResultsError as error:
        raise HTTPException(409, str(error).replace(f"{results}{os.sep}", "")) from error
    return [
        LeftOver(
            **{name: getattr(word.sighting, name) for name in ("file", "label", "start_s", "end_s", "peak_s")},
            verdict=word.verdict,
            truth=word.truth or "",
            by=word.by,
            at=word.at.isoformat(),
        )
        for word in words
    ]


@router.post("/{dive_id}/corrections", responses={409: CONFLICT, 507: FULL})
def correct(desk: DeskDep, dive_id: str, said: Said) -> SightingRow:
    """Keeps a word on a sighting, or takes the last one back; on the disk when this answers."""
    desk.dive(dive_id)
    results = desk.library.folder(dive_id) / RESULTS
    try:
        keys = read_keys(results)
    except ResultsError as error:
        raise HTTPException(409, "this dive has no sightings") from error
    if said.number >= len(keys) or (keys[said.number].label, keys[said.number].peak_frame) != (
        said.label,
        said.peak_frame,
    ):
        raise HTTPException(409, "the sightings have changed; load the dive again")
    key = keys[said.number]
    try:
        named = _as_said(results, keys, said.number) if said.verdict == "undo" else key
    except ResultsError as error:
        raise HTTPException(409, str(error).replace(f"{results}{os.sep}", "")) from error
    try:
        if said.verdict == "undo":
            undo_correction(results, named, by=said.by)
        else:
            add_correction(results, key, Verdict(said.verdict), said.truth, by=said.by, note=said.note)
    except ValueError as error:
        raise HTTPException(422, str(error)) from error
    except ResultsError as error:
        raise no_room("the correction is not kept: the disk does not take it") from error
    tell_species(desk, dive_id)
    return _sightings(results)[said.number]


def tell_species(desk: Desk, dive_id: str) -> None:
    """Its card tells what people say is there; the word is kept also where the table does not take it now."""
    with suppress(TableError):
        desk.library.refresh(dive_id)


def summary(row: DiveRow, progress: JobProgress | None) -> DiveSummary:
    """A row as it is told."""
    told = ("work", "copy_state", "overlay_state", "times_state")
    fields = {name: getattr(row, name) for name in DiveSummary.model_fields if name not in told}
    work = None
    # A job is over when its outcome is in the row, a moment before its process is forgotten.
    goes_on = row.state in (QUEUED, RUNNING) or COPY_WANTED in (row.copy, row.overlay, row.times)
    if progress is not None and progress.dive_id == row.id and goes_on:
        work = Work(**{name: getattr(progress, name) for name in Work.model_fields})
    return DiveSummary(**fields, copy_state=row.copy, overlay_state=row.overlay, times_state=row.times, work=work)


def _original(desk: Desk, dive_id: str) -> Path:
    try:
        return desk.library.video(dive_id)
    except LibraryError as error:
        raise HTTPException(404, "its video is not there") from error


def _names(desk: Desk, row: DiveRow) -> list[tuple[str, Path]]:
    """What the originals are called, and where they are: as people called them where there is one."""
    try:
        videos = desk.library.videos(row.id)
    except LibraryError as error:
        raise HTTPException(404, "its video is not there") from error
    if len(videos) == 1:
        return [(clean_title(row.file_name) or videos[0].name, videos[0])]
    return [(video.name, video) for video in videos]


def _sightings(results: Path) -> list[SightingRow]:
    try:
        keys = read_keys(results)
        with (results / "sightings.csv").open(encoding="utf-8", newline="") as table:
            lines = list(csv.DictReader(table))
    except (ResultsError, OSError):
        return []
    words: tuple[Correction | None, ...]
    try:
        words = corrected(keys, read_corrections(results)).words
    except ResultsError:  # `left_over` says what is wrong with them; what the model saw is there all the same
        words = (None,) * len(keys)
    return [
        SightingRow(
            number=number,
            label=key.label,
            start_s=key.start_s,
            end_s=key.end_s,
            peak_s=key.peak_s,
            peak_frame=key.peak_frame,
            peak_probability=_number(line.get("peak_probability")),
            mean_probability=_number(line.get("mean_probability")),
            start_utc=line.get("start_utc") or "",
            still=line.get("still") or "",
            correction=CorrectionWord.of(word) if word else None,
        )
        for number, (key, line, word) in enumerate(zip(keys, lines, words, strict=True))
    ]


def _as_said(results: Path, keys: list[SightingKey], number: int) -> SightingKey:
    """The key that the standing word carries: after another processing it can differ from the sighting's own."""
    word = corrected(keys, read_corrections(results)).words[number]
    return word.sighting if word is not None else keys[number]


def _number(text: str | None) -> float:
    value = float(text or 0.0)
    return value if math.isfinite(value) else 0.0
