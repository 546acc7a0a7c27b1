"""The viewers of one source: who gets which result, and when. No sockets and no threads; lives on one event loop.

Nothing is queued for a viewer. It asks (``Viewer.next``) and gets the newest result there is, unless MAX_IN_FLIGHT
are not yet acknowledged: a hidden tab costs nothing, a slow link skips frames instead of falling behind, and nobody
waits for anybody else. A JPEG is made when the first viewer asks for one of that result, in ``executor``, once; while
one is being made the others wait for the same. Viewers that take a result at the same moment and want the same of it
get the same bytes.

Each viewer has a class whose heat maps it wants. The set of them all is what the model is asked to explain; who takes
no results is not counted, so that a hidden tab's choice costs no inference either.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Self

import cv2

from realtime.frames import Frame, FrameResult, Picture
from realtime.live import LiveStatus
from serving import wire

log = logging.getLogger(__name__)

MAX_IN_FLIGHT = 2  # one on the way while one is drawn; a third would only add its age
MAX_PONGS = 8  # unsent; who pings faster than it reads loses the oldest
MAX_CLASSES = 3  # explained at a time, the most probable among them: each costs a run of the whole network
STALLED_S = 10.0  # who has acknowledged nothing for so long is hidden or paused; the slowest link is quicker
SHARED_S = 0.005  # so long a message is handed to further viewers before its age is reckoned anew
PICTURE_MAX_SIDE = 1280  # pixels; what a page shows, and 2 ms to encode
JPEG_QUALITY = 80


class HubClosed(Exception):  # noqa: N818 - an end, not an error
    """The server is going away; there is nothing more to send."""


@dataclass(frozen=True, slots=True)
class Jpeg:
    """An encoded picture and its size in pixels."""

    data: bytes
    size_hw: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Glimpse:
    """A source's newest result, and what there is of its picture: as it came, or what its viewers get as JPEG."""

    seq: int
    result: FrameResult
    picture: Picture | None
    jpeg: bytes | None

    @property
    def has_picture(self) -> bool:
        """False when its JPEG could not be made."""
        return self.picture is not None or self.jpeg is not None


@dataclass(slots=True)
class HubCounts:
    """What went through a hub since the start.

    published: results. overtaken: those that never were, as a newer one came while the event loop was busy.
    sent: result messages, over all viewers. skipped: results that a viewer never got because a newer one was there when
    it could take one, over all viewers. encoded: JPEGs made. encode_failures: JPEGs that could not be made.
    """

    published: int = 0
    overtaken: int = 0
    sent: int = 0
    skipped: int = 0
    encoded: int = 0
    encode_failures: int = 0


@dataclass(slots=True, eq=False)
class _Item:
    """One published result. settled: its JPEG is made, or could not be. messages: when made, and the bytes, by wish."""

    seq: int
    picture: Picture | None
    result: FrameResult
    status: LiveStatus
    captured_s: float
    jpeg: Jpeg | None = None
    settled: bool = False
    messages: dict[tuple[int, int, bool], tuple[float, bytes]] = field(default_factory=dict)


def encode_jpeg(picture: Picture) -> Jpeg:
    """The picture as viewers see it. Takes milliseconds: not for the event loop. Raises ValueError or cv2.error."""
    rgb = picture.rgb(max_side=PICTURE_MAX_SIDE)
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise ValueError("the JPEG encoder gave nothing")
    return Jpeg(data.tobytes(), (rgb.shape[0], rgb.shape[1]))


