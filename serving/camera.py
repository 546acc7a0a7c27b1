"""A page's own camera: which of its pictures are under way, and how each is answered. No sockets, one event loop.

The page sends at most MAX_UNDER_WAY pictures that are not answered yet. An answer is a result without a picture, or one
word for a picture that a newer one overtook; results come in order, so that a result answers everything before it.
Nothing piles up: not in the page, whose next picture is the newest there is then, and not here.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Protocol, Self

from realtime.frames import Frame, FrameResult
from realtime.live import LiveStatus
from realtime.push import PushSource
from realtime.sources import Source
from serving import wire

MAX_UNDER_WAY = 2  # one is classified while the next one travels
MAX_PONGS = 8  # unsent; who pings faster than it reads loses the oldest


class CameraClosed(Exception):  # noqa: N818 - an end, not an error
    """There is nothing more to say but this: a close code and its reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Runner(Protocol):
    """What is needed of a LiveRunner."""

    def attach(self, name: str, open_source: Callable[[], Source], group: str) -> None:
        """Reads and classifies one more source; those of a group share a turn."""

    def detach(self, name: str, timeout: float) -> None:
        """Stops and forgets it."""

    def explain(self, name: str, classes: frozenset[int]) -> None:
        """Says of which classes maps are wanted."""


@dataclass(frozen=True, slots=True, eq=False)
class _Sent:
    """A picture that the page sent and that is not answered. index: its number, from 0. received_s: monotonic."""

    index: int
    seq: int
    t: float
    received_s: float


