"""The route on which a browser watches a source: the socket around a hub's viewer, and nothing else."""

from __future__ import annotations

from fastapi import APIRouter, WebSocket

from serving import wire
from serving.hub import HubClosed, Viewer
from serving.sockets import Close, close, converse
from serving.station import StationDep

router = APIRouter()


@router.websocket("/ws/live/{source}")
async def live(websocket: WebSocket, source: str, station: StationDep) -> None:
    """Results of ``source`` as they come, to one viewer (the messages are in serving/wire.py)."""
    await websocket.accept()
    hub = station.hubs.get(source)
    if hub is None:
        await close(websocket, Close(wire.CLOSE_NO_SOURCE, f"there is no source {source!r}"))
    elif station.full:
        await close(websocket, Close(wire.CLOSE_TRY_LATER, f"{station.max_viewers} are watching, no more can"))
    else:
        classes = len(station.contract.labels)
        with hub.join() as viewer:
            await converse(
                websocket, lambda: _next(viewer), lambda text: viewer.handle(wire.parse_viewer_message(text, classes))
            )


async def _next(viewer: Viewer) -> str | bytes | Close:
    try:
        return await viewer.next()
    except HubClosed:
        return Close(wire.CLOSE_GOING_AWAY, "the server is going away")
