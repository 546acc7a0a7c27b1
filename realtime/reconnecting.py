"""A camera that is lost and comes back: when to wait, when to give up on a connection, when to try again.

                         a frame
      connecting ─────────────────────────▶ live ◀──────────────────────────┐
          │                                │    │                           │ a frame, of this connection
          │ an error, or nothing           │    │ no frame for `stall_s`    │
          │ for `answer_s`                 │    └──────────────────────▶ stalled
          │                       an error │                                │ none for `silent_s`, or an error
          ▼                                ▼                                ▼
      retrying  (the next connection is due, after a back-off, or under way) ◀┘
          │ a frame: live

      from everywhere: stopped (we were asked to), ended (a recording on a web server is over),
                       failed (an error that trying again does not mend, such as one of our own)

A camera that was live is tried again at once and then every second, so that its picture is back within three seconds of
its return; one that never was, with growing pauses. Where asking often does harm or no good (a wrong
password locks accounts), the longest pause is taken from the start.

`Reconnection` decides and knows neither threads nor clocks. `Reconnecting` is the source around it: every connection
has a thread of its own, which is left behind when it hangs.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from realtime.errors import CameraError, Cause, ReeflensError, SourceError
from realtime.frames import Frame
from realtime.handoff import Closed, LatestSlot
from realtime.mediaclock import MediaClock
from realtime.sources import Source, SourceInfo

log = logging.getLogger(__name__)

MAX_HANGING = 2  # threads left behind per camera; with more, a driver that always hangs would eat the machine
LOOK_S = 0.5  # how often to look whether one of them has ended


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for what, in seconds.

    answer_s: for a new connection, and again for its first frame. stall_s: without a frame until a live camera is
    called stalled; silent_s: until its connection is given up. first_s, most_s: the first and the longest pause between
    attempts. lost_s: the longest one for a camera that was live. steady_s: after so long the next loss is a new one.
    """

    answer_s: float = 7.0
    stall_s: float = 2.0
    silent_s: float = 5.0
    first_s: float = 0.5
    most_s: float = 10.0
    lost_s: float = 1.0
    steady_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Health:
    """How a camera is doing.

    state: "connecting", "live", "stalled", "retrying", "ended", "failed" or "stopped". cause, reason: why, as a word of
    realtime.errors.Cause and as a sentence; empty while all is well. reconnects: times it came back by a new
    connection. retries: times a connection failed or was lost, and another is due. stalls: times it fell silent. late:
    frames let go by undecoded, or overtaken on the way out of its thread. damaged: what could not be decoded.
    """

    state: str = "connecting"
    cause: str = ""
    reason: str = ""
    reconnects: int = 0
    retries: int = 0
    stalls: int = 0
    late: int = 0
    damaged: int = 0


@runtime_checkable
class ReportsHealth(Protocol):
    """A source that says more of itself than its frames do."""

    @property
    def health(self) -> Health:
        """Now; from any thread."""

    def watch(self, on_change: Callable[[Health], None]) -> None:
        """From now on tells every change of state or reason, on the iterating thread."""


class Action(Enum):
    """What the world has to do now."""

    WAIT = "wait"
    CONNECT = "connect"
    ABANDON = "abandon"


