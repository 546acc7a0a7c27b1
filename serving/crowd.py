"""How many requests are worked on at a time: those beyond are told to come back in a second, instead of being kept.

Each may hold a body (serving/bodies.py), an answer that is being made, or an open file that a slow line takes. Behind
the Gate, which lets strangers ask for next to nothing: they are counted apart, and none of them takes more than half of
what strangers have, so that nobody can keep out those who were let in, nor alone those who want to log in.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from serving.asker import asker
from serving.later import MOMENT_S, Later
from serving.refusals import Refusals
from serving.roles import Role
from serving.share import Share

STRANGERS = 128  # with full bodies these are 32 MB
LET_IN = 128  # requests beyond those of viewers
PER_VIEWER = 2  # a page asks one thing at a time as a rule, and a player holds one connection open
ALWAYS = "/healthz"  # whoever restarts what does not answer must not restart what is busy


class Crowd:
    """ASGI middleware: 503 for a request of who is let in while LET_IN + PER_VIEWER * max_viewers others of them are
    not answered yet, and for a stranger's while STRANGERS are not. behind_proxy: as for asker."""

    def __init__(self, app: ASGIApp, max_viewers: int, refusals: Refusals, behind_proxy: bool = False) -> None:
        self._app = app
        self._refusals = refusals
        self._behind_proxy = behind_proxy
        self._strangers = Share(STRANGERS, STRANGERS // 2)
        self._let_in = Share(LET_IN + PER_VIEWER * max_viewers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == ALWAYS:
            await self._app(scope, receive, send)
            return
        share = self._strangers if scope["state"]["known"].role is Role.NOBODY else self._let_in
        address = asker(scope, self._behind_proxy)
        if not share.take(address):
            self._refusals.add("crowd", address)
            answer = Later(503, f"{share.now} requests are being answered, no more can", MOMENT_S).answer()
            await answer(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            share.give(address)
