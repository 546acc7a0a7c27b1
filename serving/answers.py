"""What a route answers when it does not do what was asked."""

from __future__ import annotations

import re
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from dives.library import NoDiveError


class Problem(BaseModel):
    """Why, in one sentence."""

    detail: str


# FastAPI's own list of what is wrong, field by field, or our sentence.
_SAID_OR_LISTED = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "object"}}]}
INVALID: dict[str, Any] = {
    "description": "Something in the request is not what it should be.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["detail"],
                "properties": {
                    "detail": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "object"}}]}
                },
            }
        }
    },
}


class Jpeg(Response):
    """A picture; here for the schema's sake."""

    media_type = "image/jpeg"


def tell_of_the_gone(app: FastAPI) -> None:
    """Has every route answer 404 where somebody deletes meanwhile what it is about: what was there a line before."""
    app.add_exception_handler(NoDiveError, _no_dive)
    app.add_exception_handler(FileNotFoundError, _no_file)


async def _no_dive(request: Request, error: Exception) -> Response:
    return JSONResponse({"detail": "there is no such dive"}, 404)


async def _no_file(request: Request, error: Exception) -> Response:
    return JSONResponse({"detail": "it is not there (any more)"}, 404)


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


def problem(description: str) -> dict[str, Any]:
    """For a route's ``responses``: JSON, also where the route itself answers with a picture or plain text.

    A `model` there would be declared as of the route's own type. Some route has to name Problem as its model, or the
    schema lacks it.
    """
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}}
    return {"description": description, "content": content}


# The text is of the HTTP parser, which is asked before any route.
UNREADABLE = problem("The request cannot be read.")
UNREADABLE["content"]["text/plain"] = {"schema": {"type": "string"}}
