"""Which frames are classified when not all are: chosen by media time, because frame rates vary."""

from __future__ import annotations

import math

TOLERANCE_S = 1e-6  # 1/30 + 1/30 + ... falls short of 1 by rounding; no container's clock is this fine


class Sampler:
    """Takes the first frame at or after each multiple of ``every_s`` seconds of media time; all frames for None.

    The first frame of a video is always taken. A gap that spans several multiples gives one frame, not several.
    """

    def __init__(self, every_s: float | None) -> None:
        if every_s is not None and not (every_s > 0.0 and math.isfinite(every_s)):
            raise ValueError(f"every_s: expected a number of seconds above 0, received {every_s}")
        self._every_s = every_s
        self._last: int | None = None

    def takes(self, media_s: float) -> bool:
        """Whether to classify the frame at ``media_s``; call once for every frame in order."""
        if self._every_s is None:
            return True
        multiple = math.floor((media_s + TOLERANCE_S) / self._every_s)
        if self._last is not None and multiple <= self._last:
            return False
        self._last = multiple
        return True
