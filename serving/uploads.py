"""The routes on which a recording comes in: begin, send bytes from where it stands, finish; all can be repeated."""

from __future__ import annotations

import contextlib
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Request, Response
from pydantic import AwareDatetime, BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from dives.uploads import MAX_OPEN, Upload, UploadError, With
from serving.answers import problem
from serving.desk import DeskDep, refused
from serving.dives import DiveSummary, summary
from serving.later import retry_after

LONGEST_OFFSET_S = 366 * 86_400.0  # a clock that was never set
WRITE_BYTES = 1 << 20  # to the disk at a time: a hop to a thread per 64 kB would cost more than the writing

router = APIRouter(
    prefix="/api/uploads",
    tags=["uploads"],
    responses={404: problem("There is no such upload, or this server has no library.")},
)
FULL = retry_after("The library's quota or the disk is full.")
MANY = retry_after("As many uploads as may be are open.")
BUSY = retry_after("Somebody else is sending.")


class NewUpload(BaseModel):
    """A file that somebody wants to send. modified_ms: the file's date; every_s: classify one frame per so many s."""

    name: str = Field(max_length=20_000)
    size: int
    modified_ms: int = 0
    every_s: float | None = Field(default=None, gt=0.0, le=3600.0)


class Belongs(BaseModel):
    """What belongs to a file that becomes a dive. more: other uploads, files of the same dive, in any order.

    divelog: the upload that is its dive log; divelog_offset_s: seconds by which the log's clock is ahead of the
    camera's. start_utc: when the dive's first picture was taken, to outrank what the recording says.
    """

    more: list[str] = Field(default_factory=list, max_length=MAX_OPEN)
    divelog: str = ""
    divelog_offset_s: float | None = Field(default=None, ge=-LONGEST_OFFSET_S, le=LONGEST_OFFSET_S)
    start_utc: AwareDatetime | None = None

    def with_(self) -> With:
        """As the library takes it."""
        return With(
            more=tuple(self.more),
            divelog=self.divelog,
            divelog_offset_s=self.divelog_offset_s,
            start_utc=self.start_utc,
        )


class OpenUpload(BaseModel):
    """How far an upload is; offset: bytes that are on the disk."""

    id: str
    name: str
    size: int
    modified_ms: int
    offset: int
    begun_utc: str


@router.get("")
def open_uploads(desk: DeskDep) -> list[OpenUpload]:
    """All that are not finished."""
    return [_told(upload) for upload in desk.uploads.open()]


@router.post("", status_code=201, responses={413: problem("One file may not be so big."), 503: MANY, 507: FULL})
def begin(desk: DeskDep, wanted: NewUpload, response: Response) -> OpenUpload:
    """Makes room: 413 when one file may not be so big, 503 or 507 when there are too many, or the disk is full."""
    try:
        upload = desk.uploads.begin(wanted.name, wanted.size, modified_ms=wanted.modified_ms, every_s=wanted.every_s)
    except UploadError as error:
        raise refused(error) from error
    except ValueError as error:
        raise refused(UploadError("too-big", str(error))) from error
    response.headers["location"] = f"/api/uploads/{upload.id}"
    return _told(upload)


@router.get("/{upload_id}")
def stands(desk: DeskDep, upload_id: str) -> OpenUpload:
    """Where to go on."""
    try:
        return _told(desk.uploads.get(upload_id))
    except UploadError as error:
        raise refused(error) from error


@router.patch(
    "/{upload_id}",
    status_code=204,
    responses={
        409: problem("The upload does not stand at Upload-Offset; the header of the answer says where it does."),
        413: problem("More came than was announced."),
        423: BUSY,
        507: FULL,
    },
    openapi_extra={"requestBody": {"required": True, "content": {"application/octet-stream": {}}}},
)
async def append(
    desk: DeskDep, upload_id: str, request: Request, upload_offset: Annotated[int, Header(ge=0)]
) -> Response:
    """Takes the body in from Upload-Offset on; the answer, with the new Upload-Offset, comes when it is on the disk.

    409 when the upload does not stand there (Upload-Offset says where) and 423 while somebody else sends. What
    came of a body that broke off is kept; one from which nothing comes any more is cut off (serving/connections.py).
    """
    with contextlib.ExitStack() as stack:
        try:
            to = await run_in_threadpool(stack.enter_context, desk.uploads.appending(upload_id, upload_offset))
            waiting = bytearray()
            try:
                async for chunk in request.stream():
                    waiting += chunk
                    if len(waiting) >= WRITE_BYTES:
                        await run_in_threadpool(to.write, bytes(waiting))
                        waiting.clear()
            except ClientDisconnect:
                pass  # what came is kept, and nobody hears the answer
            if waiting:
                await run_in_threadpool(to.write, bytes(waiting))
        except UploadError as error:
            raise refused(error) from error
        finally:
            await run_in_threadpool(stack.close)
    return Response(status_code=204, headers={"upload-offset": str(to.offset)})


@router.post(
    "/{upload_id}/finish",
    responses={409: problem("Not all of it is here."), 423: BUSY, 507: FULL},
)
def finish(desk: DeskDep, upload_id: str, belongs: Belongs | None = None) -> DiveSummary:
    """The whole file is here: it becomes a dive, with what belongs to it, and is queued."""
    try:
        row = desk.uploads.finish(upload_id, belongs.with_() if belongs is not None else None)
    except UploadError as error:
        raise refused(error) from error
    except ValueError as error:
        raise HTTPException(422, str(error)) from error
    desk.jobs.notice()
    return summary(row, desk.jobs.progress())


@router.delete("/{upload_id}", status_code=204)
def cancel(desk: DeskDep, upload_id: str) -> None:
    """Gives it up and removes what is here of it."""
    try:
        desk.uploads.cancel(upload_id)
    except UploadError as error:
        raise refused(error) from error


def _told(upload: Upload) -> OpenUpload:
    return OpenUpload(
        id=upload.id,
        name=upload.name,
        size=upload.size,
        modified_ms=upload.modified_ms,
        offset=upload.offset,
        begun_utc=upload.begun_utc,
    )
