"""The threads around live sources: one that reads per source, one that classifies the newest frames of all in turn."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace

from realtime.engine import Engine
from realtime.errors import Cause, ProviderError, ReeflensError
from realtime.feed import CAMERA_STATES, OVER, Feed
from realtime.feed import STATES as STATES
from realtime.feed import LiveStatus as LiveStatus
from realtime.frames import Frame, FrameResult
from realtime.handoff import Closed
from realtime.parts import Part, PartStatus
from realtime.pipeline import Scaled, infer_together, scaled
from realtime.reconnecting import Health, ReportsHealth
from realtime.sources import Source

log = logging.getLogger(__name__)

GPU_TOGETHER = 16  # a GPU is hardly busy with one frame, a CPU with each of them (docs/engine.md)
GATHER_S = 0.004  # how long a frame may wait for those of other sources: an eighth of a frame at 30 frames/s
MAX_IN_A_ROW = 25  # frames that cannot be classified: a second of a camera, after which it is no accident
HANGS_S = 10.0  # of one run of the model, after which it is said; the slowest machine needs one or two
LOST_S = 60.0  # after which it is given up, and with it the process
LOST_BUILDING_S = 900.0  # the same where a run may build an engine first, as with TensorRT

HEARD_S = 0.2  # for a receiver that may hang itself

OnResult = Callable[[Frame, FrameResult, LiveStatus], None]
OnStatus = Callable[[str, LiveStatus], None]


class LiveRunner:
    """Reads any number of live sources and classifies their newest frames in turn on one engine.

    One capture thread per source puts frames into a slot that keeps the newest; one inference thread serves the
    slots round-robin, so that a fast camera cannot starve a slow one, nor a crowd of one group a single one. A frame
    that cannot be classified counts as damaged. on_result and on_status are called from these threads, never two at
    once for one source, and must return quickly. Sources come and go while it runs; all methods may be called from any
    thread.

    The given sources last: one whose reader dies of anything but a ReeflensError is opened again after a pause
    ("retrying"), and after MAX_IN_A_ROW frames that could not be classified, or whose results nobody took, it is
    "stalled" with the reason of the last, and goes on with the next frame that can. One that was attached fails
    instead. Whoever calls ``look`` on the ``parts`` has threads that are gone begun again, and those that hang noticed.

    together: of how many sources one run of the model may take a frame, by default one on a CPU and GPU_TOGETHER on a
    GPU. gather_s: how long the first of these may wait for the others. hangs_s, lost_s: as of the inference thread's
    Part.
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
        hangs_s: float = HANGS_S,
        lost_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._most_together = together
        self._gather_s = gather_s
        self._wake = threading.Condition()
        # Replaced, never changed, so that every thread may iterate over the one it has.
        self._feeds = {name: self._feed(name, opener) for name, opener in sources.items()}
        self._on_result = on_result
        self._on_status = on_status
        self._clock = clock
        self._stopping = threading.Event()
        self._lock = threading.Lock()  # guards every feed's status
        builds = engine.provider.name.startswith("Tensorrt")
        self._inference = Part(
            "inference",
            self._classify,
            hangs_s=hangs_s,
            lost_s=lost_s or (LOST_BUILDING_S if builds else LOST_S),
            on_change=self._hear_inference,
        )
        self._started = False
        self._warm = False
        self._failed_runs = 0  # of the model, in a row
        self._failed_why = ""
        self._leftover: list[Part] = []  # of detached sources, still at work when detach gave up
        self._turn = 0
        self._group_turns: dict[str, int] = {}  # when one of a group was served last

    def start(self) -> None:
        """Starts the threads and returns at once. Raises RuntimeError when called twice."""
        with self._wake:
            if self._started:
                raise RuntimeError("a runner is started once")
            self._started = True
            self._inference.start()
            for feed in self._feeds.values():
                feed.part.start()

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
            feed = self._feed(name, open_source, group=group, lasting=False)
            feed.turn = self._turn
            self._feeds = {**self._feeds, name: feed}
            if self._started:
                feed.part.start()

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
        feed.part.join(max(0.0, deadline_s - time.monotonic()))
        with self._wake:
            self._leftover = [other for other in (*self._leftover, feed.part) if other.is_alive()]

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
        parts = [*self._leftover, *(feed.part for feed in feeds), self._inference]
        deadline_s = time.monotonic() + timeout
        for part in parts:
            part.join(max(0.0, deadline_s - time.monotonic()))
        for feed in feeds:
            if feed.status.state not in OVER:
                self._change(feed, state="stopped", reason="", cause="")
        return not any(part.is_alive() for part in parts)

    def status(self) -> dict[str, LiveStatus]:
        """How every source is doing now, by name."""
        now_s = self._clock()
        with self._lock:
            return {name: feed.counted(now_s) for name, feed in self._feeds.items()}

    def parts(self) -> list[Part]:
        """The threads that must go on."""
        return [self._inference, *(feed.part for feed in self._feeds.values() if feed.lasting)]

    def trouble(self) -> str:
        """Why nothing is classified now, as a sentence; "" while the model works, or has nothing to do."""
        inference = self._inference.status
        if inference.state != "well":
            return f"the model's thread is {inference.state}: {inference.reason}"
        return f"the model fails: {self._failed_why}" if self._failed_runs >= MAX_IN_A_ROW or self._engine.lost else ""

    def _feed(self, name: str, opener: Callable[[], Source], *, group: str = "", lasting: bool = True) -> Feed:
        return Feed(
            name, opener, self._engine, self._wake, self._capture, self._hear_capture, group=group, lasting=lasting
        )

    def _capture(self, feed: Feed) -> None:
        try:
            self._read(feed)
        except ReeflensError as error:  # kept and shown: the inference thread takes it from the slot
            if feed.part.mine:
                feed.slot.close(error)
        except BaseException as error:
            if feed.lasting:
                raise  # and is begun again
            log.exception("source %s", feed.name, extra={"source": feed.name})
            feed.slot.close(error if isinstance(error, Exception) else RuntimeError(type(error).__name__))

    def _read(self, feed: Feed) -> None:
        part = feed.part
        with ExitStack() as stack:
            with self._lock:
                feed.begin()
            with part.busy():
                source = stack.enter_context(feed.open_source())
            if not part.mine:
                return
            feed.source = source
            if feed.leaving.is_set():
                return
            if isinstance(source, ReportsHealth):
                feed.camera = source
                source.watch(lambda health: self._hear(feed, health))
            self._change(feed, kind=source.info.kind)
            frames = iter(source)
            while True:
                with part.busy():
                    frame = next(frames, None)
                if frame is None:
                    break
                if feed.leaving.is_set() or not part.mine:
                    return
                frame = feed.frame(frame, self._clock())
                with self._lock:
                    feed.status = replace(feed.status, captured=feed.status.captured + 1, size_hw=frame.picture.size_hw)
                feed.slot.put(frame)
        if part.mine:
            feed.slot.close()

    def _hear_capture(self, feed: Feed) -> None:
        """How the thread is doing that reads a source, told by itself or by who looks after it."""
        now = feed.part.status
        if feed.over or feed.leaving.is_set() or not feed.lasting:
            return
        if now.state == "restarting":
            self._change(feed, state="retrying", reason=f"reading it failed ({now.reason})", cause="")
        elif now.state == "hanging":
            self._change(feed, state="stalled", reason="reading it hangs", cause=Cause.SILENT)

    def _hear(self, feed: Feed, health: Health) -> None:
        """A camera's own states; how it ends is told by the end of its frames, and by us."""
        if health.state in CAMERA_STATES and not (feed.over or feed.leaving.is_set()):
            self._change(feed, state=health.state, reason=health.reason, cause=health.cause)

    def _hear_inference(self, now: PartStatus) -> None:
        """How the inference thread is doing; on a thread of somebody else when it hangs."""
        if now.state != "well":
            for feed in self._feeds.values():
                if not feed.over:
                    self._trouble(feed, f"the model's thread is {now.state}: {now.reason}", wait_s=HEARD_S)

    @property
    def _together(self) -> int:
        return self._most_together or (GPU_TOGETHER if self._engine.provider.is_gpu else 1)

    def _classify(self) -> None:
        if self._together > 1 and not self._warm:
            self._warm = True
            self._warm_up()
        while not self._stopping.is_set():
            with self._wake:
                self._wake.wait_for(lambda: self._stopping.is_set() or self._next() is not None)
                feeds = self._gather()
            if not self._stopping.is_set():
                with self._inference.busy():
                    self._serve(feeds)

    def _warm_up(self) -> None:
        """A GPU takes its memory for a full batch now, not under the first frames."""
        try:
            self._engine.warm_up(self._together)
        except Exception:  # what ails it will be told of the first frame, and of its source
            log.warning("warming up with %d frames failed", self._together, exc_info=True)

    def _gather(self) -> list[Feed]:
        """The sources to serve in one run: those with something to take, now or within a moment."""
        feeds: list[Feed] = []
        until_s = time.monotonic() + self._gather_s

        def come() -> bool:
            return self._stopping.is_set() or self._next(feeds) is not None

        while (feed := self._next(feeds)) is not None and not self._stopping.is_set():
            self._turn += 1
            feed.turn = self._turn
            if feed.group:
                self._group_turns[feed.group] = self._turn
            feeds.append(feed)
            if len(feeds) == self._together:
                break
            if any(not other.over and other not in feeds for other in self._feeds.values()):
                self._wake.wait_for(come, until_s - time.monotonic())
        return feeds

    def _next(self, but: Collection[Feed] = ()) -> Feed | None:
        """Of the sources with something to take the one that has waited longest, a group being one."""
        ready = (feed for feed in self._feeds.values() if feed.slot.ready and not feed.over and feed not in but)
        return min(ready, key=lambda feed: (self._group_turns.get(feed.group, feed.turn), feed.turn), default=None)

    def _serve(self, feeds: Collection[Feed]) -> None:
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

    def _run(self, work: Sequence[tuple[Feed, Scaled]], begun_s: float) -> None:
        if not work:
            return
        try:
            answers = infer_together(self._engine, [item for _, item in work])
        except Exception as error:  # whatever a tired GPU brings
            if len(work) == 1:
                self._failed_runs += 1
                self._failed_why = _sentence(error)
                self._miss(work[0][0], error)
                return
            for one in work:  # so that only the one suffers that is to blame
                self._run([one], self._clock())
            return
        self._failed_runs = 0
        spent_s = max(0.0, self._clock() - begun_s) / len(work)
        for (feed, item), rows in zip(work, answers, strict=True):
            try:
                result = feed.pipeline.finish(item, rows)
            except Exception as error:
                self._miss(feed, error)
                continue
            self._hand_out(feed, item.frame, result, spent_s)

    def _hand_out(self, feed: Feed, frame: Frame, result: FrameResult, spent_s: float) -> None:
        now_s = self._clock()
        with self._lock:
            feed.times_s.append(now_s)
            engine_s = feed.status.engine_s + spent_s
            feed.status = replace(feed.status, classified=feed.status.classified + 1, engine_s=engine_s)
            # A camera tells itself when it is live: the last frame before a loss may be classified after it.
            began = feed.troubled or (feed.camera is None and feed.status.state != "live")
            if began:
                now = feed.camera.health if feed.camera is not None else Health("live")
                feed.status = replace(feed.status, state=now.state, reason=now.reason, cause=now.cause)
                feed.troubled = False
            status = feed.counted(now_s)
        if began:
            self._tell(feed)
        try:
            with feed.telling:
                if not feed.forgotten:
                    self._on_result(frame, result, status)
            feed.in_a_row = 0
        except Exception as error:  # the receiver is not ours to trust; other sources go on
            if feed.lasting:
                self._miss(feed, error)
            else:
                self._fail(feed, error)

    def _miss(self, feed: Feed, error: Exception) -> None:
        """One frame could not be classified; a camera that films day and night does not end with it."""
        if not feed.failures:
            text = f"source {feed.name}: a frame cannot be classified and counts as damaged"
            if isinstance(error, ReeflensError):
                log.error("%s: %s", text, error, extra={"source": feed.name})
            else:
                log.error(text, exc_info=error, extra={"source": feed.name})
        feed.failures, feed.in_a_row = feed.failures + 1, feed.in_a_row + 1
        if feed.in_a_row >= MAX_IN_A_ROW and not feed.lasting:
            self._fail(feed, error)
        elif feed.in_a_row >= MAX_IN_A_ROW or isinstance(error, ProviderError):
            self._trouble(feed, _sentence(error))

    def _trouble(self, feed: Feed, reason: str, wait_s: float = -1) -> None:
        """Its frames come, and we do not get on with them. Said once, until one is classified."""
        if feed.lasting and not feed.troubled:
            feed.troubled = True
            log.error("source %s is stalled: %s", feed.name, reason, extra={"source": feed.name})
            self._change(feed, wait_s, state="stalled", reason=reason, cause=Cause.ENGINE)

    def _fail(self, feed: Feed, error: Exception) -> None:
        if isinstance(error, ReeflensError):
            log.warning("source %s failed: %s", feed.name, error, extra={"source": feed.name})
        else:
            log.error("source %s failed", feed.name, exc_info=error, extra={"source": feed.name})
        feed.over = True  # before the source is told, so that its end is not heard as one of its own
        if feed.source is not None:
            feed.source.close()
        self._end(feed, "failed", str(error) or type(error).__name__, getattr(error, "cause", None) or "")

    def _end(self, feed: Feed, state: str, reason: str, cause: str = "") -> None:
        feed.over = True
        self._change(feed, state=state, reason=reason, cause=cause)

    def _change(self, feed: Feed, wait_s: float = -1, /, **fields: str) -> None:
        with self._lock:
            feed.status = replace(feed.status, **fields)  # type: ignore[arg-type]
        self._tell(feed, wait_s)

    def _tell(self, feed: Feed, wait_s: float = -1) -> None:
        """wait_s: the most to wait for a receiver that is being told something, -1 for as long as it takes."""
        if not feed.telling.acquire(timeout=wait_s):
            return
        try:
            if self._on_status is not None and not feed.forgotten:
                with self._lock:
                    status = feed.counted(self._clock())
                self._on_status(feed.name, status)
        finally:
            feed.telling.release()


def _sentence(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
