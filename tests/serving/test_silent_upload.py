"""serving/uploads.py: a network that vanished without a word keeps nobody from going on with the upload."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from running import WAIT_S, running

from serving import uploads


def test_a_sender_who_falls_silent_gives_the_upload_free_and_what_came_is_kept(
    toy_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "SILENT_S", 0.2)
    with running(toy_model, library=tmp_path / "library") as server:
        wanted = {"name": "reef.mp4", "size": 6}
        place = f"api/uploads/{server.http.post('api/uploads', json=wanted).raise_for_status().json()['id']}"
        host, _, port = server.authority.partition(":")
        head = f"PATCH /{place} HTTP/1.1\r\nHost: {server.authority}\r\nContent-Length: 6\r\nUpload-Offset: 0\r\n\r\n"
        with socket.create_connection((host, int(port)), timeout=WAIT_S) as vanished:
            vanished.sendall(head.encode() + b"abc")
            answer = b""
            while piece := vanished.recv(4096):  # up to the end: the connection is closed, too
                answer += piece
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"retry-after: " in answer.lower()
            assert server.http.get(place).json()["offset"] == 3
            rest = server.http.patch(place, content=b"def", headers={"upload-offset": "3"})
            assert (rest.status_code, rest.headers["upload-offset"]) == (204, "6")
