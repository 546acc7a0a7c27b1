"""What uvicorn lets a client hold for ever, or make us hold: its protocols with an end to each of these.

A head that never comes to its end (connections are few: 1024 descriptors), an upload while the server stops, pongs
that nobody reads, a message in fragments without a byte in them, and a connection that is closed and takes no byte of
what is still to be sent.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from serving.hush import HUSH
from serving.wire import CLOSE_POLICY

log = logging.getLogger(__name__)

HEAD_S = 10.0  # for the head of a request, from its first byte or from the connection's begin
MOST_UNSENT_BYTES = 8 << 20  # a result is one megabyte at most, and the next one waits until it is gone
MOST_FRAGMENTS = 1000  # of one message; browsers send 128 KiB in each
LINGER_S = 15.0  # for a connection that is over to be taken leave of


log.addFilter(HUSH)


class Http(H11Protocol):
    """HTTP/1.1 whose heads come in time, and whose uploads do not hold up a stop."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.logger = log
        self._head_timer: asyncio.TimerHandle | None = None
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_waiting()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._await_head()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._await_head()

    def shutdown(self) -> None:
        """The server stops: what still sends has no end in sight, and goes on later from where it is cut off."""
        if self.conn.their_state is h11.SEND_BODY:
            self.transport.close()
        else:
            super().shutdown()

    def _await_head(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            self._stop_waiting()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_S, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class Socket(WebSocketsSansIOProtocol):
    """A websocket that holds no more than it must."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.logger = log

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if len(self.frames) > MOST_FRAGMENTS:
            self.frames = []
            self.conn.fail(CLOSE_POLICY, f"message: at most {MOST_FRAGMENTS} fragments are taken")
            self.handle_parser_exception()
        if self.transport.get_write_buffer_size() > MOST_UNSENT_BYTES:
            self.transport.abort()

    async def run_asgi(self) -> None:
        await super().run_asgi()
        self.loop.call_later(LINGER_S, self.transport.abort)


PROTOCOLS: dict[str, Any] = {"http": Http, "ws": Socket}
