"""Which animals were seen, newest first, the pictures that prove it, and what people say of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from dives.corrections import MAX_BY, MAX_LABEL, Verdict
from realtime.errors import ResultsError
from serving.answers import Jpeg, Problem, problem
from serving.dives import CorrectionWord
from serving.files import KEEP_FRESH, SentFile
from serving.later import no_room, retry_after
from serving.logbook import KEPT, Entry, Logbook
from serving.said import NotSayableError
from serving.station import StationDep

router = APIRouter(prefix="/api/sightings", tags=["sightings"])

DEFAULT_LIMIT = 100
NO_SIGHTING = "there is no such sighting (any more)"
NO_SUCH: dict[int | str, dict[str, Any]] = {
    404: problem("There is no such sighting, or it has no such file (any more).")
}


class Mp4(Response):
    """A video; here for the schema's sake."""

    media_type = "video/mp4"


class SightingItem(BaseModel):
    """One label over one stretch of time. Seconds are media time, UTC is ISO 8601 with milliseconds and Z."""

    id: str = Field(description="Stays the same from its beginning on, also over restarts with --record.")
    source: str
    label: str
    start_s: float
    end_s: float = Field(description="Of the newest frame, while it is ongoing.")
    start_utc: str
    end_utc: str
    ongoing: bool = Field(description="Whether it may still become longer.")
    peak_s: float
    peak_frame: int = Field(description="The frame on which the label was most probable.")
    peak_probability: float
    mean_probability: float = Field(description="Over `frames`, before smoothing, as is the peak.")
    frames: int = Field(description="Classified frames that showed the label.")
    still: str | None = Field(description="JPEG of the peak; relative to the server's address. Changes with the peak.")
    overlay: str | None = Field(description="The same with the heat map over it.")
    clip: str | None = Field(description="H.264 mp4 around it, when that is recorded and complete.")
    recorded: bool = Field(description="Whether the server records, so that something can be said of it.")
    correction: CorrectionWord | None = Field(description="What people say of it; null when nobody has said anything.")


class Word(BaseModel):
    """What somebody says of a sighting. truth: what it is, for "wrong" alone. by: who says so, if they like."""

    verdict: Literal["right", "wrong", "nothing", "undo"]
    truth: str = Field(default="", max_length=4 * MAX_LABEL)
    by: str = Field(default="", max_length=MAX_BY)


class NotSaid(Problem):
    """Why a word cannot be kept. cause: the same in a word: off (nothing is recorded), gone (its files), unreadable."""

    cause: Literal["off", "gone", "unreadable"]


@router.get(
    "",
    responses={
        304: {"description": "It is the one of If-None-Match."},
        404: {"model": Problem, "description": "There is no such source, or no such sighting (any more)."},
    },
)
def sightings(
    station: StationDep,
    source: Annotated[str | None, Query(description="Only of this source.")] = None,
    limit: Annotated[int, Query(ge=1, le=KEPT, description="At most so many.")] = DEFAULT_LIMIT,
    before: Annotated[
        str | None, Query(description="The next page: those after this one in the list, the `id` of the last one had.")
    ] = None,
) -> list[SightingItem]:
    """Sightings of all sources, or of one, newest first: those under way and those that have ended.

    Fewer than `limit` are the last there are.
    """
    if source is not None and source not in station.hubs:
        raise HTTPException(404, f"there is no source {source!r}")
    try:
        found = station.logbook.newest(source, limit, before)
    except KeyError as error:
        raise HTTPException(404, NO_SIGHTING) from error
    return [_item(entry, station.logbook) for entry in found]


@router.get("/{sighting}", responses=NO_SUCH)
def sighting(station: StationDep, sighting: str) -> SightingItem:
    """One sighting."""
    return _item(_find(station.logbook, sighting), station.logbook)


