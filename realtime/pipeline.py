"""Frames in, results out: one step without threads, and the threads that a live source needs around it."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from realtime.engine import Engine
from realtime.errors import ReeflensError
from realtime.frames import Frame, FrameResult, cam_to_uint8
from realtime.handoff import Closed, LatestSlot
from realtime.smoothing import Smoother
from realtime.sources import Source

log = logging.getLogger(__name__)

RATE_WINDOW_S = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class RawResult:
    """What the model says of one frame alone, before any memory. Fields as in FrameResult."""

    source: str
    index: int
    media_s: float
    utc: datetime | None
    utc_source: str
    captured_s: float | None
    size_hw: tuple[int, int]
    probabilities: NDArray[np.float32]
    unknown: float
    cam: NDArray[np.uint8]
    explained: int


def infer(
    engine: Engine,
    frames: Sequence[Frame],
    explain: Sequence[int] | None = None,
    inputs: NDArray[np.uint8] | None = None,
) -> list[RawResult]:
    """Classifies and explains frames in one run of the engine; remembers nothing.

    explain: the class to explain per frame, -1 (default) for the most probable. inputs: uint8 [N, S, S, 3] RGB when the
    caller has already scaled the pictures, on another thread say.
    """
    if not frames:
        return []
    if inputs is None:
        inputs = np.stack([frame.picture.model_input(engine.contract.input_size) for frame in frames])
    wanted = np.full(len(frames), -1, np.int64) if explain is None else np.asarray(explain, np.int64)
    predicted = engine.run(inputs, wanted)
    cams = cam_to_uint8(predicted.cam)
    best = predicted.probabilities.argmax(axis=1)
    return [
        RawResult(
            source=frame.source,
            index=frame.index,
            media_s=frame.media_s,
            utc=frame.utc,
            utc_source=frame.utc_source,
            captured_s=frame.captured_s,
            size_hw=frame.picture.size_hw,
            probabilities=predicted.probabilities[i],
            unknown=float(predicted.unknown[i]),
            cam=cams[i],
            explained=int(best[i] if wanted[i] < 0 else wanted[i]),
        )
        for i, frame in enumerate(frames)
    ]


def settle(raw: RawResult, smoother: Smoother) -> FrameResult:
    """Adds the stable label; results must come in order of time, one smoother per source."""
    stable = smoother.step(raw.media_s, raw.probabilities, raw.unknown)
    return FrameResult(
        source=raw.source,
        index=raw.index,
        media_s=raw.media_s,
        utc=raw.utc,
        utc_source=raw.utc_source,
        captured_s=raw.captured_s,
        size_hw=raw.size_hw,
        probabilities=raw.probabilities,
        unknown=raw.unknown,
        cam=raw.cam,
        explained=raw.explained,
        stable=stable,
    )


class Pipeline:
    """One source's way from frame to result, without threads: ``step`` it in order of time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._smoother = Smoother(engine.contract)

    def step(self, frame: Frame, explain: int = -1) -> FrameResult:
        """Classifies, explains and smooths one frame. Raises ValueError for an unknown class to explain."""
        return settle(infer(self._engine, [frame], [explain])[0], self._smoother)


@dataclass(frozen=True, slots=True)
class LiveStatus:
    """How a live source is doing.

    state: "connecting", "live", "ended", "failed" or "stopped"; reason: why, in words, when it failed.
    captured: frames read. dropped: frames overwritten by a newer one before they were classified.
    classified: results given. rate: results/s over the last two seconds. size_hw: of the picture, pixels.
    """

    state: str
    reason: str = ""
    kind: str = ""
    captured: int = 0
    dropped: int = 0
    classified: int = 0
    rate: float = 0.0
    size_hw: tuple[int, int] = (0, 0)


OnResult = Callable[[Frame, FrameResult, LiveStatus], None]
OnStatus = Callable[[str, LiveStatus], None]


class _Feed:
    """One source on its way: its newest frame, its memory and its counts."""

    def __init__(self, name: str, open_source: Callable[[], Source], engine: Engine, wake: threading.Condition) -> None:
        self.name = name
        self.open_source = open_source
        self.slot: LatestSlot[Frame] = LatestSlot(wake)
        self.pipeline = Pipeline(engine)
        self.source: Source | None = None
        self.over = False  # the inference thread has taken the end
        self.times_s: deque[float] = deque()
        self.status = LiveStatus("connecting")

    def rate(self, now_s: float) -> float:
        while self.times_s and now_s - self.times_s[0] > RATE_WINDOW_S:
            self.times_s.popleft()
        if len(self.times_s) < 2 or self.times_s[-1] <= self.times_s[0]:
            return 0.0
        return (len(self.times_s) - 1) / (self.times_s[-1] - self.times_s[0])  # N ticks are N - 1 intervals


