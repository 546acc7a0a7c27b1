"""The route on which a browser watches a source: the socket around a hub's viewer, and nothing else."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from serving import wire
from serving.hub import HubClosed, Viewer
from serving.station import StationDep

SEND_TIMEOUT_S = 20.0  # a connection that takes no byte for so long is gone, whatever TCP still hopes for
MAX_REASON_BYTES = 123  # of a close frame (RFC 6455, 5.5)

router = APIRouter()


class _Close(NamedTuple):
    code: int
    reason: str


@router.websocket("/ws/live/{source}")
async def live(websocket: WebSocket, source: str, station: StationDep) -> None:
    """Results of ``source`` as they come, to one viewer (the messages are in serving/wire.py)."""
    await websocket.accept()
    hub = station.hubs.get(source)
    if hub is None:
        await _close(websocket, _Close(wire.CLOSE_NO_SOURCE, f"there is no source {source!r}"))
    elif station.viewers >= station.max_viewers:
        await _close(websocket, _Close(wire.CLOSE_TRY_LATER, f"{station.max_viewers} are watching, no more can"))
    else:
        with hub.join() as viewer:
            end = await _first_end(websocket, viewer)
            if end is not None:
                await _close(websocket, end)


async def _first_end(websocket: WebSocket, viewer: Viewer) -> _Close | None:
    """Sends and receives until either ends; None when the connection is gone already."""
    tasks = [asyncio.create_task(_send(websocket, viewer)), asyncio.create_task(_receive(websocket, viewer))]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    ends = [task.result() for task in done]
    # Both at once: gone is gone, and what the viewer did wrong says more than that we stop.
    return None if None in ends else ends[-1]


async def _send(websocket: WebSocket, viewer: Viewer) -> _Close | None:
    try:
        while True:
            message = await viewer.next()
            async with asyncio.timeout(SEND_TIMEOUT_S):
                if isinstance(message, str):
                    await websocket.send_text(message)
                else:
                    await websocket.send_bytes(message)
    except HubClosed:
        return _Close(wire.CLOSE_GOING_AWAY, "the server is going away")
    except (WebSocketDisconnect, TimeoutError):
        return None


async def _receive(websocket: WebSocket, viewer: Viewer) -> _Close | None:
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return None
        text = message.get("text")
        if text is None:
            return _Close(wire.CLOSE_MALFORMED, "message: expected text, received bytes")
        if len(text.encode()) > wire.MAX_TEXT_BYTES:
            return _Close(wire.CLOSE_TOO_BIG, f"message: at most {wire.MAX_TEXT_BYTES} bytes are taken")
        try:
            viewer.handle(wire.parse_viewer_message(text))
        except wire.WireError as error:
            return _Close(wire.CLOSE_MALFORMED, str(error))


async def _close(websocket: WebSocket, close: _Close) -> None:
    reason = close.reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore")
    try:
        async with asyncio.timeout(SEND_TIMEOUT_S):
            await websocket.close(close.code, reason)
    except (WebSocketDisconnect, TimeoutError):
        pass  # it left first