class Reconnection:
    """The states and their times. All times are monotonic seconds; ``chance`` gives numbers in [0, 1)."""

    def __init__(self, patience: Patience, chance: Callable[[], float] = random.random) -> None:
        self.health = Health()
        self._patience = patience
        self._chance = chance
        self._connected = False  # a connection exists, or is being made
        self._waiting_since_s = 0.0  # of that connection: since its begin, its opening, or its newest frame
        self._answered = False  # it gave a frame
        self._live_since_s = 0.0
        self._was_live = False
        self._failures = 0
        self._retry_s: float | None = None  # None: at once

    @property
    def over(self) -> bool:
        """Nothing more will happen."""
        return self.health.state in ("ended", "failed", "stopped")

    def next_s(self) -> float | None:
        """When ``tick`` has something to say if nothing happens before; None: now, or never when it is over."""
        if not self._connected:
            return self._retry_s
        if not self._answered:
            return self._waiting_since_s + self._patience.answer_s
        limit_s = self._patience.silent_s if self.health.state == "stalled" else self._patience.stall_s
        return self._waiting_since_s + limit_s

    def tick(self, now_s: float) -> Action:
        """Time has passed. CONNECT is repeated until ``connecting`` is called; ABANDON comes once per connection."""
        if self.over:
            return Action.WAIT
        if not self._connected:
            return Action.CONNECT if self._retry_s is None or now_s >= self._retry_s else Action.WAIT
        silent_s = now_s - self._waiting_since_s
        if not self._answered:
            if silent_s < self._patience.answer_s:
                return Action.WAIT
            self.broke(now_s, Cause.TIMEOUT, "the camera does not answer in time")
            return Action.ABANDON
        if silent_s >= self._patience.silent_s:
            self.broke(now_s, Cause.SILENT, "the camera is connected and sends no picture")
            return Action.ABANDON
        if silent_s >= self._patience.stall_s and self.health.state == "live":
            self._enter("stalled", Cause.SILENT, "no new picture comes", stalls=self.health.stalls + 1)
        return Action.WAIT

    def connecting(self, now_s: float) -> None:
        """A connection was begun."""
        self._connected, self._answered, self._waiting_since_s = True, False, now_s

    def connected(self, now_s: float) -> None:
        """It stands; its first frame has as long to come."""
        if not self._answered:
            self._waiting_since_s = now_s

    def frame(self, now_s: float) -> None:
        """A frame came."""
        self._waiting_since_s = now_s
        if not self._answered:
            self._answered, self._live_since_s = True, now_s
            again = self._was_live
            self._was_live = True
            self._enter("live", reconnects=self.health.reconnects + again)
        elif self.health.state != "live":
            self._enter("live")
        if now_s - self._live_since_s >= self._patience.steady_s:
            self._failures = 0

    def broke(self, now_s: float, cause: Cause, reason: str) -> None:
        """The connection failed or was lost."""
        pause_s = self._pause_s(cause)
        self._failures += 1
        self._connected = self._answered = False
        self._retry_s = None if pause_s == 0.0 else now_s + pause_s
        self._enter("retrying", cause, reason, retries=self.health.retries + 1)

    def crowded(self) -> None:
        """A connection is due, and cannot be made while so many before it still hang."""
        self._enter("retrying", Cause.TIMEOUT, "its driver hangs in connections before; only a new start may help")

    def end(self, state: str, reason: str = "") -> None:
        """It is over: "ended", "failed" or "stopped". Only the first call counts."""
        if not self.over:
            self._enter(state, "", reason)

    def _pause_s(self, cause: Cause) -> float:
        wait = self._patience
        slow = (Cause.UNAUTHORISED,) if self._was_live else (Cause.UNAUTHORISED, Cause.NOT_FOUND, Cause.NOT_VIDEO)
        if cause in slow:
            pause_s = wait.most_s
        elif self._was_live and self._failures == 0:
            return 0.0
        else:
            doubled = self._failures - self._was_live
            pause_s = min(wait.first_s * 2.0 ** min(doubled, 30), wait.lost_s if self._was_live else wait.most_s)
        return pause_s * (0.5 + 0.5 * self._chance())  # cameras that fell out together do not come back together

    def _enter(self, state: str, cause: str = "", reason: str = "", **counts: int) -> None:
        self.health = replace(self.health, state=state, cause=str(cause), reason=reason, **counts)


class _Attempt:
    """One connection, on a thread of its own: opens the source, reads it, keeps its newest frame."""

    def __init__(self, name: str, open_source: Callable[[], Source], wake: threading.Condition) -> None:
        self.slot: LatestSlot[Frame] = LatestSlot(wake)
        self.source: Source | None = None  # once it is open
        self._open_source = open_source
        self._wake = wake
        self._abandoned = threading.Event()
        self.thread = threading.Thread(target=self._work, name=f"camera-{name}", daemon=True)
        self.thread.start()

    @property
    def damaged(self) -> int:
        return int(getattr(self.source, "damaged", 0))

    @property
    def late(self) -> int:
        return self.slot.overwritten + int(getattr(self.source, "late", 0))

    def abandon(self) -> None:
        """Asks it to end, whenever what it hangs in lets it go; nothing of it is seen any more."""
        self._abandoned.set()
        if self.source is not None:
            self.source.close()

    def _work(self) -> None:
        try:
            with self._open_source() as source:
                with self._wake:
                    self.source = source
                    self._wake.notify_all()
                if self._abandoned.is_set():
                    source.close()
                for frame in source:  # also when abandoned: a source tidies up at the end of its iteration
                    if self._abandoned.is_set():
                        break
                    self.slot.put(frame)
            self.slot.close()
        except SourceError as error:
            self.slot.close(error.with_traceback(None))  # which holds us, and a decoder with its threads
        except Exception as error:  # kept and shown by the thread that waits for us
            self.slot.close(error)


