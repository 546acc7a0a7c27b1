"""How many connections are open at a time: what is more is closed at once, in all and from one address.

A connection costs a descriptor from its first packet on, before TLS and before HTTP, and a process that has none left
can write no still, open no table and reach no camera. So connections get half of what the system allows and files the
other half, and the count is where they are accepted.
"""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Callable
from typing import Any

from serving.share import Share

if sys.platform != "win32":
    import resource

SPARE = 512  # connections, beyond those of viewers
PER_VIEWER = 4  # a browser opens six for a moment, and holds one or two


def room(max_viewers: int) -> int:
    """How many there may be, after this process was allowed to open twice as many files where the system permits."""
    wanted = SPARE + PER_VIEWER * max_viewers
    if sys.platform == "win32":
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    if soft < 2 * wanted:
        more = 2 * wanted if hard == resource.RLIM_INFINITY else min(hard, 2 * wanted)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (more, hard))
            soft = more
    return min(wanted, soft // 2)


class Door(socket.socket):
    """A listening socket that lets in no more than ``share`` has. It takes the place of ``listener``.

    on_refused: called with the address of each connection that was closed.
    """

    def __init__(self, listener: socket.socket, share: Share, on_refused: Callable[[str], None]) -> None:
        super().__init__(listener.family, listener.type, listener.proto, fileno=listener.detach())
        self._share = share
        self._on_refused = on_refused

    def accept(self) -> tuple[socket.socket, Any]:
        """As of any socket; ConnectionAbortedError, after which asyncio goes on, for one that was closed."""
        connection, address = super().accept()
        if not self._share.take(address[0]):
            connection.close()
            self._on_refused(address[0])
            raise ConnectionAbortedError
        return _Guest(connection, lambda: self._share.give(address[0])), address


class _Guest(socket.socket):
    """A connection that says when it is closed."""

    def __init__(self, connection: socket.socket, on_close: Callable[[], None]) -> None:
        super().__init__(connection.family, connection.type, connection.proto, fileno=connection.detach())
        self._on_close: Callable[[], None] | None = on_close

    def close(self) -> None:
        super().close()
        on_close, self._on_close = self._on_close, None
        if on_close is not None:
            on_close()
