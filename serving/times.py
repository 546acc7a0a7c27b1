"""The routes of a dive's clock and depth: what is known, where that is from, and another start or dive log instead."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Self

from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel, Field

from dives.divelog import DiveLog, MisfitError
from dives.library import COPY_WANTED, DIVELOG, RESULTS, read_facts
from dives.naming import log_name
from dives.probe import read_probe
from dives.run_record import COMPLETE, INCOMPLETE, read_run
from dives.times import Times, check_log, free_log_name, give_up_wanted, in_words_of_the_page, read_wanted, write_wanted
from dives.uploads import UploadError
from realtime.errors import DiveLogError, LibraryError, ResultsError
from realtime.frames import iso_utc
from serving.answers import problem
from serving.desk import Desk, DeskDep, refused
from serving.dives import DiveSummary, summary
from serving.later import no_room, retry_after
from serving.uploads import BUSY, LONGEST_OFFSET_S

router = APIRouter(
    prefix="/api/dives",
    tags=["dives"],
    responses={404: problem("There is no such dive, it has no such thing (yet), or this server has no library.")},
)
FULL = retry_after("The disk does not take it.")


class Fitting(BaseModel):
    """A dive of a log, by the log's own clock. offset_s: with which the recording is of it, null where none is."""

    first_utc: str
    last_utc: str
    offset_s: float | None


class Misfit(BaseModel):
    """Why a log cannot be joined, in a word.

    cause: "unreadable"; "no-clock", nobody knows when the recording began; "elsewhere", no dive of the log is of its
    time, and ``fits`` has the nearest; "several", it can be of any of ``fits``. recorded_from, recorded_to: "" where
    not known.
    """

    cause: str
    recorded_from: str
    recorded_to: str
    fits: list[Fitting]

    @classmethod
    def of(cls, error: DiveLogError) -> Self:
        """As an error says it."""
        if not isinstance(error, MisfitError):
            return cls(cause="unreadable", recorded_from="", recorded_to="", fits=[])
        begin, end = map(iso_utc, error.recorded or (None, None))
        fits = [
            Fitting(first_utc=iso_utc(fit.first_utc), last_utc=iso_utc(fit.last_utc), offset_s=fit.offset_s)
            for fit in error.fits
        ]
        return cls(cause=error.cause, recorded_from=begin, recorded_to=end, fits=fits)


class Unfit(BaseModel):
    """Not now (then ``misfit`` is null), or not with this log."""

    detail: str
    misfit: Misfit | None = None


class JoinedLog(BaseModel):
    """What was joined: dive ``dive`` of the ``dives`` in a log, by the camera's clock; depth for ``frames`` frames."""

    name: str
    dive: int
    dives: int
    first_utc: str
    last_utc: str
    offset_s: float
    frames: int


class GivenTimes(BaseModel):
    """What somebody gave. start_utc, divelog (the name of a file): "" for none."""

    start_utc: str
    divelog: str
    divelog_offset_s: float | None


class KnownTimes(BaseModel):
    """What is known of a dive's clock and depth.

    start_utc: of media time 0, "" when nobody knows; utc_source: where that is from, as in run.json. recording_utc:
    what the recording itself says, "" for nothing. frames: that are classified. joined: null without depth; misfit: why
    the log that is given is not joined. given: what holds; wanted: what is to be joined instead, null for nothing.
    """

    start_utc: str
    utc_source: str
    recording_utc: str
    frames: int
    joined: JoinedLog | None
    misfit: Misfit | None
    given: GivenTimes
    wanted: GivenTimes | None


class WantedTimes(BaseModel):
    """What is to hold. start_utc: with its zone; null to believe the recording.

    divelog: "keep" the one that is given or wanted, join "none", or the one that ``upload`` is; divelog_offset_s:
    seconds by which its clock is ahead of the camera's.
    """

    start_utc: AwareDatetime | None = None
    divelog: Literal["keep", "none", "upload"] = "keep"
    upload: str = ""
    divelog_offset_s: float | None = Field(default=None, ge=-LONGEST_OFFSET_S, le=LONGEST_OFFSET_S)


CONFLICT: dict[str, Any] = {
    "model": Unfit,
    "description": "The dive is not worked through, or is at work, or the log does not fit it: the detail says why.",
}