class Hub:
    """One source's viewers. All methods are called on the event loop.

    greeting: the text that every viewer gets first. executor: where JPEGs are made; at most one job of this hub is
    in it at a time. clock: monotonic seconds, the one that stamped ``Frame.captured_s``. on_wanted: an attribute to
    set; told the classes that the viewers want maps of when they change. Without viewers, as at first, that is {-1}.
    """

    def __init__(
        self, source: str, greeting: str, executor: Executor, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.source = source
        self.counts = HubCounts()
        self.closed = False
        self._greeting = greeting
        self._executor = executor
        self._clock = clock
        self.on_wanted: Callable[[frozenset[int]], None] = _ignore
        self._wanted = frozenset({-1})
        self._viewers: set[Viewer] = set()
        self._newest: _Item | None = None
        self._encoding: _Item | None = None
        self._status = LiveStatus("connecting")
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def viewers(self) -> int:
        """How many are watching."""
        return len(self._viewers)

    def glimpse(self) -> Glimpse | None:
        """The newest result, for whoever wants a look without being a viewer; None before the first."""
        if (newest := self._newest) is None:
            return None
        return Glimpse(newest.seq, newest.result, newest.picture, newest.jpeg.data if newest.jpeg else None)

    def join(self) -> Viewer:
        """A new viewer; leaving its ``with`` block takes it out again. It starts with the newest result."""
        viewer = Viewer(self, [self._greeting, wire.status(self._status, self.counts.overtaken)])
        self._viewers.add(viewer)
        self._empty.clear()
        self._update_wanted()
        return viewer

    def publish(self, frame: Frame, result: FrameResult, status: LiveStatus) -> None:
        """Offers a result to everyone; the one before is forgotten. A frame without ``captured_s`` is aged from now."""
        captured_s = frame.captured_s if frame.captured_s is not None else self._clock()
        self._newest = _Item(self.counts.published, frame.picture, result, status, captured_s)
        self.counts.published += 1
        self._update_wanted()
        for viewer in self._viewers:
            viewer._look()

    def overtake(self, times: int) -> None:
        """Counts results that a newer one replaced before they could be published."""
        self.counts.overtaken += times

    def set_status(self, status: LiveStatus) -> None:
        """Tells everyone how the source is doing, when its state changed or the reason for it."""
        before, self._status = self._status, status
        if (status.state, status.cause, status.reason) != (before.state, before.cause, before.reason):
            for viewer in self._viewers:
                viewer._tell_state(wire.status(status, self.counts.overtaken))

    def greet(self, greeting: str) -> None:
        """Another greeting from now on, also for those who had the last one: the model runs elsewhere, say."""
        self._greeting = greeting
        for viewer in self._viewers:
            viewer._greet(greeting)

    def close(self) -> None:
        """Every viewer's ``next`` raises HubClosed from now on."""
        self.closed = True
        self._newest = None
        for viewer in self._viewers:
            viewer._wake.set()

    async def wait_empty(self) -> None:
        """Returns when nobody is left. Safe to cancel."""
        await self._empty.wait()

    def _leave(self, viewer: Viewer) -> None:
        self._viewers.discard(viewer)
        self._update_wanted()
        if not self._viewers:
            self._empty.set()

    def _may_explain(self, viewer: Viewer, choice: int) -> bool:
        """Whether there is room for ``choice``: -1 always has a place, for whoever joins starts with it."""
        others = {other._explain for other in self._viewers if other is not viewer}
        return choice in others or len(others | {-1, choice}) <= MAX_CLASSES

    def _update_wanted(self) -> None:
        now_s = self._clock()
        wanted = frozenset(viewer._explain for viewer in self._viewers if not viewer._stalled(now_s)) or frozenset({-1})
        if wanted != self._wanted:
            self._wanted = wanted
            self.on_wanted(wanted)

    def _encode(self, item: _Item) -> None:
        """Starts on ``item``'s JPEG unless one is being made; whoever waits gets that one, then the newest."""
        if self._encoding is not None or item.picture is None:
            return
        self._encoding = item
        job = asyncio.get_running_loop().run_in_executor(self._executor, encode_jpeg, item.picture)
        job.add_done_callback(partial(self._encoded, item))

    def _encoded(self, item: _Item, job: asyncio.Future[Jpeg]) -> None:
        self._encoding = None
        item.picture, item.settled = None, True  # a decoded 4K frame is 12 MB
        if job.cancelled():
            return
        error = job.exception()
        if error is None:
            item.jpeg = job.result()
            self.counts.encoded += 1
        else:
            if not self.counts.encode_failures:
                text, about = "source %s: a picture cannot be encoded; results go on without", {"source": self.source}
                log.error(text, self.source, exc_info=error, extra=about)
            self.counts.encode_failures += 1
        # Handed over rather than announced: by the time a viewer looks there may be a newer result without a JPEG, and
        # where encoding is slower than the camera it would wait for ever.
        for viewer in self._viewers:
            viewer._hand(item)

    def _message(self, item: _Item, viewer: Viewer) -> bytes:
        now_s, wish = self._clock(), (viewer._explain, viewer._explained_before, viewer._wants_picture)
        made_s, message = item.messages.get(wish, (-math.inf, b""))
        if now_s - made_s > SHARED_S:
            message = self._new_message(item, viewer, now_s)
            item.messages[wish] = now_s, message
        return message

    def _new_message(self, item: _Item, viewer: Viewer, now_s: float) -> bytes:
        jpeg = item.jpeg if viewer._wants_picture else None
        # The map it had before until the new one comes: this frame may have been classified before it chose.
        result = item.result.explaining(viewer._explain, viewer._explained_before)
        header = wire.result_header(
            result,
            item.status,
            seq=item.seq,
            age_ms=max(0.0, now_s - item.captured_s) * 1000.0,
            jpeg_hw=jpeg.size_hw if jpeg else None,
            overtaken=self.counts.overtaken,
        )
        return wire.encode_result(header, result.cam, jpeg.data if jpeg else None)


def _ignore(wanted: frozenset[int]) -> None:
    pass


class Viewer:
    """One who watches: what it may get next, and what it said. Made by ``Hub.join``; a context manager."""

    def __init__(self, hub: Hub, first: list[str]) -> None:
        self._hub = hub
        self._first = deque(first)
        self._state_text: str | None = None
        self._pongs: deque[str] = deque(maxlen=MAX_PONGS)
        self._notice_text: str | None = None
        self._wants_picture = True
        self._explain = self._explained_before = -1
        self._full_since_s: float | None = None
        self._in_flight: deque[int] = deque()
        newest = hub._newest
        self._last_seq = newest.seq - 1 if newest is not None else hub.counts.published - 1
        self._handed: _Item | None = None
        self._waits_for_jpeg = False
        self._asking = False
        self._wake = asyncio.Event()

    async def next(self) -> str | bytes:
        """Waits for what to send next: text at once, results while fewer than MAX_IN_FLIGHT are unacknowledged.

        A result counts as sent when it is returned. Raises HubClosed. Safe to cancel; one caller at a time.
        """
        while True:
            if self._hub.closed:
                raise HubClosed
            if (text := self._next_text()) is not None:
                return text
            if (item := self._next_item()) is not None:
                self._hub.counts.skipped += item.seq - self._last_seq - 1
                self._hub.counts.sent += 1
                self._last_seq = item.seq
                self._in_flight.append(item.seq)
                if len(self._in_flight) == MAX_IN_FLIGHT:
                    self._full_since_s = self._hub._clock()
                return self._hub._message(item, self)
            self._wake.clear()
            self._asking = True
            try:
                await self._wake.wait()
            finally:
                self._asking = False

    def handle(self, message: wire.Ack | wire.Ping | wire.Want | wire.Explain) -> None:
        """Takes what the viewer says. Raises WireError for an acknowledgement of what was never sent.

        An acknowledgement covers everything before it: a page draws the newest and throws the others away.
        """
        match message:
            case wire.Ack(seq):
                if seq > self._last_seq:
                    raise wire.WireError(f"seq: {seq} was never sent to this viewer")
                while self._in_flight and self._in_flight[0] <= seq:
                    self._in_flight.popleft()
                    self._full_since_s = None
                self._hub._update_wanted()
                self._look()
                return
            case wire.Ping(t):
                self._pongs.append(wire.pong(t))
            case wire.Want(picture):
                self._wants_picture = picture
            case wire.Explain(choice) if self._hub._may_explain(self, choice):
                if choice != self._explain:
                    self._explain, self._explained_before = choice, self._explain
                self._hub._update_wanted()
            case wire.Explain():
                why = f"other viewers have chosen {MAX_CLASSES - 1} classes to explain, and no more can be at a time"
                self._notice_text = wire.notice(why, self._explain)
        self._wake.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hub._leave(self)

    def _next_text(self) -> str | None:
        if self._first:
            return self._first.popleft()
        if self._state_text is not None:
            text, self._state_text = self._state_text, None
            return text
        if self._notice_text is not None:
            text, self._notice_text = self._notice_text, None
            return text
        return self._pongs.popleft() if self._pongs else None

    def _next_item(self) -> _Item | None:
        if self._handed is not None:
            item, self._handed = self._handed, None
            newest = self._hub._newest
            # A text may have gone out first, to a slow reader, and there is a newer one by now.
            return newest if newest is not None and newest.settled else item
        self._waits_for_jpeg = False
        newest = self._hub._newest
        if newest is None or newest.seq <= self._last_seq or len(self._in_flight) >= MAX_IN_FLIGHT:
            return None
        if not self._wants_picture or newest.settled:
            return newest
        self._waits_for_jpeg = True
        self._hub._encode(newest)
        return None

    def _look(self) -> None:
        """There is a newer result, or room for one: wakes the sender if it can have it now.

        Woken each time it would look three times for each result, twice in vain.
        """
        if self._asking and (self._handed is not None or self._next_item() is not None):
            self._wake.set()

    def _hand(self, item: _Item) -> None:
        if self._waits_for_jpeg:
            if item.seq > self._last_seq:  # else it joined when there was a newer one, and asks for that
                self._handed = item
            self._waits_for_jpeg = False
            self._wake.set()

    def _stalled(self, now_s: float) -> bool:
        return self._full_since_s is not None and now_s - self._full_since_s > STALLED_S

    def _greet(self, greeting: str) -> None:
        self._first.append(greeting)
        self._wake.set()

    def _tell_state(self, text: str) -> None:
        # The newest state is enough, and one that joined a moment ago learns it from there.
        self._state_text = text
        self._wake.set()
