"""What every websocket route does: send and receive until either ends, within limits, and close with a reason."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import NamedTuple

from fastapi import WebSocket, WebSocketDisconnect

from serving import wire
from serving.pace import MESSAGES_PER_S, Pace

SEND_TIMEOUT_S = 20.0  # a connection that takes no byte for so long is gone, whatever TCP still hopes for
MAX_REASON_BYTES = 123  # of a close frame (RFC 6455, 5.5)
# What sending raises when nobody is there. RuntimeError is uvicorn's word when it has itself closed a connection that
# broke the protocol, and we have not heard of it yet.
GONE = (WebSocketDisconnect, TimeoutError, RuntimeError)


class Close(NamedTuple):
    """A close frame to send. reason: cut to what fits."""

    code: int
    reason: str


async def converse(
    websocket: WebSocket,
    next_message: Callable[[], Awaitable[str | bytes | Close]],
    on_text: Callable[[str], None],
    on_bytes: Callable[[bytes], None] | None = None,
) -> None:
    """Sends what ``next_message`` gives and hands over what comes in, until one side ends; then closes.

    next_message: a Close ends it; must be safe to cancel. on_text, on_bytes: may raise wire.WireError, which closes
    with CLOSE_MALFORMED. A text over wire.MAX_TEXT_BYTES or bytes over wire.MAX_MESSAGE_BYTES close with CLOSE_TOO_BIG;
    without on_bytes, bytes over wire.MAX_TEXT_BYTES do so too, and fewer close with CLOSE_MALFORMED. Messages that come
    faster than serving/pace.py allows close with CLOSE_POLICY.
    """
    end = await _first_end(_send(websocket, next_message), _receive(websocket, on_text, on_bytes))
    if end is not None:
        await close(websocket, end)


async def close(websocket: WebSocket, end: Close) -> None:
    """Closes an accepted websocket; one that is gone already is no error."""
    reason = end.reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore")
    try:
        async with asyncio.timeout(SEND_TIMEOUT_S):
            await websocket.close(end.code, reason)
    except GONE:
        pass  # it left first


async def _first_end(*directions: Coroutine[None, None, Close | None]) -> Close | None:
    """Runs both until either ends; None when the connection is gone already."""
    tasks = [asyncio.create_task(direction) for direction in directions]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    ends = [task.result() for task in tasks if task in done]
    # Both at once: gone is gone, and what the other side did wrong says more than that we stop.
    return None if None in ends else ends[-1]


async def _send(websocket: WebSocket, next_message: Callable[[], Awaitable[str | bytes | Close]]) -> Close | None:
    while not isinstance(message := await next_message(), Close):
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                if isinstance(message, str):
                    await websocket.send_text(message)
                else:
                    await websocket.send_bytes(message)
        except GONE:
            return None
    return message


async def _receive(
    websocket: WebSocket, on_text: Callable[[str], None], on_bytes: Callable[[bytes], None] | None
) -> Close | None:
    pace = Pace()
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return None
        if not pace.take():
            return Close(wire.CLOSE_POLICY, f"messages: at most {MESSAGES_PER_S:.0f} a second are taken")
        text, data = message.get("text"), message.get("bytes")
        length = len(text.encode()) if text is not None else len(data or b"")
        limit = wire.MAX_MESSAGE_BYTES if text is None and on_bytes is not None else wire.MAX_TEXT_BYTES
        if length > limit:
            return Close(wire.CLOSE_TOO_BIG, f"message: at most {limit} bytes are taken")
        try:
            if text is not None:
                on_text(text)
            elif on_bytes is not None:
                on_bytes(data or b"")
            else:
                return Close(wire.CLOSE_MALFORMED, "message: expected text, received bytes")
        except wire.WireError as error:
            return Close(wire.CLOSE_MALFORMED, str(error))