class LiveRunner:
    """Reads any number of live sources and classifies their newest frames in turn on one engine.

    One capture thread per source puts frames into a slot that keeps the newest; one inference thread serves the
    slots round-robin, so that a fast camera cannot starve a slow one. on_result and on_status are called from
    these threads and must return quickly; an exception in on_result ends that source with the reason.
    """

    def __init__(
        self,
        engine: Engine,
        sources: Mapping[str, Callable[[], Source]],
        on_result: OnResult,
        on_status: OnStatus | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._wake = threading.Condition()
        self._feeds = {name: _Feed(name, opener, engine, self._wake) for name, opener in sources.items()}
        self._on_result = on_result
        self._on_status = on_status
        self._clock = clock
        self._stopping = threading.Event()
        self._lock = threading.Lock()  # guards every feed's status
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Starts the threads and returns at once. Raises RuntimeError when called twice."""
        if self._threads:
            raise RuntimeError("a runner is started once")
        for feed in self._feeds.values():
            self._threads.append(threading.Thread(target=self._capture, args=(feed,), name=f"capture-{feed.name}"))
        self._threads.append(threading.Thread(target=self._classify, name="inference"))
        for thread in self._threads:
            thread.daemon = True  # a camera driver that hangs must not keep the process alive
            thread.start()

    def stop(self, timeout: float = 3.0) -> bool:
        """Signals, wakes and joins all threads within ``timeout`` seconds; True when every one ended."""
        self._stopping.set()
        for feed in self._feeds.values():
            if feed.source is not None:
                feed.source.close()
            feed.slot.close()
        with self._wake:
            self._wake.notify_all()
        deadline_s = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))
        for feed in self._feeds.values():
            if feed.status.state in ("connecting", "live"):
                self._change(feed, state="stopped")
        return not any(thread.is_alive() for thread in self._threads)

    def status(self) -> dict[str, LiveStatus]:
        """How every source is doing now, by name."""
        now_s = self._clock()
        with self._lock:
            return {
                name: replace(feed.status, rate=feed.rate(now_s), dropped=feed.slot.overwritten)
                for name, feed in self._feeds.items()
            }

    def _capture(self, feed: _Feed) -> None:
        try:
            with feed.open_source() as source:
                feed.source = source
                if self._stopping.is_set():
                    return
                self._change(feed, kind=source.info.kind)
                for frame in source:
                    if self._stopping.is_set():
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

    def _classify(self) -> None:
        feeds, turn = list(self._feeds.values()), 0
        while not self._stopping.is_set():
            with self._wake:
                self._wake.wait_for(lambda: self._stopping.is_set() or any(f.slot.ready and not f.over for f in feeds))
            for step in range(len(feeds)):
                feed = feeds[(turn + step) % len(feeds)]
                if feed.slot.ready and not feed.over and not self._stopping.is_set():
                    self._serve(feed)
                    turn = (turn + step + 1) % len(feeds)
                    break

    def _serve(self, feed: _Feed) -> None:
        try:
            frame = feed.slot.get(timeout=0.0)
            result = feed.pipeline.step(frame)
        except Closed:
            self._end(feed, "stopped" if self._stopping.is_set() else "ended", "")
            return
        except Exception as error:  # any source or model failure ends this feed only, with its reason
            self._fail(feed, error)
            return
        now_s = self._clock()
        with self._lock:
            feed.times_s.append(now_s)
            began = feed.status.state != "live"
            feed.status = replace(
                feed.status,
                state="live",
                classified=feed.status.classified + 1,
                rate=feed.rate(now_s),
                dropped=feed.slot.overwritten,
            )
            status = feed.status
        if began:
            self._tell(feed)
        try:
            self._on_result(frame, result, status)
        except Exception as error:  # the receiver is not ours to trust; other sources go on
            self._fail(feed, error)

    def _fail(self, feed: _Feed, error: Exception) -> None:
        if isinstance(error, ReeflensError):
            log.warning("source %s failed: %s", feed.name, error)
        else:
            log.error("source %s failed", feed.name, exc_info=error)
        if feed.source is not None:
            feed.source.close()
        self._end(feed, "failed", str(error) or type(error).__name__)

    def _end(self, feed: _Feed, state: str, reason: str) -> None:
        feed.over = True
        self._change(feed, state=state, reason=reason)

    def _change(self, feed: _Feed, **fields: str) -> None:
        with self._lock:
            feed.status = replace(feed.status, **fields)  # type: ignore[arg-type]
        self._tell(feed)

    def _tell(self, feed: _Feed) -> None:
        if self._on_status is not None:
            self._on_status(feed.name, feed.status)