@router.post(
    "/{sighting}/correction",
    responses={
        **NO_SUCH,
        409: {"model": NotSaid, "description": "There is nothing to keep it with, for this cause."},
        507: retry_after("The disk does not take it."),
    },
    response_model=SightingItem,
)
def correct(station: StationDep, sighting: str, word: Word) -> SightingItem | Response:
    """Keeps a word on a recorded sighting, or takes the last one back; on the disk when this answers."""
    entry = _find(station.logbook, sighting)
    try:
        verdict = None if word.verdict == "undo" else Verdict(word.verdict)
        station.logbook.say(entry, verdict, word.truth, by=word.by)
    except ValueError as error:
        raise HTTPException(422, str(error)) from error
    except NotSayableError as error:
        return JSONResponse({"detail": str(error), "cause": error.cause}, 409)
    except ResultsError as error:
        raise no_room("the correction is not kept: the disk does not take it") from error
    return _item(entry, station.logbook)


@router.get("/{sighting}/still.jpg", response_class=Jpeg, responses=NO_SUCH)
def still(station: StationDep, sighting: str) -> Response:
    """Its peak frame: as large as the camera gave it when it is recorded, else small."""
    entry = _find(station.logbook, sighting)
    return _picture(station.logbook, entry, entry.row.still, entry.still.plain if entry.still else None)


@router.get("/{sighting}/overlay.jpg", response_class=Jpeg, responses=NO_SUCH)
def overlay(station: StationDep, sighting: str) -> Response:
    """Its peak frame with the heat map of the label over it."""
    entry = _find(station.logbook, sighting)
    return _picture(station.logbook, entry, entry.row.overlay, entry.still.overlay if entry.still else None)


@router.get(
    "/{sighting}/clip.mp4",
    response_class=Mp4,
    responses={206: {"description": "A part, as asked for.", "content": {"video/mp4": {}}}, **NO_SUCH},
)
def clip(station: StationDep, sighting: str) -> Response:
    """A short video around it; answers to range requests, as players send them."""
    entry = _find(station.logbook, sighting)
    path = station.logbook.file(entry, entry.row.clip)
    if path is None:
        raise HTTPException(404, "this sighting has no clip")
    return SentFile(path, "video/mp4")


def _find(logbook: Logbook, sighting: str) -> Entry:
    entry = logbook.find(sighting)
    if entry is None:
        raise HTTPException(404, NO_SIGHTING)
    return entry


def _picture(logbook: Logbook, entry: Entry, file: str, small: bytes | None) -> Response:
    path: Path | None = logbook.file(entry, file)
    if path is not None:
        return SentFile(path, "image/jpeg", KEEP_FRESH)
    if small:
        return Jpeg(small, headers={"cache-control": "no-cache"})
    raise HTTPException(404, "this sighting has no still (any more)")


def _item(entry: Entry, logbook: Logbook) -> SightingItem:
    row, base, word = entry.row, f"api/sightings/{entry.id}", logbook.said(entry)
    has_still = entry.still is not None or logbook.has(entry, row.still)
    has_overlay = entry.still is not None or logbook.has(entry, row.overlay)
    has_clip = logbook.has(entry, row.clip)
    version = f"?frame={entry.still.frame if entry.still is not None else row.peak_frame}"
    return SightingItem(
        id=entry.id,
        source=entry.source,
        label=row.label,
        start_s=row.start_s,
        end_s=row.end_s,
        start_utc=row.start_utc,
        end_utc=row.end_utc,
        ongoing=entry.ongoing,
        peak_s=row.peak_s,
        peak_frame=row.peak_frame,
        peak_probability=row.peak_probability,
        mean_probability=row.mean_probability,
        frames=row.frames,
        still=f"{base}/still.jpg{version}" if has_still else None,
        overlay=f"{base}/overlay.jpg{version}" if has_overlay else None,
        clip=f"{base}/clip.mp4" if has_clip else None,
        recorded=logbook.records,
        correction=CorrectionWord.of(word) if word is not None else None,
    )
