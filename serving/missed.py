"""The routes of animals that the model missed: what people saw in a dive by themselves."""

from __future__ import annotations

import os
from pathlib import Path

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, Field

from dives.corrections import MAX_BY, MAX_LABEL, MAX_NOTE, Correction, read_corrections, undo_correction
from dives.library import RESULTS
from dives.matching import corrected, read_keys
from dives.missed import TABLE, add_missed
from realtime.errors import ResultsError
from realtime.frames import iso_utc
from serving.answers import problem
from serving.desk import DeskDep
from serving.dives import tell_species
from serving.later import no_room, retry_after

router = APIRouter(
    prefix="/api/dives",
    tags=["dives"],
    responses={404: problem("There is no such dive, it has no such thing (yet), or this server has no library.")},
)
CONFLICT = problem("The dive has no results yet, or what was said of it cannot be read: the detail says why.")
FULL = retry_after("The disk does not take it.")


class Missed(BaseModel):
    """An animal that somebody saw. start_s, peak_s, end_s: media times; file, peak_frame: the frame that shows it best.

    by: who says so; at: when.
    """

    label: str
    file: str
    peak_frame: int
    start_s: float
    peak_s: float
    end_s: float
    by: str
    note: str
    at: str


class Seen(BaseModel):
    """There is an animal. label: what it is; media_s: the player's time; start_s, end_s: from when to when, if said."""

    label: str = Field(max_length=4 * MAX_LABEL)
    media_s: float = Field(ge=0.0, allow_inf_nan=False)
    start_s: float | None = Field(default=None, ge=0.0, allow_inf_nan=False)
    end_s: float | None = Field(default=None, ge=0.0, allow_inf_nan=False)
    by: str = Field(default="", max_length=4 * MAX_BY)
    note: str = Field(default="", max_length=4 * MAX_NOTE)


@router.get("/{dive_id}/missed", responses={409: CONFLICT})
def missed(desk: DeskDep, dive_id: str) -> list[Missed]:
    """Every animal that somebody saw and the model did not, in order of time."""
    desk.dive(dive_id)
    results = desk.library.folder(dive_id) / RESULTS
    return sorted((_row(word) for word in _missed(results)), key=lambda row: (row.peak_s, row.label))


@router.post("/{dive_id}/missed", responses={409: CONFLICT, 507: FULL})
def add(desk: DeskDep, dive_id: str, seen: Seen) -> Missed:
    """Keeps that there is an animal, at the classified frame nearest to ``media_s``; on the disk when this answers."""
    desk.dive(dive_id)
    results = desk.library.folder(dive_id) / RESULTS
    if not all((results / name).exists() for name in ("sightings.csv", TABLE)):
        raise HTTPException(409, "this dive has no results yet")
    try:
        word = add_missed(
            results,
            seen.label,
            seen.media_s,
            start_s=seen.start_s,
            end_s=seen.end_s,
            by=seen.by,
            note=seen.note,
        )
    except ValueError as error:
        raise HTTPException(422, str(error)) from error
    except ResultsError as error:
        raise no_room("it is not kept: the disk does not take it") from error
    tell_species(desk, dive_id)
    return _row(word)


@router.delete("/{dive_id}/missed", status_code=204, responses={409: CONFLICT, 507: FULL})
def take_back(desk: DeskDep, dive_id: str, label: str, file: str, peak_frame: int, by: str = "") -> None:
    """Takes one back, named as the list names it."""
    desk.dive(dive_id)
    results = desk.library.folder(dive_id) / RESULTS
    for word in _missed(results):
        key = word.sighting
        if (key.label, key.file, key.peak_frame) == (label, file, peak_frame):
            try:
                undo_correction(results, key, by=by)
            except ResultsError as error:
                raise no_room("it is not kept: the disk does not take it") from error
            tell_species(desk, dive_id)
            return
    raise HTTPException(404, "nobody says that there is such an animal")


def _missed(results: Path) -> tuple[Correction, ...]:
    if not (results / "sightings.csv").exists():
        return ()
    try:
        return corrected(read_keys(results), read_corrections(results)).missed
    except ResultsError as error:
        raise HTTPException(409, str(error).replace(f"{results}{os.sep}", "")) from error


def _row(word: Correction) -> Missed:
    key = word.sighting
    return Missed(
        label=key.label,
        file=key.file,
        peak_frame=key.peak_frame,
        start_s=key.start_s,
        peak_s=key.peak_s,
        end_s=key.end_s,
        by=word.by,
        note=word.note,
        at=iso_utc(word.at),
    )
