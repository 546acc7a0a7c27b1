"""Websocket frames as bytes, right and wrong, and the hand shake in front of them."""

from __future__ import annotations

import os
import socket as sockets
import struct

TEXT, BINARY, CLOSE, PING, PONG, CONT = 1, 2, 8, 9, 10, 0
WAIT_S = 20.0


def frame(
    opcode: int,
    data: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    masked: bool = True,
    length: int | None = None,
    wide: int | None = None,
) -> bytes:
    """One frame. rsv: the three reserved bits. length: to announce, whatever follows. wide: 2 or 8 bytes for it."""
    announced = len(data) if length is None else length
    if wide is None:
        wide = 0 if announced < 126 else 2 if announced < 1 << 16 else 8
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    second = (0x80 if masked else 0) | (announced if not wide else 126 if wide == 2 else 127)
    head = struct.pack(">BB", first, second)
    head += struct.pack(">H", announced & 0xFFFF) if wide == 2 else struct.pack(">Q", announced) if wide == 8 else b""
    if not masked:
        return head + data
    mask = os.urandom(4) if data else bytes(4)
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))


def shaken(
    authority: str, path: str = "/ws/live/scene", *headers: str, receive_bytes: int | None = None
) -> sockets.socket:
    """A socket after the hand shake, whose answer was read to its last byte. receive_bytes: the buffer it has."""
    raw = _connected(authority, receive_bytes)
    raw.sendall(request(authority, path, *headers))
    assert head(raw).startswith(b"HTTP/1.1 101")
    return raw


def asked(authority: str, path: str, receive_bytes: int = 2048) -> sockets.socket:
    """A socket on which a file is asked for, of whose answer nothing is read."""
    raw = _connected(authority, receive_bytes)
    raw.sendall(f"GET {path} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
    return raw


def _connected(authority: str, receive_bytes: int | None) -> sockets.socket:
    host, _, port = authority.partition(":")
    raw = sockets.socket()
    if receive_bytes is not None:
        raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, receive_bytes)
    raw.settimeout(WAIT_S)
    raw.connect((host, int(port)))
    return raw


def request(authority: str, path: str = "/ws/live/scene", *headers: str) -> bytes:
    """The client's part of the hand shake."""
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {authority}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def head(raw: sockets.socket) -> bytes:
    """An answer's head; what follows it is left in the socket."""
    found = b""
    while not found.endswith(b"\r\n\r\n"):
        byte = raw.recv(1)
        if not byte:
            break
        found += byte
    return found


def ending(raw: sockets.socket) -> int | None:
    """Reads to the end of the connection: the code of the close frame, None when it was cut without one."""
    code = None
    try:
        while first := _exactly(raw, 2):
            length = first[1] & 0x7F
            if length >= 126:
                length = int.from_bytes(_exactly(raw, 2 if length == 126 else 8), "big")
            data = _exactly(raw, length)
            if first[0] & 0xF == CLOSE:
                code = int.from_bytes(data[:2], "big")
    except ConnectionResetError:
        pass
    return code


def _exactly(raw: sockets.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        more = raw.recv(count - len(found))
        if not more:
            return b""
        found += more
    return found
