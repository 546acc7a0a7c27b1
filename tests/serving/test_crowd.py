"""serving/crowd.py on a real server: strangers who never finish what they say keep nobody else out."""

from __future__ import annotations

import json
import select
import socket as sockets
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

import httpx
import pytest
from frames import head
from running import WAIT_S, Running, running

from serving import connections, crowd

TOKEN = "operate-0123456789"
BEARER = {"authorization": f"Bearer {TOKEN}"}
OTHER = "127.0.0.2"  # another address of this machine, where the system has one


def stalled(server: Running, *headers: str) -> sockets.socket:
    """A log-in that says a thousand bytes and sends none."""
    host, _, port = server.authority.partition(":")
    raw = sockets.create_connection((host, int(port)), WAIT_S)
    lines = ["POST /api/session HTTP/1.1", f"Host: {server.authority}", "Content-Type: application/json", *headers]
    raw.sendall("\r\n".join([*lines, "Content-Length: 1000", "", ""]).encode())
    return raw


def answered(raw: sockets.socket) -> bytes:
    """The status of an answer, b"" where the connection was cut off."""
    try:
        return head(raw)[9:12]
    except ConnectionError:
        return b""


def closed(raw: sockets.socket) -> bool:
    """Waits until it is, or raises TimeoutError."""
    try:
        while raw.recv(1 << 16):
            pass
    except ConnectionError:
        pass
    return True


def refused(server: Running) -> float:
    text = server.http.get("metrics", headers=BEARER).text
    line = next(each for each in text.splitlines() if each.startswith('reeflens_refused_total{cause="crowd"}'))
    return float(line.rpartition(" ")[2])


def test_three_hundred_stalled_log_ins_shut_nobody_out_who_is_in_and_health_is_answered(toy_model: Path) -> None:
    with running(toy_model, token=TOKEN) as server, ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(stalled(server))
        deadline_s = monotonic() + WAIT_S
        while refused(server) < 300 - crowd.STRANGERS // 2:  # all of them have come by then
            assert monotonic() < deadline_s
        for _ in range(20):
            fresh = httpx.get(f"{server.url}api/status", headers=BEARER, timeout=WAIT_S)
            assert fresh.status_code == 200
        assert httpx.get(f"{server.url}healthz", timeout=WAIT_S).status_code == 200
        turned_away = httpx.get(f"{server.url}api/session", timeout=WAIT_S)  # a stranger from the same address
        assert (turned_away.status_code, turned_away.headers["retry-after"]) == (503, "1")
        try:
            elsewhere = httpx.HTTPTransport(local_address=OTHER)
            with httpx.Client(transport=elsewhere, timeout=WAIT_S) as other:
                logged_in = other.post(f"{server.url}api/session", json={"token": TOKEN})
        except httpx.ConnectError:
            pytest.skip(f"no {OTHER} here")
        assert logged_in.status_code == 200


def test_those_who_were_let_in_have_a_bound_of_their_own_and_keep_no_stranger_from_logging_in(
    toy_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowd, "LET_IN", 2)
    with running(toy_model, token=TOKEN, max_viewers=1) as server, ExitStack() as stack:
        for _ in range(2 + crowd.PER_VIEWER):
            stack.enter_context(stalled(server, f"Authorization: Bearer {TOKEN}"))
        deadline_s = monotonic() + WAIT_S
        while (answer := httpx.get(f"{server.url}api/status", headers=BEARER, timeout=WAIT_S)).status_code == 200:
            assert monotonic() < deadline_s  # the last of them has not come yet
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert httpx.post(f"{server.url}api/session", json={"token": TOKEN}, timeout=WAIT_S).status_code == 200
        assert httpx.get(f"{server.url}healthz", timeout=WAIT_S).status_code == 200


def test_a_body_that_does_not_come_is_cut_off_and_its_place_is_free_again(
    toy_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "SILENT_S", 0.3)
    with running(toy_model, token=TOKEN) as server, ExitStack() as stack:
        waiting = [stack.enter_context(stalled(server)) for _ in range(crowd.STRANGERS)]
        assert {answered(raw) for raw in waiting} <= {b"", b"503"}
        assert httpx.post(f"{server.url}api/session", json={"token": TOKEN}).status_code == 200


def test_who_was_refused_amid_a_body_and_sends_no_more_of_it_holds_no_place_for_long(
    toy_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, seconds in (("SILENT_S", 1e6), ("BODY_S", 1e6), ("ANSWERED_S", 0.2)):
        monkeypatch.setattr(connections, name, seconds)
    with running(toy_model, token=TOKEN) as server, ExitStack() as stack:
        all_of_them = [stack.enter_context(stalled(server)) for _ in range(crowd.STRANGERS // 2 + 1)]
        (one,), _, _ = select.select(all_of_them, [], [], WAIT_S)
        assert answered(one) == b"503"
        assert closed(one)
        all_of_them.remove(one)
        assert select.select(all_of_them, [], [], 0.0)[0] == []


def test_a_body_that_comes_a_byte_at_a_time_is_cut_off_too(toy_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "BODY_S", 0.5)
    with running(toy_model, token=TOKEN) as server, stalled(server) as raw:
        raw.settimeout(0.05)
        deadline_s, cut = monotonic() + WAIT_S, False
        while not cut:
            assert monotonic() < deadline_s
            try:
                raw.sendall(b"x")
                cut = raw.recv(1 << 16) == b""
            except TimeoutError:
                continue
            except ConnectionError:
                cut = True


def test_a_recording_that_goes_silent_is_let_go_of_and_one_that_trickles_is_not(
    toy_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network that vanished closes nothing: who comes back would be told for ever that somebody else is sending."""
    monkeypatch.setattr(connections, "SILENT_S", 1.0)
    monkeypatch.setattr(connections, "BODY_S", 0.5)
    with running(toy_model, library=tmp_path / "dives") as server:
        upload = server.http.post("api/uploads", json={"name": "a.mp4", "size": 40}).json()["id"]
        host, _, port = server.authority.partition(":")
        with sockets.create_connection((host, int(port)), WAIT_S) as raw:
            lines = [f"PATCH /api/uploads/{upload} HTTP/1.1", f"Host: {server.authority}", "Upload-Offset: 0"]
            raw.sendall("\r\n".join([*lines, "Content-Length: 40", "", ""]).encode())
            raw.settimeout(0.25)
            for _ in range(8):  # longer than any other body may take, and than silence may last
                raw.sendall(b"x")
                with pytest.raises(TimeoutError):
                    raw.recv(1)
            raw.settimeout(WAIT_S)
            assert answered(raw) == b""
            deadline_s = monotonic() + WAIT_S
            while True:
                rest = server.http.patch(f"api/uploads/{upload}", content=b"y" * 32, headers={"upload-offset": "8"})
                if rest.status_code == 204:
                    break
                assert rest.status_code == 423
                assert monotonic() < deadline_s
        assert json.loads(server.http.get(f"api/uploads/{upload}").text)["offset"] == 40
