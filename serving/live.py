"""The route on which a browser watches a source: the socket around a hub's viewer, and nothing else.

A full server says so before the handshake is over, which costs it nothing that lasts.
"""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, WebSocket

from serving import wire
from serving.answers import problem
from serving.hub import HubClosed, Viewer
from serving.later import retry_after
from serving.sockets import Close, close, converse
from serving.station import Places, StationDep

router = APIRouter()


@router.websocket("/ws/live/{source}")
async def live(websocket: WebSocket, source: str, station: StationDep) -> None:
    """Results of ``source`` as they come, to one viewer (the messages are in serving/wire.py)."""
    hub = station.hubs.get(source)
    if hub is None:
        await websocket.accept()
        await close(websocket, Close(wire.CLOSE_NO_SOURCE, f"there is no source {source!r}"))
    elif (later := station.no_place()) is not None:
        station.refusals.add("viewers")
        await websocket.send_denial_response(later.answer())
    else:
        classes = len(station.contract.labels)
        with hub.join() as viewer:  # before the handshake is answered: many at a time must not share one place
            await websocket.accept()
            await converse(
                websocket, lambda: _next(viewer), lambda text: viewer.handle(wire.parse_viewer_message(text, classes))
            )


@router.get(
    "/ws/live/{source}",
    tags=["live"],
    responses={404: problem("There is no such source."), 503: retry_after("As many as can are watching.")},
)
async def place(station: StationDep, source: str) -> Places:
    """Whether a websocket would be taken here: for pages, which are not told why one was not. Takes no place."""
    if source not in station.hubs:
        raise HTTPException(404, f"there is no source {source!r}")
    if (later := station.no_place()) is not None:
        raise later.error()
    return Places.of(station)


async def _next(viewer: Viewer) -> str | bytes | Close:
    try:
        return await viewer.next()
    except HubClosed:
        return Close(wire.CLOSE_GOING_AWAY, "the server is going away")
