"""How old frames are when they are classified: the one figure of the server that needs every single frame."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from prometheus_client import CollectorRegistry, Histogram

from realtime.frames import FrameResult

# Seconds. From the 40 ms of one frame at 25/s to what nobody would call live.
BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class FrameAges:
    """A histogram in ``registry`` for each of ``sources``. clock: the one that stamped ``captured_s``."""

    def __init__(
        self, registry: CollectorRegistry, sources: Collection[str], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        age = Histogram(
            "reeflens_frame_age_seconds",
            "From capture until a frame is classified.",
            ["source"],
            registry=registry,
            buckets=BUCKETS,
        )
        self._clock = clock
        self._ages = {name: age.labels(name) for name in sources}

    def on_result(self, result: FrameResult) -> None:
        """Takes the age of a frame that was classified just now; from any thread."""
        age = self._ages.get(result.source)
        if age is not None and result.captured_s is not None:
            age.observe(max(0.0, self._clock() - result.captured_s))
