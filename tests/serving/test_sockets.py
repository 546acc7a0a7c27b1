"""serving/sockets.py: a connection that ends under our hands is no error."""

from __future__ import annotations

import asyncio

import pytest
from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect

from serving.sockets import Close, converse


@pytest.mark.parametrize("error", [RuntimeError("after sending 'websocket.close'"), WebSocketDisconnect(1006)])
@pytest.mark.parametrize("message", ["hello", b"picture", Close(1001, "the server stops")])
def test_who_was_cut_off_by_the_server_below_us_is_gone(error: Exception, message: str | bytes | Close) -> None:
    """uvicorn closes what breaks the protocol by itself, and tells us with the next message that it gives."""

    async def run() -> None:
        incoming: asyncio.Queue[Message] = asyncio.Queue()

        async def send(sent: Message) -> None:
            if sent["type"] != "websocket.accept":
                raise error

        async def next_message() -> str | bytes | Close:
            return message

        incoming.put_nowait({"type": "websocket.connect"})
        websocket = WebSocket({"type": "websocket"}, incoming.get, send)
        await websocket.accept()
        await converse(websocket, next_message, lambda text: None)

    asyncio.run(run())


def test_an_error_of_ours_is_not_taken_for_that() -> None:
    async def run() -> None:
        incoming: asyncio.Queue[Message] = asyncio.Queue()

        async def send(sent: Message) -> None:
            pass

        async def next_message() -> str | bytes | Close:
            raise RuntimeError("ours")

        incoming.put_nowait({"type": "websocket.connect"})
        websocket = WebSocket({"type": "websocket"}, incoming.get, send)
        await websocket.accept()
        await converse(websocket, next_message, lambda text: None)

    with pytest.raises(RuntimeError, match="ours"):
        asyncio.run(run())
