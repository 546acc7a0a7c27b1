"""The route on which a page has its own camera classified: the socket around a camera, and nothing else."""

from __future__ import annotations

from fastapi import APIRouter, WebSocket

from serving import wire
from serving.camera import Camera, CameraClosed
from serving.later import PLACE_S, Later, retry_after
from serving.sockets import Close, close, converse
from serving.station import Places, Station, StationDep

router = APIRouter()

NO_WEBCAMS = "this server takes no cameras of pages"


@router.websocket("/ws/webcam")
async def webcam(websocket: WebSocket, station: StationDep) -> None:
    """Pictures in, an answer to each out (the messages are in serving/wire.py)."""
    if not station.max_webcams:
        await websocket.accept()
        await close(websocket, Close(wire.CLOSE_POLICY, NO_WEBCAMS))
        return
    if (later := _no_place(station)) is not None:
        station.refusals.add("viewers")
        await websocket.send_denial_response(later.answer())
        return
    classes = len(station.contract.labels)
    with station.cameras.join(station.runner) as camera:  # before the handshake is answered, as for viewers
        await websocket.accept()
        await converse(
            websocket,
            lambda: _next(camera),
            lambda text: camera.handle(wire.parse_viewer_message(text, classes)),
            lambda data: camera.handle(wire.decode_camera_frame(data)),
        )


@router.get("/ws/webcam", tags=["live"], responses={503: retry_after("As many as can are connected.")})
async def place(station: StationDep) -> Places:
    """Whether a camera would be taken here: for pages, which are not told why a websocket was not. Takes no place."""
    if station.max_webcams and (later := _no_place(station)) is not None:
        raise later.error()
    return Places.of(station)


def _no_place(station: Station) -> Later | None:
    if len(station.cameras.connected) >= station.max_webcams:
        return Later(503, f"{station.max_webcams} cameras are connected, no more can", PLACE_S)
    return station.no_place()


async def _next(camera: Camera) -> str | bytes | Close:
    try:
        return await camera.next()
    except CameraClosed as end:
        return Close(end.code, end.reason)
