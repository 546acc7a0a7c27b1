"""A recording sent to a server's library, and waited for."""

from __future__ import annotations

import threading
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
from running import WAIT_S


def send(http: httpx.Client, path: Path, *, name: str | None = None, every_s: float | None = None) -> str:
    """Uploads a file in one piece and finishes it; the dive's id."""
    data = path.read_bytes()
    wanted = {"name": name or path.name, "size": len(data), "every_s": every_s}
    upload = http.post("api/uploads", json=wanted).raise_for_status().json()["id"]
    http.patch(f"api/uploads/{upload}", content=data, headers={"upload-offset": "0"}).raise_for_status()
    return str(http.post(f"api/uploads/{upload}/finish").raise_for_status().json()["id"])


def settled(http: httpx.Client, dive_id: str) -> dict[str, Any]:
    """Waits until nothing is left to do for a dive."""
    deadline_s = monotonic() + 3 * WAIT_S
    while True:
        dive: dict[str, Any] = http.get(f"api/dives/{dive_id}").raise_for_status().json()
        to_do = [dive[f"{what}_state"] for what in ("copy", "overlay", "times")]
        if dive["state"] not in ("queued", "running") and "wanted" not in to_do:
            return dive
        assert monotonic() < deadline_s, dive
        threading.Event().wait(0.05)
