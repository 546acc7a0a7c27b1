"""The threads around live sources: one that reads per source, one that classifies the newest frames of all in turn."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from realtime.engine import Engine
from realtime.errors import ReeflensError
from realtime.frames import Frame, FrameResult
from realtime.handoff import Closed, LatestSlot
from realtime.pipeline import Pipeline, Scaled, infer_together, scaled
from realtime.reconnecting import Health, ReportsHealth
from realtime.sources import Source

log = logging.getLogger(__name__)

RATE_WINDOW_S = 2.0
GPU_TOGETHER = 16  # a GPU is hardly busy with one frame, a CPU with each of them (docs/engine.md)
GATHER_S = 0.004  # how long a frame may wait for those of other sources: an eighth of a frame at 30 frames/s
MAX_IN_A_ROW = 25  # frames that cannot be classified: a second of a camera, after which it is no accident


@dataclass(frozen=True, slots=True)
class LiveStatus:
    """How a live source is doing.

    state: "connecting", "live", "ended", "failed" or "stopped", and for a camera also "stalled" and "retrying" (drawn
    in realtime/reconnecting.py). reason: why, in words, and cause: as a word of realtime.errors.Cause, where it is one
    of these. captured: frames read. dropped: frames overwritten by a newer one before they were classified.
    damaged: what came and could not be decoded or classified. reconnects: times a camera came back by a new connection.
    stalls: times one fell silent. classified: results given. rate: results/s over the last two seconds. size_hw: of the
    picture, pixels. late: those of ``dropped`` that were overtaken on the way out of a camera's own thread; the others
    were overtaken while the model was busy. engine_s: seconds that the model has worked for this source.
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


OnResult = Callable[[Frame, FrameResult, LiveStatus], None]
OnStatus = Callable[[str, LiveStatus], None]
OVER = ("ended", "failed", "stopped")
CAMERA_STATES = ("connecting", "live", "stalled", "retrying")
STATES = (*CAMERA_STATES, *OVER)


class _Feed:
    """One source on its way: its newest frame, its memory, its counts and its thread."""

    def __init__(
        self, name: str, open_source: Callable[[], Source], engine: Engine, wake: threading.Condition, group: str = ""
    ) -> None:
        self.name = name
        self.group = group  # those of one group take turns among themselves for one turn in the round
        self.open_source = open_source
        self.slot: LatestSlot[Frame] = LatestSlot(wake)
        self.pipeline = Pipeline(engine)
        self.explain = frozenset({-1})  # replaced from other threads, read once per frame
        self.source: Source | None = None
        self.camera: ReportsHealth | None = None  # the source, when it has states of its own
        self.thread: threading.Thread | None = None
        self.turn = 0  # when it was served last, in turns of the inference thread
        self.failures = 0  # to classify a frame, since the start
        self.in_a_row = 0  # of these
        self.over = False  # the inference thread has taken the end
        self.leaving = threading.Event()
        self.forgotten = False  # nobody is told of it any more; guarded by `telling`
        self.telling = threading.RLock()  # re-entrant: a receiver may detach the source it is told of
        self.times_s: deque[float] = deque()
        self.status = LiveStatus("connecting")

    def rate(self, now_s: float) -> float:
        while self.times_s and now_s - self.times_s[0] > RATE_WINDOW_S:
            self.times_s.popleft()
        if len(self.times_s) < 2 or self.times_s[-1] <= self.times_s[0]:
            return 0.0
        return (len(self.times_s) - 1) / (self.times_s[-1] - self.times_s[0])  # N ticks are N - 1 intervals

    def counted(self, now_s: float) -> LiveStatus:
        """The status with the counters that others keep."""
        health = self.camera.health if self.camera is not None else Health()
        return replace(
            self.status,
            rate=self.rate(now_s),
            dropped=self.slot.overwritten + health.late,
            damaged=health.damaged + int(getattr(self.source, "damaged", 0)) + self.failures,
            reconnects=health.reconnects,
            stalls=health.stalls,
            late=health.late,
        )

    def leave(self) -> None:
        """Asks the capture thread to end, and wakes it."""
        self.leaving.set()
        if self.source is not None:
            self.source.close()
        self.slot.close()


