"""Ways to break the rules of a websocket, as bytes: what bench/soak.py sends to a server that must not mind."""

from __future__ import annotations

import json
import socket

TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9
NO_MASK = bytes(4)
STRAIGHT = ("", "half")  # no handshake before these


def frame(opcode: int, payload: bytes, *, fin: bool = True, reserved: int = 0, masked: bool = True) -> bytes:
    """One frame (RFC 6455, 5.2) as a client sends it, or as it must not."""
    head = bytes([fin << 7 | reserved << 4 | opcode])
    size = len(payload)
    if size < 126:
        head += bytes([masked << 7 | size])
    else:
        short = size < 1 << 16
        head += bytes([masked << 7 | (126 if short else 127)]) + size.to_bytes(2 if short else 8, "big")
    return head + (NO_MASK if masked else b"") + payload


def text(**message: object) -> bytes:
    """A message of our protocol."""
    return frame(TEXT, json.dumps(message).encode())


LIVE, WEBCAM = "ws/live/steady", "ws/webcam"
INSULTS: tuple[tuple[str, str, bytes], ...] = (
    ("no JSON", LIVE, frame(TEXT, b"what?")),
    ("an unknown word", LIVE, text(type="shout")),
    ("an ack of what was never sent", LIVE, text(type="ack", seq=10**9)),
    ("a class that there is not", LIVE, text(type="explain", **{"class": 99})),
    ("a long text", LIVE, frame(TEXT, b"x" * 5000)),
    ("brackets", LIVE, frame(TEXT, b"[" * 4000)),
    ("bytes for a viewer", LIVE, frame(BINARY, b"\0\1")),
    ("three megabytes", LIVE, frame(BINARY, bytes(3 << 20))),
    ("two thousand at once", LIVE, text(type="ping", t=1) * 2000),
    ("reserved bits", LIVE, frame(TEXT, b"{}", reserved=7)),
    ("no mask", LIVE, frame(TEXT, b"{}", masked=False)),
    ("an opcode that there is not", LIVE, frame(3, b"")),
    ("no UTF-8", LIVE, frame(TEXT, b"\xff\xfe")),
    ("a ping that is too long", LIVE, frame(PING, bytes(200))),
    ("a part without a beginning", LIVE, frame(0, b"rest")),
    ("a close with half a code", LIVE, frame(CLOSE, b"\x03")),
    ("a picture that is none", WEBCAM, frame(BINARY, b"\0\0\0\2{}" + bytes(50))),
    ("a header longer than all of it", WEBCAM, frame(BINARY, b"\xff\xff\xff\xff{}")),
    ("half a handshake", "half", b"GET /ws/live/steady HTTP/1.1\r\nHost: 127"),
    ("no HTTP", "", bytes(range(256))),
    ("a long header", "", b"GET / HTTP/1.1\r\nX: " + b"y" * 100_000),
)


def handshake(connection: socket.socket, base: str, path: str) -> bool:
    """Opens a websocket on a plain socket. base: ws://HOST:PORT/. False when the server has no place."""
    authority = base.removeprefix("ws://").rstrip("/")
    host, _, port = authority.partition(":")
    connection.connect((host, int(port)))
    connection.sendall(
        f"GET /{path} HTTP/1.1\r\nHost: {authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    answer = b""
    while not answer.endswith(b"\r\n\r\n") and (byte := connection.recv(1)):
        answer += byte
    return b" 101 " in answer
