"""Malformed websocket frames on the wire: each ends its own connection, and nobody else notices; nothing is left."""

from __future__ import annotations

import os
import re
import socket as sockets
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

import pytest
from frames import BINARY, CLOSE, CONT, PING, PONG, TEXT, WAIT_S, ending, frame, head, request, shaken
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from running import Running, result, running
from websockets.sync.client import ClientConnection

from serving import connections, wire

PING_ACK = b'{"type":"ping","t":1}'
CLOSED = struct.pack(">H", 1000)
EXAMPLES = max(40, int(os.environ.get("FUZZ_INPUTS", "0")) // 32)


@pytest.fixture(scope="module")
def server(toy_model: Path) -> Iterator[Running]:
    with running(toy_model, max_viewers=64) as started:
        yield started


@pytest.fixture(scope="module")
def good(server: Running) -> Iterator[ClientConnection]:
    with server.watch() as socket:
        yield socket


def held(server: Running) -> tuple[int, int]:
    """Threads and open files of the server, which is this process."""
    return threading.active_count(), len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").is_dir() else 0


def memory(server: Running) -> float:
    found = re.search(r"^process_resident_memory_bytes (\S+)", server.http.get("metrics").text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def nothing_left(server: Running, before: tuple[int, int]) -> None:
    deadline_s = monotonic() + WAIT_S
    while server.status()["sources"]["scene"]["viewers"] > 1 or any(
        now > then for now, then in zip(held(server), before, strict=True)
    ):
        assert monotonic() < deadline_s, (held(server), before)


TOO_LONG = 1 << 40
WRONG = {
    **{f"opcode {code}": ([frame(code, b"x")], {1002}) for code in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    **{f"reserved bit {bit}": ([frame(TEXT, PING_ACK, rsv=bit)], {1002}) for bit in (1, 2, 4)},
    "compressed, which was never agreed on": ([frame(TEXT, b"\xaa\x56\x4a", rsv=4)], {1002}),
    "unmasked": ([frame(TEXT, PING_ACK, masked=False)], {1002}),
    "unmasked ping": ([frame(PING, b"x", masked=False)], {1002}),
    "a ping too long": ([frame(PING, bytes(126))], {1002}),
    "a pong of 64 KiB": ([frame(PONG, bytes(1 << 16))], {1002}),
    "a close frame too long": ([frame(CLOSE, CLOSED + bytes(124))], {1002}),
    "a ping in fragments": ([frame(PING, b"x", fin=False)], {1002}),
    "a close frame in fragments": ([frame(CLOSE, CLOSED, fin=False)], {1002}),
    "a close frame of one byte": ([frame(CLOSE, b"\x03")], {1002}),
    **{
        f"close code {code}": ([frame(CLOSE, struct.pack(">H", code))], {1002})
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535)
    },
    "a close reason that is no UTF-8": ([frame(CLOSE, CLOSED + b"\xff\xfe")], {1002, 1007}),
    "text that is no UTF-8": ([frame(TEXT, b"\xff\xfe\xfd")], {1007}),
    "text with half a character": ([frame(TEXT, "€".encode()[:2])], {1007}),
    "text with a surrogate": ([frame(TEXT, b"\xed\xa0\x80")], {1007}),
    "half a character in each fragment, and one lost": (
        [frame(TEXT, b"\xe2\x82", fin=False), frame(CONT, b"\x28")],
        {1007},
    ),
    "a fragment of nothing": ([frame(CONT, b"x")], {1002}),
    "a text within a text": ([frame(TEXT, b"a", fin=False), frame(TEXT, b"b")], {1002}),
    "a picture within a text": ([frame(TEXT, b"a", fin=False), frame(BINARY, b"b")], {1002}),
    "2^63 bytes announced": ([frame(TEXT, length=1 << 63, wide=8)], {1002, 1009}),
    "2^63 - 1 bytes announced": ([frame(TEXT, length=(1 << 63) - 1, wide=8)], {1009}),
    "2^64 - 1 bytes announced": ([frame(BINARY, length=(1 << 64) - 1, wide=8)], {1002, 1009}),
    "a terabyte announced": ([frame(BINARY, length=TOO_LONG, wide=8)], {1009}),
    "a byte more than is read": ([frame(BINARY, length=wire.CUT_OFF_BYTES + 1, wide=8)], {1009}),
    "fragments that add up to more than is read": (
        [frame(BINARY, bytes(wire.CUT_OFF_BYTES // 2), fin=False), frame(CONT, bytes(wire.CUT_OFF_BYTES // 2 + 9))],
        {1009},
    ),
    "more fragments than anyone sends": (
        [frame(TEXT, b"{", fin=False), frame(CONT, fin=False) * (connections.MOST_FRAGMENTS + 1)],
        {1008},
    ),
    "HTTP again": ([b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"], {1002, 1009}),
    "zeros": ([bytes(4096)], {1002}),
    "ones": ([b"\xff" * 4096], {1002}),
    "lengths in more bytes than they need, and then nonsense": (
        [frame(TEXT, b'{"type":"shout"}', wide=8)],
        {4400, 1002},
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_frame_closes_its_connection_with_a_code_and_nobody_else_notices(
    server: Running, good: ClientConnection, name: str
) -> None:
    pieces, codes = WRONG[name]
    before = result(good).header["seq"]
    with shaken(server.authority) as raw:
        try:
            for piece in pieces:
                raw.sendall(piece)
        except ConnectionError:
            pass  # it was closed while we sent
        assert ending(raw) in codes
    assert result(good).header["seq"] > before


RIGHT = {
    "a ping between two fragments": [
        frame(TEXT, PING_ACK[:5], fin=False),
        frame(PING, b"x"),
        frame(CONT, PING_ACK[5:]),
    ],
    "a pong that nobody asked for": [frame(PONG, b"x"), frame(TEXT, PING_ACK)],
    "fragments of no bytes": [frame(TEXT, fin=False), frame(CONT, fin=False) * 50, frame(CONT, PING_ACK)],
    "one byte at a time": [bytes([byte]) for byte in frame(TEXT, PING_ACK)],
    "a length in eight bytes": [frame(TEXT, PING_ACK, wide=8)],
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_odd_and_allowed_is_answered(server: Running, name: str) -> None:
    with shaken(server.authority) as raw:
        raw.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY, 1)  # each piece in a packet of its own
        for piece in RIGHT[name]:
            raw.sendall(piece)
        seen = b""
        while b'"pong"' not in seen:
            more = raw.recv(1 << 16)
            assert more, seen[-200:]
            seen = seen[-100:] + more


def test_compression_is_never_agreed_on_so_that_no_bomb_can_be_sent(server: Running) -> None:
    host, _, port = server.authority.partition(":")
    with sockets.create_connection((host, int(port)), timeout=WAIT_S) as raw:
        raw.sendall(request(server.authority, "/ws/live/scene", "Sec-WebSocket-Extensions: permessage-deflate"))
        answer = head(raw).lower()
    assert answer.startswith(b"http/1.1 101")
    assert b"permessage-deflate" not in answer


ANY_FRAME = st.builds(
    frame,
    st.integers(0, 15),
    st.binary(max_size=200),
    fin=st.booleans(),
    rsv=st.sampled_from([0, 0, 0, 0, 1, 2, 4, 7]),
    masked=st.sampled_from([True, True, True, False]),
)
LYING_FRAME = st.builds(
    frame, st.integers(0, 15), st.binary(max_size=50), length=st.integers(0, (1 << 64) - 1), wide=st.just(8)
)
SAID = st.sampled_from([frame(TEXT, PING_ACK), frame(TEXT, b'{"type":"want","picture":false}'), frame(PING, b"x")])
FRAMES = st.lists(st.one_of(SAID, ANY_FRAME, LYING_FRAME, st.binary(max_size=40)), max_size=12).map(b"".join)


def test_whatever_frames_come_the_others_are_served_and_nothing_is_left(
    server: Running, good: ClientConnection
) -> None:
    nothing_left(server, (1 << 20, 1 << 20))
    before, memory_before = held(server), memory(server)

    @settings(
        max_examples=EXAMPLES,
        database=None,
        derandomize="FUZZ_INPUTS" not in os.environ,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(data=FRAMES, path=st.sampled_from(["/ws/live/scene", "/ws/webcam"]), abrupt=st.booleans())
    def go_on(data: bytes, path: str, abrupt: bool) -> None:
        seq = result(good).header["seq"]
        with shaken(server.authority, path) as raw:
            try:
                raw.sendall(data)
                if not abrupt:
                    raw.sendall(frame(CLOSE, CLOSED))
                    raw.shutdown(sockets.SHUT_WR)
                    ending(raw)
            except OSError:
                pass
        assert result(good).header["seq"] > seq

    go_on()
    nothing_left(server, (before[0] + 1, before[1] + 2))
    assert memory(server) < memory_before + 50e6


def test_a_frame_that_never_ends_and_a_reader_of_nothing_cost_nobody_anything(
    server: Running, good: ClientConnection
) -> None:
    """Half a frame and then silence; and pings by the hundred thousand from one who reads no pong."""
    nothing_left(server, (1 << 20, 1 << 20))
    before, memory_before = held(server), memory(server)
    with ExitStack() as stack:
        for _ in range(10):
            raw = stack.enter_context(shaken(server.authority))
            raw.sendall(frame(BINARY, bytes(100), length=1 << 20, wide=8))
        deaf = stack.enter_context(shaken(server.authority, receive_bytes=4096))
        deaf.settimeout(WAIT_S)
        pings = frame(PING, bytes(125)) * 1000
        sent, cut = 0, False
        while not cut and sent < 40 * connections.MOST_UNSENT_BYTES:
            try:
                sent += deaf.send(pings)
            except (ConnectionError, TimeoutError):
                cut = True
        assert cut, "it took all of them"
        assert result(good).header["seq"] > 0
        assert memory(server) < memory_before + 100e6
    nothing_left(server, before)


@pytest.mark.parametrize(
    "begin",
    [b"", b"G", b"GET /ws/live/scene HTTP/1.1\r\nHost: ", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /api"],
    ids=["nothing", "a letter", "half a head", "half a second head"],
)
def test_a_hand_shake_that_never_comes_to_its_end_is_cut_off(
    toy_model: Path, monkeypatch: pytest.MonkeyPatch, begin: bytes
) -> None:
    monkeypatch.setattr(connections, "HEAD_S", 0.3)
    with running(toy_model) as server, ExitStack() as stack:
        host, _, port = server.authority.partition(":")
        slow = [stack.enter_context(sockets.create_connection((host, int(port)), timeout=WAIT_S)) for _ in range(50)]
        for raw in slow:
            raw.sendall(begin)
        for raw in slow:
            while raw.recv(1 << 16):
                pass
        with server.watch() as socket:
            result(socket)


def test_one_that_takes_no_byte_is_let_go_of_after_its_end(toy_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LINGER_S", 0.1)
    monkeypatch.setattr("serving.sockets.SEND_TIMEOUT_S", 0.1)
    with running(toy_model) as server:
        with server.watch() as socket:
            result(socket)
        nothing_left(server, (1 << 20, 1 << 20))
        before = held(server)
        with ExitStack() as stack:
            for _ in range(3):
                raw = stack.enter_context(shaken(server.authority, receive_bytes=2048))
                # Pongs that it does not read fill its socket, and the close frame waits behind them.
                raw.sendall(frame(PING, bytes(125)) * 40_000)
                raw.sendall(frame(TEXT, b"nonsense"))
            server.wait_for("scene", lambda source: source["viewers"] == 0)
            deadline_s = monotonic() + WAIT_S
            while held(server)[1] > before[1] + 3:  # our own ends of the three
                assert monotonic() < deadline_s, (held(server), before)