class Camera:
    """One page's camera, from its connection to its end. Made by ``Cameras.join``; a context manager."""

    def __init__(
        self, name: str, greeting: str, runner: Runner, leave: Callable[[], None], clock: Callable[[], float]
    ) -> None:
        self.name = name
        self._runner = runner
        self._leave = leave
        self._clock = clock
        self._source = PushSource(name)
        self._texts = deque([greeting])
        self._pongs: deque[str] = deque(maxlen=MAX_PONGS)
        self._under_way: deque[_Sent] = deque()
        self._answers: deque[tuple[_Sent, FrameResult | None, LiveStatus]] = deque()
        self._received = 0
        self._skipped = 0
        self._first_t: float | None = None
        self._last: tuple[int, float] = (-1, 0.0)  # seq and t of the newest
        self._explain = self._explained_before = -1
        self._end: CameraClosed | None = None
        self._wake = asyncio.Event()
        runner.attach(name, lambda: self._source, wire.CAMERA)

    def handle(self, message: wire.CameraFrame | wire.Ack | wire.Ping | wire.Want | wire.Explain) -> None:
        """Takes what the page says. Raises WireError for a picture out of turn; what only a viewer says is ignored."""
        match message:
            case wire.CameraFrame():
                self._take(message)
            case wire.Ping(t):
                self._pongs.append(wire.pong(t))
            case wire.Explain(choice) if choice != self._explain:
                self._explain, self._explained_before = choice, self._explain
                self._runner.explain(self.name, frozenset({choice}))
        self._wake.set()

    async def next(self) -> str | bytes:
        """Waits for what to send next; an answer counts as given when it is returned.

        Raises CameraClosed. Safe to cancel; one caller at a time.
        """
        while True:
            if self._texts:
                return self._texts.popleft()
            if self._answers:
                return self._answer(*self._answers.popleft())
            if self._end is not None:  # after what was answered: the reason may be a later picture's
                raise self._end
            if self._pongs:
                return self._pongs.popleft()
            self._wake.clear()
            await self._wake.wait()

    def publish(self, frame: Frame, result: FrameResult, status: LiveStatus) -> None:
        """A picture was classified: it and all before it are answered."""
        while self._under_way and self._under_way[0].index <= frame.index:
            sent = self._under_way.popleft()
            self._answers.append((sent, result if sent.index == frame.index else None, status))
        self._wake.set()

    def set_status(self, status: LiveStatus) -> None:
        """The source's state changed. One that failed ends the connection, with what was wrong with the picture."""
        if status.state == "live":
            self._texts.append(wire.status(self._counted(status)))
        elif status.state == "failed" and self._source.broken:
            self._end = CameraClosed(wire.CLOSE_MALFORMED, f"jpeg: {self._source.broken}")
        elif status.state == "failed":
            self._end = CameraClosed(wire.CLOSE_FAILED, status.reason)
        self._wake.set()

    def overtake(self, times: int) -> None:
        """Results that a newer one replaced on their way here: their pictures are answered with that one."""

    def close(self) -> None:
        """The server is going away."""
        self._answers.clear()
        self._end = CameraClosed(wire.CLOSE_GOING_AWAY, "the server is going away")
        self._wake.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        self._source.close()
        self._runner.detach(self.name, 0.0)  # it ends by itself in a moment; the event loop does not wait for it

    def _greet(self, greeting: str) -> None:
        self._texts.append(greeting)
        self._wake.set()

    def _take(self, frame: wire.CameraFrame) -> None:
        if len(self._under_way) + len(self._answers) >= MAX_UNDER_WAY:
            raise wire.WireError(f"seq: {frame.seq} came before one of the {MAX_UNDER_WAY} before it was answered")
        last_seq, last_t = self._last
        if frame.seq <= last_seq:
            raise wire.WireError(f"seq: expected more than {last_seq}, received {frame.seq}")
        if frame.t < last_t:
            raise wire.WireError(f"t: the clock went back, from {last_t} to {frame.t}")
        self._last = frame.seq, frame.t
        self._first_t = frame.t if self._first_t is None else self._first_t
        sent = _Sent(self._received, frame.seq, frame.t, self._clock())
        self._received += 1
        self._under_way.append(sent)
        media_s = (frame.t - self._first_t) / 1000.0
        self._source.push(frame.jpeg, index=sent.index, media_s=media_s, captured_s=sent.received_s)

    def _answer(self, sent: _Sent, result: FrameResult | None, status: LiveStatus) -> str | bytes:
        if result is None:
            self._skipped += 1
            return wire.skipped(sent.seq)
        # The map it had before until the new one comes: this picture may have been classified before it chose.
        result = result.explaining(self._explain, self._explained_before)
        header = wire.result_header(
            result,
            self._counted(status),
            seq=sent.seq,
            age_ms=max(0.0, self._clock() - sent.received_s) * 1000.0,
            jpeg_hw=None,
        )
        return wire.encode_result({**header, "source": wire.CAMERA, "t": sent.t}, result.cam, None)

    def _counted(self, status: LiveStatus) -> LiveStatus:
        """In the page's terms: its pictures that were received, and those answered as skipped."""
        return replace(status, captured=self._received, dropped=self._skipped, late=0)


class Cameras:
    """The pages' own cameras that are connected now. All methods are called on the event loop.

    connected: by the name under which each is attached to the runner, which is nobody else's business; whoever brings
    results (serving/bridge.py) looks here for whom they are. greeting: the text that every page gets first.
    """

    def __init__(self, greeting: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.connected: dict[str, Camera] = {}
        self._greeting = greeting
        self._clock = clock
        self._numbers = itertools.count(1)
        self._closed = False
        self._empty = asyncio.Event()
        self._empty.set()

    def join(self, runner: Runner) -> Camera:
        """A new camera; leaving its ``with`` block takes it out again."""
        name = f"{wire.CAMERA}-{next(self._numbers)}"

        def leave() -> None:
            del self.connected[name]
            if not self.connected:
                self._empty.set()

        camera = self.connected[name] = Camera(name, self._greeting, runner, leave, self._clock)
        self._empty.clear()
        if self._closed:
            camera.close()
        return camera

    def greet(self, greeting: str) -> None:
        """Another greeting from now on, also for those who had the last one."""
        self._greeting = greeting
        for camera in self.connected.values():
            camera._greet(greeting)

    def close(self) -> None:
        """Every camera's ``next`` raises CameraClosed from now on."""
        self._closed = True
        for camera in self.connected.values():
            camera.close()

    async def wait_empty(self) -> None:
        """Returns when none is left. Safe to cancel."""
        await self._empty.wait()
