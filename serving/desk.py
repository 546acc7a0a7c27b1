"""What the routes of the library share while the server runs, and how its errors become answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, HTTPException
from fastapi.requests import HTTPConnection

from dives.jobs import JobQueue
from dives.library import DiveRow, Library
from dives.uploads import UploadError, Uploads
from serving.later import PLACE_S, ROOM_S, TURN_S, Later

NO_LIBRARY = "this server keeps no library of dives; start it with --library DIR"
_STATUS = {"too-big": 413, "offset": 409, "gone": 404}
_LATER = {"full": (507, ROOM_S), "crowded": (503, PLACE_S), "busy": (423, TURN_S)}


@dataclass(frozen=True, slots=True, eq=False)
class Desk:
    """Put on ``app.state.desk`` by the lifespan; None there without --library."""

    library: Library
    uploads: Uploads
    jobs: JobQueue

    def dive(self, dive_id: str) -> DiveRow:
        """One dive. Raises NoDiveError, a 404 (serving/answers.py)."""
        return self.library.dive(dive_id)


def refused(error: UploadError) -> HTTPException:
    """The answer to an upload that cannot go on; its headers say from where or when it can."""
    if error.kind in _LATER:
        status, retry_s = _LATER[error.kind]
        return Later(status, str(error), retry_s).error()
    headers = {"upload-offset": str(error.offset)} if error.kind == "offset" else None
    return HTTPException(_STATUS[error.kind], str(error), headers)


def _of(connection: HTTPConnection) -> Desk:
    desk = connection.app.state.desk
    if desk is None:
        raise HTTPException(404, NO_LIBRARY)
    return cast(Desk, desk)


DeskDep = Annotated[Desk, Depends(_of)]
