"""The first pass: a recorded source becomes raw rows and heat maps, and nothing is remembered from row to row.

A decode thread reads, chooses and scales; the model runs on the calling thread, or on as many as its engine does best
with, side by side, while the calling thread writes down what came before. Between them a bounded queue makes the
decoder wait, so that no frame is lost and memory stays flat. Rows come in order, in batches that always lie at the same
places, whether or not a run was interrupted: batching moves a probability by a rounding error, and a
resumed dive has to equal an uninterrupted one to the byte.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from dives.sampling import Sampler
from realtime.engine import Engine
from realtime.errors import ResultsError, SourceError
from realtime.frames import Frame
from realtime.handoff import BoundedQueue, Closed
from realtime.pipeline import RawResult, infer
from realtime.sources import Source

log = logging.getLogger(__name__)

BATCHES_AHEAD = 2  # one being filled while one is about to be classified; more would only be memory
JOIN_S = 10.0  # decoding one frame takes milliseconds; a disk that went to sleep takes seconds
TICK_S = 0.5  # how often someone who waits for frames hears that they are still being skipped


class ScaledPicture:
    """A picture of which only the network's input is kept: 150 kB at 224 instead of 3 MB for a 1080p frame."""

    __slots__ = ("_rgb", "_size_hw")

    def __init__(self, rgb: NDArray[np.uint8], size_hw: tuple[int, int]) -> None:
        self._rgb = rgb
        self._size_hw = size_hw

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width of the original in pixels."""
        return self._size_hw

    def model_input(self, size: int) -> NDArray[np.uint8]:
        """uint8 [size, size, 3] RGB; raises ValueError for another size than it was scaled to."""
        if self._rgb.shape[0] != size:
            raise ValueError(f"size: this picture was scaled to {self._rgb.shape[0]}, asked for {size}")
        return self._rgb

    def rgb(self, max_side: int | None = None) -> NDArray[np.uint8]:
        """Never available: the original is gone."""
        raise ValueError("only the network's input of this picture was kept")


class Segment:
    """One reading of a recorded source; iterate it once for batches of rows. A context manager.

    source: owned from here on, closed at the end. every_s: see Sampler. batch: rows per batch, the last may be
    shorter. known: int64 [n] frame numbers and float64 [n] media times of rows not to classify again, a multiple of
    ``batch``; their frames are decoded, compared and skipped, because seeking does not land on the same frame in every
    container.

    decoded, unsampled: frames read so far, and those of them that ``every_s`` left out. media_s: of the last one read.

    Iterating yields lists of rows, and an empty list about twice a second while frames are only skipped. It ends at the
    end of the source, or raises SourceError after the last row when the source breaks, and ResultsError when a known
    frame decodes at another time than before.
    """

    def __init__(
        self,
        source: Source,
        engine: Engine,
        *,
        every_s: float | None,
        batch: int,
        known: tuple[NDArray[np.int64], NDArray[np.float64]] | None = None,
    ) -> None:
        self.decoded = 0
        self.unsampled = 0
        self.media_s = 0.0
        self._source = source
        self._engine = engine
        self._sampler = Sampler(every_s)
        self._batch = batch
        self._known_index, self._known_s = known or (np.empty(0, np.int64), np.empty(0))
        self._queue: BoundedQueue[Frame] = BoundedQueue(BATCHES_AHEAD * batch)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._decode, name=f"decode-{source.name}", daemon=True)
        self._pool = ThreadPoolExecutor(engine.at_once, "infer") if engine.at_once > 1 else None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __iter__(self) -> Iterator[list[RawResult]]:
        if self._pool is None:
            for frames in self._batches():
                yield infer(self._engine, frames)
            return
        running: deque[Future[list[RawResult]]] = deque()
        try:
            for frames in self._batches():
                if frames:
                    running.append(self._pool.submit(infer, self._engine, frames))
                # One more is kept waiting than run at once, so that none of them waits for us to write.
                while running and (len(running) > self._engine.at_once or not frames):
                    yield running.popleft().result()
                if not frames:
                    yield []
        except SourceError:
            yield from (one.result() for one in running)
            raise
        yield from (one.result() for one in running)

    def _batches(self) -> Iterator[list[Frame]]:
        """Frames to run together; none where the decoder gave none for a while."""
        frames: list[Frame] = []
        while True:
            try:
                frames.append(self._queue.get(timeout=TICK_S))
            except TimeoutError:
                yield []
            except Closed:
                if frames:
                    yield frames
                return
            except SourceError:
                if frames:
                    yield frames
                raise
            if len(frames) == self._batch:
                yield frames
                frames = []

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The thread closes the source itself: a container that is closed while it decodes takes the process with it.
        self._stop.set()
        self._queue.cancel()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        self._thread.join(JOIN_S)
        if self._thread.is_alive():
            log.warning("%s: the decoder did not stop within %.0f s", self._source.name, JOIN_S)

    def _decode(self) -> None:
        size = self._engine.contract.input_size
        taken = 0
        try:
            with self._source, closing(iter(self._source)) as frames:  # type: ignore[type-var]
                for frame in frames:
                    if self._stop.is_set():
                        return
                    self.decoded += 1
                    self.media_s = frame.media_s
                    if not self._sampler.takes(frame.media_s):
                        self.unsampled += 1
                    elif taken < len(self._known_index):
                        self._compare(frame, taken)
                        taken += 1
                    else:
                        picture = ScaledPicture(frame.picture.model_input(size), frame.picture.size_hw)
                        self._queue.put(replace(frame, picture=picture))
            if taken < len(self._known_index):
                raise ResultsError(
                    f"{self._source.name}: {len(self._known_index)} frames were classified before, "
                    f"now only {taken} decode; run without --resume"
                )
            self._queue.close()
        except Closed:
            pass  # the consumer gave up
        except BaseException as error:  # kept for the consumer, whatever it is
            self._queue.close(error)

    def _compare(self, frame: Frame, row: int) -> None:
        index, media_s = int(self._known_index[row]), float(self._known_s[row])
        if (frame.index, frame.media_s) != (index, media_s):
            raise ResultsError(
                f"{self._source.name}: frame {frame.index} at {frame.media_s:.6f} s was frame {index} at "
                f"{media_s:.6f} s before; this decoder counts otherwise, run without --resume"
            )
