"""The route on which a page has its own camera classified: the socket around a camera, and nothing else."""

from __future__ import annotations

from fastapi import APIRouter, WebSocket

from serving import wire
from serving.camera import Camera, CameraClosed
from serving.sockets import Close, close, converse
from serving.station import StationDep

router = APIRouter()

NO_WEBCAMS = "this server takes no cameras of pages"


@router.websocket("/ws/webcam")
async def webcam(websocket: WebSocket, station: StationDep) -> None:
    """Pictures in, an answer to each out (the messages are in serving/wire.py)."""
    await websocket.accept()
    if station.full:
        await close(websocket, Close(wire.CLOSE_TRY_LATER, f"{station.max_viewers} are watching, no more can"))
        return
    if len(station.cameras.connected) >= station.max_webcams:
        why = f"{station.max_webcams} cameras are connected, no more can" if station.max_webcams else NO_WEBCAMS
        await close(websocket, Close(wire.CLOSE_TRY_LATER if station.max_webcams else wire.CLOSE_POLICY, why))
        return
    classes = len(station.contract.labels)
    with station.cameras.join(station.runner) as camera:
        await converse(
            websocket,
            lambda: _next(camera),
            lambda text: camera.handle(wire.parse_viewer_message(text, classes)),
            lambda data: camera.handle(wire.decode_camera_frame(data)),
        )


async def _next(camera: Camera) -> str | bytes | Close:
    try:
        return await camera.next()
    except CameraClosed as end:
        return Close(end.code, end.reason)
