"""Logging in and out: a token becomes a cookie, which no script can read, and is gone again on request."""

from __future__ import annotations

from typing import Annotated, Literal, cast

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from serving.answers import problem
from serving.guard import Guard, Known, refused
from serving.later import retry_after
from serving.roles import Role

router = APIRouter(prefix="/api/session", tags=["session"])


class Session(BaseModel):
    """What this browser or program may do. guarded: the server asks for a token at all."""

    role: Literal["nobody", "view", "operate"]
    guarded: bool


class Credentials(BaseModel):
    """token: --token or --view-token of the server."""

    token: str = Field(max_length=1000)


def _guard(request: Request) -> Guard:
    return cast(Guard, request.app.state.guard)


GuardDep = Annotated[Guard, Depends(_guard)]


@router.get("")
async def session(request: Request, guard: GuardDep) -> Session:
    """Who the server takes you for."""
    known: Known = request.state.known
    return Session(role=_WORDS[known.role], guarded=guard.tokens is not None)


@router.post(
    "",
    responses={
        401: problem("This is no token of this server."),
        429: retry_after("Too many wrong ones came from this address."),
    },
    response_model=Session,
)
async def log_in(given: Credentials, request: Request, response: Response, guard: GuardDep) -> Session | Response:
    """Gives a browser the cookie that stands for a token."""
    known = guard.with_token(given.token.strip(), request.scope)
    if known.role is Role.NOBODY:
        return refused(known)
    if guard.tokens is not None:
        response.headers["set-cookie"] = guard.set_cookie(known.role, request.scope)
    return Session(role=_WORDS[known.role], guarded=guard.tokens is not None)


@router.delete("", status_code=204)
async def log_out(request: Request, response: Response, guard: GuardDep) -> None:
    """Takes the cookie back."""
    response.headers["set-cookie"] = guard.set_cookie(Role.NOBODY, request.scope)


_WORDS: dict[Role, Literal["nobody", "view", "operate"]] = {
    Role.NOBODY: "nobody",
    Role.VIEW: "view",
    Role.OPERATE: "operate",
}
