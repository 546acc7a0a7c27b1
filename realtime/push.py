"""A source whose frames somebody else brings, as encoded pictures: a browser's camera behind a socket, say."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime.errors import SourceError
from realtime.frames import Frame
from realtime.handoff import Closed, LatestSlot
from realtime.pictures import ArrayPicture
from realtime.sources import SourceInfo


@dataclass(frozen=True, slots=True, eq=False)
class _Pushed:
    data: bytes
    index: int
    media_s: float
    captured_s: float


class PushSource:
    """Yields the newest picture that was pushed; one that was overtaken before it was decoded is gone.

    Decoding happens where the source is iterated, not where it is pushed. ``broken`` is why a picture could not be
    decoded, which also ends the iteration with SourceError; "" while all is well. Made to be iterated once.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.info = SourceInfo(kind="camera", size_hw=(0, 0), utc_source="clock")
        self.broken = ""
        self._slot: LatestSlot[_Pushed] = LatestSlot()
        self._closed = threading.Event()

    def push(self, data: bytes, *, index: int, media_s: float, captured_s: float | None = None) -> None:
        """Offers an encoded picture (see realtime.jpeg for checking a stranger's); never waits, from any thread.

        index and media_s as in Frame, rising from call to call. captured_s: monotonic, now when it is not given.
        After ``close`` it does nothing.
        """
        self._slot.put(_Pushed(data, index, media_s, time.monotonic() if captured_s is None else captured_s))

    def __iter__(self) -> Iterator[Frame]:
        while True:
            try:
                pushed = self._slot.get()
            except Closed:
                return
            if self._closed.is_set():
                return
            yield Frame(
                source=self.name,
                index=pushed.index,
                media_s=pushed.media_s,
                picture=ArrayPicture(self._decode(pushed.data)),
                utc=datetime.now(UTC),
                utc_source="clock",
                captured_s=pushed.captured_s,
            )

    def close(self) -> None:
        """Wakes the iterator, which stops; from any thread, as often as you like."""
        self._closed.set()
        self._slot.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _decode(self, data: bytes) -> NDArray[np.uint8]:
        try:
            bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)  # upright, if the picture says how
        except cv2.error:
            bgr = None
        if bgr is None:
            self.broken = "the picture cannot be decoded"
            raise SourceError(self.name, self.broken)
        rgb: NDArray[np.uint8] = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
        return rgb