class Reconnecting:
    """A source that never ends by itself because a camera is lost: it connects again and goes on counting.

    open_source: opens the camera, raising CameraError; may block, and may be called on another thread while an
    earlier call still hangs. Frame numbers and media time go on over all connections. Constructing it opens nothing.
    Iterating raises what ``open_source`` raises when that is no SourceError.
    """

    def __init__(
        self,
        open_source: Callable[[], Source],
        *,
        name: str,
        kind: str,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.name = name
        self._open_source = open_source
        self._clock = clock
        self._machine = Reconnection(patience or Patience(), chance)
        self._wake = threading.Condition()
        self._stop = threading.Event()
        self._attempt: _Attempt | None = None
        self._hanging: list[threading.Thread] = []
        self._late = self._damaged = 0  # of the connections before this one
        self._counting = threading.Lock()  # so that nobody sees a connection counted twice, or not at all
        self._on_change: Callable[[Health], None] = lambda health: None
        self._told = self._machine.health
        self._info = SourceInfo(kind=kind, size_hw=(0, 0))

    @property
    def info(self) -> SourceInfo:
        """What the newest connection announced; only the kind is known before the first."""
        return self._info

    @property
    def health(self) -> Health:
        """Now; from any thread."""
        health = self._machine.health
        with self._counting:
            late, damaged = self._late, self._damaged
            if self._attempt is not None:
                late, damaged = late + self._attempt.late, damaged + self._attempt.damaged
        return replace(health, late=late, damaged=damaged)

    def watch(self, on_change: Callable[[Health], None]) -> None:
        """Tells ``on_change`` every change of state or reason from now on, on the iterating thread."""
        self._on_change = on_change

    def __iter__(self) -> Iterator[Frame]:
        media, index = MediaClock(), 0
        try:
            while not self._stop.is_set():
                frame = self._next()
                self._tell()
                if self._machine.over:
                    return
                if frame is not None:
                    captured_s = frame.captured_s if frame.captured_s is not None else self._clock()
                    media_s = media.step(frame.media_s, captured_s)
                    yield replace(frame, index=index, media_s=media_s, captured_s=captured_s)
                    index += 1
        except ReeflensError as error:
            self._machine.end("failed", str(error))
            raise
        except Exception as error:
            self._machine.end("failed", type(error).__name__)
            raise
        finally:
            self._machine.end("stopped")
            self._leave()
            self._tell()

    def close(self) -> None:
        """Wakes the iterator, which stops at once, whatever the camera does; from any thread."""
        self._stop.set()
        with self._wake:
            self._wake.notify_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _next(self) -> Frame | None:
        """Waits for the next thing to happen and lets the machine know; a frame when that was one."""
        action = self._machine.tick(self._clock())
        if action is Action.ABANDON:
            self._leave()
            return None  # so that the change is told before the next connection is made
        crowded = action is Action.CONNECT and self._crowded()
        if crowded:
            self._machine.crowded()
        if action is Action.CONNECT and not crowded:
            self._machine.connecting(self._clock())
            self._attempt = _Attempt(self.name, self._open_source, self._wake)
        attempt = self._attempt
        opened = attempt is not None and attempt.source is not None
        with self._wake:
            self._wake.wait_for(
                lambda: self._stop.is_set() or (attempt is not None and _news(attempt, opened)), self._wait_s()
            )
        if attempt is None or self._stop.is_set():
            return None
        if not opened and attempt.source is not None:
            self._machine.connected(self._clock())
            self._info = attempt.source.info
        return self._take(attempt)

    def _take(self, attempt: _Attempt) -> Frame | None:
        try:
            frame = attempt.slot.get(timeout=0.0)
        except TimeoutError:
            return None
        except Closed:
            self._machine.end("ended")
        except SourceError as error:
            self._lost(error)
        else:
            self._machine.frame(self._clock())
            return frame
        return None

    def _lost(self, error: SourceError) -> None:
        error.with_traceback(None)
        self._leave()
        cause = error.cause if isinstance(error, CameraError) else Cause.GONE
        self._machine.broke(self._clock(), cause, error.reason)

    def _leave(self) -> None:
        if (attempt := self._attempt) is not None:
            attempt.abandon()
            with self._counting:
                self._late += attempt.late
                self._damaged += attempt.damaged
                self._attempt = None
            self._hanging = [thread for thread in (*self._hanging, attempt.thread) if thread.is_alive()]

    def _crowded(self) -> bool:
        self._hanging = [thread for thread in self._hanging if thread.is_alive()]
        return len(self._hanging) >= MAX_HANGING

    def _wait_s(self) -> float | None:
        due_s = self._machine.next_s()
        if self._attempt is not None:
            return None if due_s is None else max(0.0, due_s - self._clock())
        pause_s = 0.0 if due_s is None else due_s - self._clock()
        return pause_s if pause_s > 0.0 else LOOK_S  # due and not begun: too many threads hang, and none will wake us

    def _tell(self) -> None:
        before, now = self._told, self._machine.health
        if (before.state, before.cause, before.reason) == (now.state, now.cause, now.reason):
            return
        self._told = now
        about = {"source": self.name}
        if now.state in ("retrying", "stalled"):
            log.warning("source %s is %s: %s", self.name, now.state, now.reason, extra=about)
        elif now.state == "live" and before.state != "connecting":
            log.warning("source %s is live again", self.name, extra=about)
        else:
            log.info("source %s is %s", self.name, now.state, extra=about)
        self._on_change(now)


def _news(attempt: _Attempt, opened: bool) -> bool:
    return attempt.slot.ready or (not opened and attempt.source is not None)
