"""What a route answers when it does not do what was asked."""

from __future__ import annotations

import logging
import re
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from dives.library import TableError
from realtime.errors import ResultsError

log = logging.getLogger(__name__)


NOT_TAKEN = "this cannot be done now: the disk does not take it"


class Problem(BaseModel):
    """Why, in one sentence."""

    detail: str


class Jpeg(Response):
    """A picture; here for the schema's sake."""

    media_type = "image/jpeg"


def has_it(if_none_match: str, tag: str) -> bool:
    """Whether the browser has what ``tag`` stands for, by its If-None-Match header."""
    return tag in {each.strip().removeprefix("W/") for each in if_none_match.split(",")}


def takes_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding header names gzip, and not with a weight of zero."""
    for each in accepted.lower().split(","):
        name, _, weight = each.partition(";")
        if name.strip() in ("gzip", "*"):
            return not re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", weight)
    return False


def tell_of_the_disk(app: FastAPI) -> None:
    """Has every route answer 507 where the disk does not take something, or give it; the log says why, with paths."""
    for kind in (ResultsError, TableError):
        app.add_exception_handler(kind, _disk)


async def _disk(request: Request, error: Exception) -> Response:
    log.warning("%s %s: %s", request.method, request.url.path, error)
    return JSONResponse({"detail": NOT_TAKEN}, 507)


def problem(description: str) -> dict[str, Any]:
    """For a route's ``responses``: JSON, also where the route itself answers with a picture or plain text.

    A `model` there would be declared as of the route's own type. Some route has to name Problem as its model, or the
    schema lacks it.
    """
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}}
    return {"description": description, "content": content}