@router.get("/{dive_id}/times")
def times(desk: DeskDep, dive_id: str) -> KnownTimes:
    """What is known of its clock and depth, and where that is from."""
    desk.dive(dive_id)
    folder = desk.library.folder(dive_id)
    try:
        facts, wanted = read_facts(folder), read_wanted(folder)
    except LibraryError as error:
        raise HTTPException(404, "what people gave with it cannot be read") from error
    run, probe = read_run(folder / RESULTS) or {}, read_probe(folder)
    joined, given = run.get("divelog") or None, Times.of(facts)
    return KnownTimes(
        start_utc=run.get("time", {}).get("start_utc", ""),
        utc_source=run.get("time", {}).get("utc_source", ""),
        recording_utc=probe.start_utc if probe is not None else "",
        frames=run.get("counts", {}).get("classified", 0),
        joined=JoinedLog(**{name: joined[name] for name in JoinedLog.model_fields}) if joined else None,
        misfit=_misfit(folder, given) if given.divelog and not joined and probe is not None else None,
        given=_told(given),
        wanted=_told(wanted) if wanted is not None else None,
    )


@router.post("/{dive_id}/times", response_model=DiveSummary, responses={409: CONFLICT, 423: BUSY, 507: FULL})
def want(desk: DeskDep, dive_id: str, wanted: WantedTimes) -> DiveSummary | Response:
    """Has another start or dive log joined to every file of its results; nothing is classified again.

    What does not fit is refused, and nothing changes. On the disk, and in the queue, when this answers.
    """
    _refuse_unsettled(desk, dive_id)
    folder = desk.library.folder(dive_id)
    try:
        before = read_wanted(folder) or Times.of(read_facts(folder))
        times = Times(
            start_utc=iso_utc(wanted.start_utc) if wanted.start_utc is not None else "",
            divelog=before.divelog if wanted.divelog == "keep" else "",
            divelog_offset_s=wanted.divelog_offset_s if wanted.divelog != "none" else None,
        )
        if wanted.divelog == "upload":
            upload, data = desk.uploads.whole(wanted.upload)
            _check(folder, data, times, upload.name)
            times = replace(times, divelog=free_log_name(folder, log_name(upload.name)))
            desk.uploads.give(wanted.upload, folder / DIVELOG / times.divelog)
        elif times.divelog:
            _check(folder, folder / DIVELOG / times.divelog, times, times.divelog)
        write_wanted(folder, times)
    except UploadError as error:
        raise refused(error) from error
    except DiveLogError as error:
        return JSONResponse(Unfit(detail=str(error), misfit=Misfit.of(error)).model_dump(), 409)
    except LibraryError as error:
        raise HTTPException(404, "what is known of it cannot be read") from error
    except ResultsError as error:
        raise no_room("it is not kept: the disk does not take it") from error
    desk.library.set_times(dive_id, COPY_WANTED)
    desk.jobs.notice()
    return summary(desk.dive(dive_id), desk.jobs.progress())


@router.delete("/{dive_id}/times", responses={409: CONFLICT, 507: FULL})
def leave(desk: DeskDep, dive_id: str) -> DiveSummary:
    """Leaves all as it is: what was to be joined is forgotten."""
    _refuse_unsettled(desk, dive_id)
    give_up_wanted(desk.library.folder(dive_id))
    desk.library.end_times(dive_id, joined=False)
    return summary(desk.dive(dive_id), desk.jobs.progress())


def _refuse_unsettled(desk: Desk, dive_id: str) -> None:
    row, progress = desk.dive(dive_id), desk.jobs.progress()
    if row.state not in (COMPLETE, INCOMPLETE):
        raise HTTPException(409, "this can be said of a dive that is worked through")
    if progress is not None and (progress.dive_id, progress.step) == (dive_id, "times"):
        raise HTTPException(409, "what was said before is being joined; try again in a moment")


def _check(folder: Path, path: Path, times: Times, name: str) -> None:
    """Raises DiveLogError in the words of people who have never seen a command line; name: of the log."""
    try:
        log = replace(DiveLog.read(path, offset_s=times.divelog_offset_s), name=name)
        check_log(folder, log, datetime.fromisoformat(times.start_utc) if times.start_utc else None)
    except DiveLogError as error:
        error.args = (in_words_of_the_page(str(error).replace(str(path), name)),)
        raise


def _misfit(folder: Path, given: Times) -> Misfit | None:
    try:
        _check(folder, folder / DIVELOG / given.divelog, given, given.divelog)
    except DiveLogError as error:
        return Misfit.of(error)
    except LibraryError:
        pass
    return None


def _told(times: Times) -> GivenTimes:
    return GivenTimes(**{name: getattr(times, name) for name in GivenTimes.model_fields})
