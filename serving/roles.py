"""Who may do what: every route and websocket with the role that it needs, in one table that a test walks.

Looking is one thing, changing what is kept or taking part of the model's time is another. A route that the table lacks
needs the most, so that one that is forgotten here is shut and not open.
"""

from __future__ import annotations

from enum import IntEnum

from starlette.routing import compile_path

SOCKET = "WEBSOCKET"  # in the place of a method


class Role(IntEnum):
    """What somebody may do; each may all that those before it may."""

    NOBODY = 0
    VIEW = 1
    OPERATE = 2


NEEDS: dict[tuple[str, str], Role] = {
    # Code that is public anyway, the way in, and a word for whoever restarts containers.
    ("GET", "/login"): Role.NOBODY,
    ("GET", "/assets/{name}"): Role.NOBODY,
    ("GET", "/assets/{of}/{name}"): Role.NOBODY,
    ("GET", "/api/session"): Role.NOBODY,
    ("POST", "/api/session"): Role.NOBODY,
    ("DELETE", "/api/session"): Role.NOBODY,
    ("GET", "/healthz"): Role.NOBODY,
    # Looking.
    ("GET", "/"): Role.VIEW,
    ("GET", "/dives"): Role.VIEW,
    (SOCKET, "/ws/live/{source}"): Role.VIEW,
    ("GET", "/ws/live/{source}"): Role.VIEW,  # whether there is a place
    ("GET", "/ws/webcam"): Role.VIEW,
    ("GET", "/readyz"): Role.VIEW,  # it names sources and what is wrong with them
    ("GET", "/metrics"): Role.VIEW,
    ("GET", "/api/openapi.json"): Role.VIEW,
    ("GET", "/api/status"): Role.VIEW,
    ("GET", "/api/model"): Role.VIEW,
    ("GET", "/api/sources"): Role.VIEW,
    ("GET", "/api/sources/{source}/thumbnail.jpg"): Role.VIEW,
    ("GET", "/api/sightings"): Role.VIEW,
    ("GET", "/api/sightings/{sighting}"): Role.VIEW,
    ("GET", "/api/sightings/{sighting}/still.jpg"): Role.VIEW,
    ("GET", "/api/sightings/{sighting}/overlay.jpg"): Role.VIEW,
    ("GET", "/api/sightings/{sighting}/clip.mp4"): Role.VIEW,
    ("GET", "/api/dives"): Role.VIEW,
    ("GET", "/api/dives/{dive_id}"): Role.VIEW,
    ("GET", "/api/dives/{dive_id}/thumbnail"): Role.VIEW,
    ("GET", "/api/dives/{dive_id}/video"): Role.VIEW,
    ("GET", "/api/dives/{dive_id}/original"): Role.VIEW,
    ("GET", "/api/dives/{dive_id}/originals"): Role.VIEW,
    ("GET", "/api/dives/{dive_id}/track"): Role.VIEW,
    ("GET", "/api/dives/{dive_id}/track/{edition}"): Role.VIEW,
    ("GET", "/api/dives/{dive_id}/sightings"): Role.VIEW,
    ("GET", "/api/dives/{dive_id}/missed"): Role.VIEW,
    ("GET", "/api/dives/{dive_id}/times"): Role.VIEW,
    ("GET", "/api/dives/{dive_id}/corrections/left-over"): Role.VIEW,
    ("GET", "/api/dives/{dive_id}/results.zip"): Role.VIEW,
    ("GET", "/api/dives/{dive_id}/files"): Role.VIEW,
    ("GET", "/api/dives/{dive_id}/files/{name:path}"): Role.VIEW,
    ("GET", "/api/uploads"): Role.VIEW,
    ("GET", "/api/uploads/{upload_id}"): Role.VIEW,
    # Changing what is kept, and a camera of one's own, which takes part of the model's time.
    (SOCKET, "/ws/webcam"): Role.OPERATE,
    ("POST", "/api/sightings/{sighting}/correction"): Role.OPERATE,
    ("PATCH", "/api/dives/{dive_id}"): Role.OPERATE,
    ("DELETE", "/api/dives/{dive_id}"): Role.OPERATE,
    ("POST", "/api/dives/{dive_id}/cancel"): Role.OPERATE,
    ("POST", "/api/dives/{dive_id}/again"): Role.OPERATE,
    ("POST", "/api/dives/{dive_id}/corrections"): Role.OPERATE,
    ("POST", "/api/dives/{dive_id}/missed"): Role.OPERATE,
    ("DELETE", "/api/dives/{dive_id}/missed"): Role.OPERATE,
    ("POST", "/api/dives/{dive_id}/times"): Role.OPERATE,
    ("DELETE", "/api/dives/{dive_id}/times"): Role.OPERATE,
    ("POST", "/api/uploads"): Role.OPERATE,
    ("PATCH", "/api/uploads/{upload_id}"): Role.OPERATE,
    ("POST", "/api/uploads/{upload_id}/finish"): Role.OPERATE,
    ("DELETE", "/api/uploads/{upload_id}"): Role.OPERATE,
}
_PATTERNS = [(method, compile_path(path)[0], role) for (method, path), role in NEEDS.items()]


def needed(method: str, path: str) -> Role:
    """What a request needs; of several that match the most. method: SOCKET for a websocket; HEAD is as GET."""
    method = "GET" if method == "HEAD" else method
    found = [role for each, pattern, role in _PATTERNS if each == method and pattern.match(path)]
    return max(found, default=Role.OPERATE)