class LiveRunner:
    """Reads any number of live sources and classifies their newest frames in turn on one engine.

    One capture thread per source puts frames into a slot that keeps the newest; one inference thread serves the
    slots round-robin, so that a fast camera cannot starve a slow one, nor a crowd of one group a single one. A frame
    that cannot be classified counts as damaged; MAX_IN_A_ROW of them in a row end the source with the reason of the
    last. on_result and on_status are called from these threads, never two at once for one source, and must return
    quickly; an exception in on_result ends that source with the reason. Sources come and go while it runs; all
    methods may be called from any thread.

    together: of how many sources one run of the model may take a frame, by default one on a CPU and GPU_TOGETHER on a
    GPU. gather_s: how long the first of these may wait for the others.
    """

    def __init__(
        self,
        engine: Engine,
        sources: Mapping[str, Callable[[], Source]],
        on_result: OnResult,
        on_status: OnStatus | None = None,
        *,
        together: int | None = None,
        gather_s: float = GATHER_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._at_most = together
        self._gather_s = gather_s
        self._wake = threading.Condition()
        # Replaced, never changed, so that every thread may iterate over the one it has.
        self._feeds = {name: _Feed(name, opener, engine, self._wake) for name, opener in sources.items()}
        self._on_result = on_result
        self._on_status = on_status
        self._clock = clock
        self._stopping = threading.Event()
        self._lock = threading.Lock()  # guards every feed's status
        self._inference: threading.Thread | None = None
        self._leftover: list[threading.Thread] = []  # of detached sources, still at work when detach gave up
        self._turn = 0
        self._group_turns: dict[str, int] = {}  # when one of a group was served last

    def start(self) -> None:
        """Starts the threads and returns at once. Raises RuntimeError when called twice."""
        with self._wake:
            if self._inference is not None:
                raise RuntimeError("a runner is started once")
            self._inference = _daemon("inference", self._classify)
            for feed in self._feeds.values():
                self._begin(feed)

    def attach(self, name: str, open_source: Callable[[], Source], group: str = "") -> None:
        """Adds a source; it is read at once when the runner runs, else from ``start`` on.

        group: sources of one group share one turn in the round, however many they are.
        Raises ValueError when the name is taken, RuntimeError after ``stop``.
        """
        with self._wake:
            if self._stopping.is_set():
                raise RuntimeError("the runner was stopped")
            if name in self._feeds:
                raise ValueError(f"source {name!r} is already there")
            feed = _Feed(name, open_source, self._engine, self._wake, group)
            feed.turn = self._turn
            self._feeds = {**self._feeds, name: feed}
            if self._inference is not None:
                self._begin(feed)

    def detach(self, name: str, timeout: float = 1.0) -> None:
        """Stops one source and forgets it: the name is free again, and nobody is told of the old one any more.

        Waits at most ``timeout`` seconds for its thread; one that hangs is left to end by itself. Called from within
        a callback it does not wait for that callback. Raises KeyError when there is no such source.
        """
        deadline_s = time.monotonic() + timeout
        with self._wake:
            feed = self._feeds[name]
            self._feeds = {other: kept for other, kept in self._feeds.items() if other != name}
            self._wake.notify_all()
        feed.leave()
        if feed.telling.acquire(timeout=max(0.0, deadline_s - time.monotonic())):
            try:
                if feed.status.state not in OVER:
                    self._change(feed, state="stopped", reason="", cause="")
                feed.forgotten = True
            finally:
                feed.telling.release()
        feed.forgotten = True  # also when a receiver holds on to it for longer than we may wait
        thread = feed.thread
        if thread is None or thread is threading.current_thread():
            return
        thread.join(max(0.0, deadline_s - time.monotonic()))
        with self._wake:
            self._leftover = [other for other in (*self._leftover, thread) if other.is_alive()]

    def explain(self, name: str, classes: Collection[int]) -> None:
        """From the next frame on, results of source ``name`` carry a map for each of ``classes`` (-1: most probable).

        Every class more is one more run of the network per frame. Raises ValueError for a class that the model does not
        have, or for none. A name that is not there does nothing: its viewers may learn later than we that it has left.
        """
        known = len(self._engine.contract.labels)
        if not classes or min(classes) < -1 or max(classes) >= known:
            raise ValueError(f"explain: expected at least one class from -1 to {known - 1}, received {sorted(classes)}")
        if (feed := self._feeds.get(name)) is not None:
            feed.explain = frozenset(classes)

    def stop(self, timeout: float = 3.0) -> bool:
        """Signals, wakes and joins all threads within ``timeout`` seconds; True when every one ended."""
        with self._wake:
            self._stopping.set()
            feeds = list(self._feeds.values())
            self._wake.notify_all()
        for feed in feeds:
            feed.leave()
        threads = [*self._leftover, *(feed.thread for feed in feeds), self._inference]
        deadline_s = time.monotonic() + timeout
        for thread in threads:
            if thread is not None:
                thread.join(max(0.0, deadline_s - time.monotonic()))
        for feed in feeds:
            if feed.status.state not in OVER:
                self._change(feed, state="stopped", reason="", cause="")
        return not any(thread is not None and thread.is_alive() for thread in threads)

    def status(self) -> dict[str, LiveStatus]:
        """How every source is doing now, by name."""
        now_s = self._clock()
        with self._lock:
            return {name: feed.counted(now_s) for name, feed in self._feeds.items()}

    def _begin(self, feed: _Feed) -> None:
        feed.thread = _daemon(f"capture-{feed.name}", lambda: self._capture(feed))

    def _capture(self, feed: _Feed) -> None:
        try:
            with feed.open_source() as source:
                feed.source = source
                if feed.leaving.is_set():
                    return
                if isinstance(source, ReportsHealth):
                    feed.camera = source
                    source.watch(lambda health: self._hear(feed, health))
                self._change(feed, kind=source.info.kind)
                for frame in source:
                    if feed.leaving.is_set():
                        return
                    with self._lock:
                        feed.status = replace(
                            feed.status, captured=feed.status.captured + 1, size_hw=frame.picture.size_hw
                        )
                    feed.slot.put(frame)
            feed.slot.close()
        except Exception as error:  # kept and shown: the inference thread takes it from the slot
            if not isinstance(error, ReeflensError):
                log.exception("source %s", feed.name)
            feed.slot.close(error)

    def _hear(self, feed: _Feed, health: Health) -> None:
        """A camera's own states; how it ends is told by the end of its frames, and by us."""
        if health.state in CAMERA_STATES and not (feed.over or feed.leaving.is_set()):
            self._change(feed, state=health.state, reason=health.reason, cause=health.cause)

    @property
    def _together(self) -> int:
        """Not settled at the start: a GPU may be lost, and the CPU go on."""
        return self._at_most or (GPU_TOGETHER if self._engine.provider.is_gpu else 1)

    def _classify(self) -> None:
        if self._together > 1:
            self._warm_up()
        while not self._stopping.is_set():
            with self._wake:
                self._wake.wait_for(lambda: self._stopping.is_set() or self._next() is not None)
                feeds = self._gather()
            if not self._stopping.is_set():
                self._serve(feeds)

    def _warm_up(self) -> None:
        """A GPU takes its memory for a full batch now, not under the first frames."""
        try:
            self._engine.warm_up(self._together)
        except Exception:  # what ails it will be told of the first frame, and of its source
            log.warning("warming up with %d frames failed", self._together, exc_info=True)

    def _gather(self) -> list[_Feed]:
        """The sources to serve in one run: those with something to take, now or within a moment."""
        feeds: list[_Feed] = []
        until_s = time.monotonic() + self._gather_s

        def come() -> bool:
            return self._stopping.is_set() or self._next(feeds) is not None

        while (feed := self._next(feeds)) is not None and not self._stopping.is_set():
            self._turn += 1
            feed.turn = self._turn
            if feed.group:
                self._group_turns[feed.group] = self._turn
            feeds.append(feed)
            if len(feeds) >= self._together:
                break
            if any(not other.over and other not in feeds for other in self._feeds.values()):
                self._wake.wait_for(come, until_s - time.monotonic())
        return feeds

    def _next(self, but: Collection[_Feed] = ()) -> _Feed | None:
        """Of the sources with something to take the one that has waited longest, a group being one."""
        ready = (feed for feed in self._feeds.values() if feed.slot.ready and not feed.over and feed not in but)
        return min(ready, key=lambda feed: (self._group_turns.get(feed.group, feed.turn), feed.turn), default=None)

    def _serve(self, feeds: Collection[_Feed]) -> None:
        """Takes a frame of each, and classifies them in one run."""
        begun_s = self._clock()
        work = []
        for feed in feeds:
            try:
                frame = feed.slot.get(timeout=0.0)
            except Closed:
                self._end(feed, "stopped" if feed.leaving.is_set() else "ended", "")
                continue
            except Exception as error:  # how the source failed: ends this feed only, with its reason
                self._fail(feed, error)
                continue
            try:
                work.append((feed, scaled(frame, self._engine.contract.input_size, feed.explain)))
            except Exception as error:  # a torn picture
                self._miss(feed, error)
        self._run(work, begun_s)

    def _run(self, work: Sequence[tuple[_Feed, Scaled]], begun_s: float) -> None:
        if not work:
            return
        try:
            answers = infer_together(self._engine, [item for _, item in work])
        except Exception as error:  # whatever a tired GPU brings
            if len(work) == 1:
                self._miss(work[0][0], error)
                return
            for one in work:  # so that only the one suffers that is to blame
                self._run([one], self._clock())
            return
        spent_s = max(0.0, self._clock() - begun_s) / len(work)
        for (feed, item), rows in zip(work, answers, strict=True):
            try:
                result = feed.pipeline.finish(item, rows)
            except Exception as error:
                self._miss(feed, error)
                continue
            self._hand_out(feed, item.frame, result, spent_s)

    def _hand_out(self, feed: _Feed, frame: Frame, result: FrameResult, spent_s: float) -> None:
        feed.in_a_row = 0
        now_s = self._clock()
        with self._lock:
            feed.times_s.append(now_s)
            engine_s = feed.status.engine_s + spent_s
            feed.status = replace(feed.status, classified=feed.status.classified + 1, engine_s=engine_s)
            # A camera tells itself when it is live: the last frame before a loss may be classified after it.
            began = feed.camera is None and feed.status.state != "live"
            if began:
                feed.status = replace(feed.status, state="live")
            status = feed.counted(now_s)
        if began:
            self._tell(feed)
        try:
            with feed.telling:
                if not feed.forgotten:
                    self._on_result(frame, result, status)
        except Exception as error:  # the receiver is not ours to trust; other sources go on
            self._fail(feed, error)

    def _miss(self, feed: _Feed, error: Exception) -> None:
        """One frame could not be classified; a camera that films day and night does not end with it."""
        if not feed.failures:
            log.error("source %s: a frame cannot be classified and counts as damaged", feed.name, exc_info=error)
        feed.failures, feed.in_a_row = feed.failures + 1, feed.in_a_row + 1
        if feed.in_a_row >= MAX_IN_A_ROW:
            self._fail(feed, error)

    def _fail(self, feed: _Feed, error: Exception) -> None:
        if isinstance(error, ReeflensError):
            log.warning("source %s failed: %s", feed.name, error)
        else:
            log.error("source %s failed", feed.name, exc_info=error)
        feed.over = True  # before the source is told, so that its end is not heard as one of its own
        if feed.source is not None:
            feed.source.close()
        self._end(feed, "failed", str(error) or type(error).__name__, getattr(error, "cause", None) or "")

    def _end(self, feed: _Feed, state: str, reason: str, cause: str = "") -> None:
        feed.over = True
        self._change(feed, state=state, reason=reason, cause=cause)

    def _change(self, feed: _Feed, **fields: str) -> None:
        with self._lock:
            feed.status = replace(feed.status, **fields)  # type: ignore[arg-type]
        self._tell(feed)

    def _tell(self, feed: _Feed) -> None:
        with feed.telling:
            if self._on_status is not None and not feed.forgotten:
                with self._lock:
                    status = feed.counted(self._clock())
                self._on_status(feed.name, status)


def _daemon(name: str, work: Callable[[], None]) -> threading.Thread:
    """A started thread; a daemon, since a camera driver that hangs must not keep the process alive."""
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread
