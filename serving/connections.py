"""What uvicorn lets a client hold for ever, or make us hold: its protocols with an end to each of these.

A head or a body that never comes to its end (connections are few: serving/door.py), an upload while the server stops,
pongs that nobody reads, a message in fragments without a byte in them, and a connection that is closed and takes no
byte of what is still to be sent.
"""

from __future__ import annotations

import asyncio
import logging
import math
from typing import Any, cast

import h11
from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from serving.bodies import is_recording
from serving.hush import HUSH
from serving.wire import CLOSE_POLICY

log = logging.getLogger(__name__)

HEAD_S = 10.0  # for the head of a request, from its first byte or from the connection's begin
BODY_S = 30.0  # for its body, a quarter of a megabyte at most, but for a recording's
SILENT_S = 20.0  # in any body; a recording goes on later from where it was cut off
ANSWERED_S = 2.0  # of silence in one that was refused: who still sends shall read why, who does not holds a place
MOST_UNSENT_BYTES = 8 << 20  # a result is one megabyte at most, and the next one waits until it is gone
MOST_FRAGMENTS = 1000  # of one message; browsers send 128 KiB in each
LINGER_S = 15.0  # for a connection that is over to be taken leave of


log.addFilter(HUSH)


class Http(H11Protocol):
    """HTTP/1.1 whose heads and bodies come in time, and whose uploads do not hold up a stop."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.logger = log
        self._timer: asyncio.TimerHandle | None = None
        self._awaited: tuple[object, ...] = ()  # what the client has to send before the timer ends
        self._heard_s = self._ends_s = 0.0
        self._await_more()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_waiting()

    def data_received(self, data: bytes) -> None:
        self._heard_s = self.loop.time()
        super().data_received(data)
        self._await_more()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._await_more()

    def shutdown(self) -> None:
        """The server stops: what still sends has no end in sight, and goes on later from where it is cut off."""
        if self.conn.their_state is h11.SEND_BODY:
            self.transport.close()
        else:
            super().shutdown()

    def _await_more(self) -> None:
        """Sets an end to what the client has to send now, if that is something else than it was."""
        state = self.conn.their_state
        if self.transport.get_protocol() is not self or state not in (h11.IDLE, h11.SEND_BODY):
            awaited: tuple[object, ...] = ()  # a websocket by now; or it is our turn
        elif state is h11.IDLE:
            awaited = (state, self.cycle)
        else:  # who was answered already sends to nobody, and that need not last
            answered = self.cycle.response_complete
            awaited = (state, self.cycle, answered, is_recording(cast(Scope, self.scope)) and not answered)
        if awaited == self._awaited:
            return
        self._stop_waiting()
        self._awaited = awaited
        if not awaited:
            return
        if state is h11.IDLE:
            self._timer = self.loop.call_later(HEAD_S, self.transport.close)
        else:
            now_s = self.loop.time()
            self._heard_s = now_s
            self._ends_s = math.inf if awaited[-1] else now_s + BODY_S
            self._look()

    def _look(self) -> None:
        """Cuts off a body that does not come, and comes back when it would be time to."""
        now_s = self.loop.time()
        if self.flow.read_paused or self.cycle.waiting_for_100_continue:
            self._heard_s = now_s  # it is we who are not ready for more
        due_s = min(self._heard_s + (ANSWERED_S if self.cycle.response_complete else SILENT_S), self._ends_s)
        if due_s <= now_s:
            self.transport.abort()
        else:
            self._timer = self.loop.call_at(due_s, self._look)

    def _stop_waiting(self) -> None:
        self._awaited = ()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


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
