"""A server whose GPU is lost: it goes on on the CPU, and everyone who watches learns it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lost_gpu import lose_gpu
from running import WAIT_S, running, text
from websockets.sync.client import ClientConnection, connect

from realtime.providers import CPU, CUDA


def hello(socket: ClientConnection) -> dict[str, Any]:
    """The next one; whatever comes before it is passed over."""
    while True:
        message = socket.recv(timeout=WAIT_S)
        if isinstance(message, str) and '"hello"' in message:
            return json.loads(message)  # type: ignore[no-any-return]


def test_viewers_pages_with_a_camera_and_the_status_learn_where_the_model_runs_now(
    toy_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = lose_gpu(monkeypatch)
    with running(toy_model, provider="auto", sources={"scene": "scene"}) as server:
        with server.watch() as viewer, connect(f"ws://{server.authority}/ws/webcam") as page:
            before = text(viewer)
            assert (before["type"], before["provider"]) == ("hello", CUDA)
            assert text(page)["provider"] == CUDA
            assert server.status()["provider"]["name"] == CUDA
            gpu.fail()
            assert hello(viewer) == {**before, "provider": CPU}
            assert hello(page)["provider"] == CPU
        provider = server.status()["provider"]
        assert (provider["name"], provider["requested"]) == (CPU, "auto")
        assert provider["note"].startswith("the GPU was lost while it ran")
        assert f'provider="{CPU}"' in server.http.get("metrics").text
        with server.watch() as late:
            assert text(late)["provider"] == CPU
        before_it = server.status()["sources"]["scene"]
        server.wait_for("scene", lambda source: source["classified"] > before_it["classified"])
        assert before_it["damaged"] == 0
