"""serving/crowd.py: a bound on what is worked on at a time."""

from __future__ import annotations

import asyncio

from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from serving.crowd import STRANGERS, Crowd


def test_beyond_the_bound_requests_are_told_to_come_back_and_health_is_answered_all_the_same() -> None:
    async def run() -> None:
        go_on = asyncio.Event()

        async def slow(scope: Scope, receive: Receive, send: Send) -> None:
            await go_on.wait()
            await PlainTextResponse("done")(scope, receive, send)

        crowd = Crowd(slow, max_viewers=0)

        async def ask(path: str = "/api/status") -> tuple[int, str]:
            sent: list[Message] = []

            async def send(message: Message) -> None:
                sent.append(message)

            async def receive() -> Message:
                return {"type": "http.request", "body": b"", "more_body": False}

            await crowd({"type": "http", "method": "GET", "path": path, "headers": []}, receive, send)
            return sent[0]["status"], dict(sent[0]["headers"]).get(b"retry-after", b"").decode()

        inside = [asyncio.create_task(ask()) for _ in range(STRANGERS)]
        await asyncio.sleep(0)  # each is at its wait now
        assert await ask() == (503, "1")
        healthy = asyncio.create_task(ask("/healthz"))
        go_on.set()
        assert await healthy == (200, "")
        assert {await task for task in inside} == {(200, "")}
        assert await ask() == (200, "")

    asyncio.run(run())
