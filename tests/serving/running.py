"""A real server on a free port, in a thread, for as long as a test needs it."""

from __future__ import annotations

import faulthandler
import json
import queue
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from server import ServerSettings, serve
from serving import wire

WAIT_S = 20.0


@dataclass
class Running:
    """The server: ``url`` ends in a slash; ``stop`` returns how many seconds that took."""

    url: str
    http: httpx.Client
    _stop: threading.Event = field(repr=False)
    _thread: threading.Thread = field(repr=False)

    @property
    def authority(self) -> str:
        return self.url.partition("://")[2].rstrip("/")

    def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.http.get("api/status").raise_for_status().json()
        return answer

    def wait_for(self, name: str, reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Asks for a source's status until ``reached`` says so."""
        deadline_s = monotonic() + WAIT_S
        while not reached(source := self.status()["sources"][name]):
            assert monotonic() < deadline_s, source
        return source

    def watch(self, source: str = "scene", **options: Any) -> ClientConnection:
        return connect(f"ws://{self.authority}/ws/live/{source}", open_timeout=WAIT_S, **options)

    def stop(self) -> float:
        began_s = monotonic()
        self._stop.set()
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()
        return monotonic() - began_s


@contextmanager
def running(model: Path, **settings: Any) -> Iterator[Running]:
    """Serves in a thread; what ``serve`` raises is raised here."""
    outcome: queue.Queue[str | BaseException] = queue.Queue()
    stop = threading.Event()

    def work() -> None:
        try:
            serve(ServerSettings(model=model, port=0, **{"provider": "cpu", **settings}), outcome.put, stop=stop)
        except BaseException as error:
            outcome.put(error)

    thread = threading.Thread(target=work, name="server under test")
    thread.start()
    ready = outcome.get(timeout=WAIT_S)
    if isinstance(ready, BaseException):
        thread.join(WAIT_S)
        raise ready
    # Without a certificate there is none to verify, and reading those of the world takes longer than most tests.
    trusted = ssl.create_default_context(cafile=settings["tls_cert"]) if settings.get("tls_cert") else False
    with httpx.Client(base_url=ready, timeout=WAIT_S, verify=trusted) as client:
        server = Running(ready, client, stop, thread)
        try:
            yield server
        except (TimeoutError, httpx.TimeoutException):
            faulthandler.dump_traceback(sys.__stderr__)  # where every thread of the server stands
            raise
        finally:
            server.stop()


def text(socket: ClientConnection) -> dict[str, Any]:
    """The next message, which must be text."""
    message = socket.recv(timeout=WAIT_S)
    assert isinstance(message, str), message[:200]
    decoded: dict[str, Any] = json.loads(message)
    return decoded


def result(socket: ClientConnection, *, ack: bool = True) -> wire.ResultMessage:
    """The next result; texts before it are passed over."""
    while isinstance(message := socket.recv(timeout=WAIT_S), str):
        pass
    decoded = wire.decode_result(message)
    if ack:
        say(socket, type="ack", seq=decoded.header["seq"])
    return decoded


def closing(socket: ClientConnection) -> tuple[int, str]:
    """Reads until the server closes; its code and reason."""
    received = None
    try:
        while True:
            socket.recv(timeout=WAIT_S)
    except ConnectionClosed as closed:
        received = closed.rcvd
    assert received is not None, "no close frame came"
    return received.code, received.reason


def turned_away(server: Running, path: str) -> tuple[int, str, int]:
    """How a handshake is refused, and a GET of the same address, which must be alike: status, reason, Retry-After."""
    try:
        with connect(f"ws://{server.authority}/{path}", open_timeout=WAIT_S):
            raise AssertionError("it was let in")
    except InvalidStatus as error:
        answer = error.response
    asked = server.http.get(path)
    assert (asked.status_code, asked.content) == (answer.status_code, answer.body)
    assert asked.headers["retry-after"] == answer.headers["retry-after"]
    return answer.status_code, json.loads(answer.body)["detail"], int(answer.headers["retry-after"])


def say(socket: ClientConnection, **message: object) -> None:
    socket.send(json.dumps(message))
