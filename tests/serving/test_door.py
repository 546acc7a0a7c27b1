"""serving/door.py: connections are bounded where they are accepted, and files stay openable."""

from __future__ import annotations

import re
import socket as sockets
import sys
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

import httpx
import pytest
from faulty import WAIT_S, serving

from serving import door
from serving.door import Door
from serving.share import Share

FILES = 160
LOW = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({FILES}, {FILES}))"
OTHER = "127.0.0.2"  # another address of this machine, where the system has one


def closed(raw: sockets.socket, within_s: float = 0.2) -> bool:
    """Whether the other side has closed it by now, or does so in the next moment."""
    raw.settimeout(within_s)
    try:
        return raw.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


def test_what_is_too_much_is_closed_and_told_and_a_place_is_free_when_one_leaves() -> None:
    told: list[str] = []
    share = Share(2)
    with ExitStack() as stack:
        listener = stack.enter_context(Door(sockets.create_server(("127.0.0.1", 0)), share, told.append))
        arriving = [stack.enter_context(sockets.create_connection(listener.getsockname())) for _ in range(3)]
        inside = [stack.enter_context(listener.accept()[0]) for _ in range(2)]
        with pytest.raises(ConnectionAbortedError):
            listener.accept()
        assert [closed(raw) for raw in arriving] == [False, False, True]
        assert told == ["127.0.0.1"]
        inside[0].close()
        inside[0].close()  # twice is once
        assert share.now == 1
        stack.enter_context(sockets.create_connection(listener.getsockname()))
        stack.enter_context(listener.accept()[0])
        assert share.now == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_half_of_what_the_system_allows_is_for_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    limits, wanted = [(256, 256)], door.SPARE + 10 * door.PER_VIEWER

    def set_limits(_: int, to: tuple[int, int]) -> None:
        if to[1] != resource.RLIM_INFINITY and to[0] > to[1]:
            raise ValueError
        limits[0] = to

    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[0])
    monkeypatch.setattr(resource, "setrlimit", set_limits)
    assert door.room(10) == 128
    for hard in (1 << 20, resource.RLIM_INFINITY):
        limits[0] = (256, hard)
        assert door.room(10) == wanted
        assert limits[0] == (2 * wanted, hard)
    limits[0] = (256, 600)
    assert door.room(10) == 300
    limits[0] = (1 << 20, 1 << 20)
    assert door.room(10) == wanted
    assert limits[0] == (1 << 20, 1 << 20)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_idle_connections_by_the_hundred_leave_recording_and_the_others_what_they_need(
    toy_model: Path, tmp_path: Path
) -> None:
    record, log = tmp_path / "rec", tmp_path / "log"
    with serving(toy_model, log, "--source", "scene=scene", "--record", record, patch=LOW) as server, ExitStack() as ex:
        address = (server.http.base_url.host, server.http.base_url.port)
        idle = [ex.enter_context(sockets.create_connection(address, WAIT_S)) for _ in range(FILES)]
        assert closed(idle[-1], WAIT_S)
        elsewhere = httpx.HTTPTransport(local_address=OTHER)
        with httpx.Client(transport=elsewhere, base_url=server.url, timeout=WAIT_S) as other:
            try:
                before = other.get("api/status").raise_for_status().json()["recording"]
            except httpx.ConnectError:
                pytest.skip(f"no {OTHER} here")
            deadline_s = monotonic() + WAIT_S
            while True:
                now = other.get("api/status").json()["recording"]
                if now["rows"] > before["rows"] + 20:
                    break
                assert monotonic() < deadline_s, now
            assert now["errors"] == 0
            assert other.get("").status_code == 200  # a file that is opened for it
            told = re.search(
                r'^reeflens_refused_total\{cause="connections"\} (\S+)', other.get("metrics").text, re.MULTILINE
            )
            assert told is not None
            assert float(told[1]) >= FILES - FILES // 4
    said = log.read_text(encoding="utf-8")
    assert "as many connections as may be are open" in said
    assert "too many open files" not in said.lower()
    assert "out of system resource" not in said
    assert "Traceback" not in said
