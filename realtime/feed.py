"""One live source on its way through a LiveRunner: its newest frame, its memory, its counts and its thread."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from realtime.engine import Engine
from realtime.frames import Frame
from realtime.handoff import LatestSlot
from realtime.parts import Part
from realtime.pipeline import Pipeline
from realtime.reconnecting import Health, ReportsHealth
from realtime.sources import Source

OVER = ("ended", "failed", "stopped")
CAMERA_STATES = ("connecting", "live", "stalled", "retrying")
STATES = (*CAMERA_STATES, *OVER)
RATE_WINDOW_S = 2.0
READ_HANGS_S = 10.0  # for one frame of a recording, beside its own pauses: a disk that went to sleep takes seconds


@dataclass(frozen=True, slots=True)
class LiveStatus:
    """How a live source is doing.

    state: "connecting", "live", "ended", "failed" or "stopped", and for a camera also "stalled" and "retrying" (drawn
    in realtime/reconnecting.py). reason: why, in words, and cause: as a word of realtime.errors.Cause, where it is one
    of these. captured: frames read. dropped: frames overwritten by a newer one before they were classified. damaged:
    what came and could not be decoded or classified. reconnects: times a camera came back by a new connection. stalls:
    times one fell silent. classified: results given. rate: results/s over the last two seconds. size_hw: of the
    picture, pixels. late: those of ``dropped`` that were overtaken on the way out of a camera's own thread; the others
    were overtaken while the model was busy. engine_s: seconds that the model has worked for this source. restarts:
    times that its capture thread was begun again. retries: times a camera's connection failed or was lost.
    """

    state: str
    reason: str = ""
    kind: str = ""
    captured: int = 0
    dropped: int = 0
    classified: int = 0
    rate: float = 0.0
    size_hw: tuple[int, int] = (0, 0)
    cause: str = ""
    damaged: int = 0
    reconnects: int = 0
    stalls: int = 0
    late: int = 0
    engine_s: float = 0.0
    restarts: int = 0
    retries: int = 0


class Feed:
    """What a runner keeps of a source. lasting: begun again when it dies of anything but a ReeflensError.

    capture: reads it until its end. Attributes are the runner's, which guards them; ``frame``, ``begin`` and ``end``
    are for the capture thread.
    """

    def __init__(
        self,
        name: str,
        open_source: Callable[[], Source],
        engine: Engine,
        wake: threading.Condition,
        capture: Callable[[Feed], None],
        on_part: Callable[[Feed], None],
        *,
        group: str = "",
        lasting: bool = True,
    ) -> None:
        self.name = name
        self.group = group  # those of one group take turns among themselves for one turn in the round
        self.lasting = lasting
        self.open_source = open_source
        self.slot: LatestSlot[Frame] = LatestSlot(wake)
        self.pipeline = Pipeline(engine)
        self.explain = frozenset({-1})  # replaced from other threads, read once per frame
        self.source: Source | None = None
        self.camera: ReportsHealth | None = None  # the source, when it has states of its own
        self.turn = 0  # when it was served last, in turns of the inference thread
        self.failures = 0  # to classify a frame, since the start
        self.in_a_row = 0  # of these
        self.troubled = False  # the status tells of our trouble, not of the source's
        self.over = False  # the inference thread has taken the end
        self.leaving = threading.Event()
        self.forgotten = False  # nobody is told of it any more; guarded by `telling`
        self.telling = threading.RLock()  # re-entrant: a receiver may detach the source it is told of
        self.times_s: deque[float] = deque()
        self.status = LiveStatus("connecting")
        self._before = Health()  # counts of the sources before this one, where it was opened anew
        self._last: tuple[Frame, float] | None = None  # and when it came
        self._first: Frame | None = None  # of this source
        self._offset = (0, 0.0)  # of this source's numbers and times
        self.part = Part(
            f"capture-{name}",
            lambda: capture(self),
            hangs_s=READ_HANGS_S,
            replace=True,
            excused=self._rests,
            on_change=lambda status: on_part(self),
        )

    def begin(self) -> None:
        """A source is about to be opened, for the first time or again."""
        before, self.source, self.camera = self._health(), None, None
        self._before, self._first = before, None

    def frame(self, frame: Frame, now_s: float) -> Frame:
        """As it is told: numbers and media time go on where a source was opened anew."""
        if self._first is None:
            self._first = frame
            if self._last is not None:
                last, came_s = self._last
                self._offset = last.index + 1 - frame.index, last.media_s + max(now_s - came_s, 1e-3) - frame.media_s
        index, media_s = self._offset
        if (index, media_s) != (0, 0.0):
            frame = replace(frame, index=frame.index + index, media_s=frame.media_s + media_s)
        self._last = frame, now_s
        return frame

    def rate(self, now_s: float) -> float:
        """Results/s over the last two seconds."""
        while self.times_s and now_s - self.times_s[0] > RATE_WINDOW_S:
            self.times_s.popleft()
        if len(self.times_s) < 2 or self.times_s[-1] <= self.times_s[0]:
            return 0.0
        return (len(self.times_s) - 1) / (self.times_s[-1] - self.times_s[0])  # N ticks are N - 1 intervals

    def counted(self, now_s: float) -> LiveStatus:
        """The status with the counters that others keep."""
        health = self._health()
        return replace(
            self.status,
            rate=self.rate(now_s),
            dropped=self.slot.overwritten + health.late,
            damaged=health.damaged + self.failures,
            reconnects=health.reconnects,
            stalls=health.stalls,
            late=health.late,
            restarts=self.part.status.restarts,
            retries=health.retries,
        )

    def leave(self) -> None:
        """Asks the capture thread to end, and wakes it."""
        self.leaving.set()
        if self.source is not None:
            self.source.close()
        self.slot.close()

    def _health(self) -> Health:
        """The counts of all its sources."""
        now = self.camera.health if self.camera is not None else Health()
        before = self._before
        return Health(
            late=before.late + now.late,
            damaged=before.damaged + now.damaged + int(getattr(self.source, "damaged", 0)),
            reconnects=before.reconnects + now.reconnects,
            retries=before.retries + now.retries,
            stalls=before.stalls + now.stalls,
        )

    def _rests(self) -> bool:
        """A camera has its own patience, a recording its pace, and a page sends when it likes."""
        return not self.lasting or self.camera is not None or bool(getattr(self.source, "resting", False))
