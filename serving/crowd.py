"""How many requests are worked on at a time: those beyond are told to come back in a second, instead of being kept.

Each may hold a body (serving/bodies.py), an answer that is being made, or an open file that a slow line takes.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from serving.later import MOMENT_S, Later

STRANGERS = 128  # requests beyond those of viewers; with full bodies these are 32 MB
PER_VIEWER = 2  # a page asks one thing at a time as a rule, and a player holds one connection open
ALWAYS = "/healthz"  # whoever restarts what does not answer must not restart what is busy


class Crowd:
    """ASGI middleware: 503 for a request while STRANGERS + PER_VIEWER * max_viewers others are not answered yet."""

    def __init__(self, app: ASGIApp, max_viewers: int) -> None:
        self._app = app
        self._most = STRANGERS + PER_VIEWER * max_viewers
        self._now = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == ALWAYS:
            await self._app(scope, receive, send)
            return
        if self._now >= self._most:
            await Later(503, f"{self._now} requests are being answered, no more can", MOMENT_S).answer()(
                scope, receive, send
            )
            return
        self._now += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._now -= 1
