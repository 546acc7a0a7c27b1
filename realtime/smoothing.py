"""Scores over time become one label that does not flicker.

Probabilities pass through an exponential mean over media time (so that the answer does not depend on the frame
rate), and a label needs more to appear than to stay (hysteresis). A class that means "no animal" competes as the others
do; when it wins, there is no label to show, and that is said.
"""

from __future__ import annotations

import math
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from realtime.contract import ModelContract
from realtime.frames import StableLabel
from realtime.pauses import paused

# Chosen with bench/smoothing.py, whose table is in docs/measured.md: the shortest memory at which labels change hardly
# more often than what is filmed does. A longer one shows fewer right labels, later; so does a smaller RELEASE.
TIME_CONSTANT_S = 0.5  # a new animal is believed after roughly this long
RELEASE = 0.85  # a shown label stays until it falls to this share of its threshold, or unknown rises by as much
TAKEOVER = 0.1  # and until another, itself above the threshold, is more probable by this much
FORGET_S = 5.0  # after a gap this long, or a step back in time, what was before says nothing


class Smoother:
    """The memory of one source; ``step`` it with every classified frame in order of time. Not thread-safe."""

    def __init__(
        self,
        contract: ModelContract,
        *,
        time_constant_s: float = TIME_CONSTANT_S,
        release: float = RELEASE,
        takeover: float = TAKEOVER,
    ) -> None:
        if not time_constant_s > 0.0:
            raise ValueError(f"time_constant_s: expected a number above 0, received {time_constant_s}")
        self._thresholds = contract.thresholds
        self._no_animal = contract.no_animal
        self._time_constant_s = time_constant_s
        self._release = release
        self._takeover = takeover
        self._mean: NDArray[np.float64] | None = None
        self._unknown = 0.0
        self._last_s = 0.0
        self._last_utc: datetime | None = None
        self._shown: int | None = None
        self._since_s = 0.0

    def step(
        self, media_s: float, probabilities: NDArray[np.float32], unknown: float, utc: datetime | None = None
    ) -> StableLabel:
        """Takes float32 [C] probabilities and the unknown score at ``media_s`` seconds; returns what to show.

        utc: wall clock of a recorded frame; when it shows that the camera was off, what was before says nothing. The
        smoothed values stay within the range of the values taken in since the last gap.
        """
        gap_s = media_s - self._last_s
        if self._mean is None or gap_s < 0.0 or gap_s > FORGET_S or paused(self._last_s, self._last_utc, media_s, utc):
            self._mean, self._unknown = probabilities.astype(np.float64), float(unknown)
            self._shown, self._since_s = None, media_s
        else:
            weight = -math.expm1(-gap_s / self._time_constant_s)
            self._mean += weight * (probabilities - self._mean)
            self._unknown += weight * (float(unknown) - self._unknown)
        self._last_s, self._last_utc = media_s, utc
        shown = self._choose(self._mean)
        if shown != self._shown:
            self._shown, self._since_s = shown, media_s
        probability = self._mean[shown] if shown is not None else self._mean.max()
        empty = shown is not None and shown == self._no_animal
        return StableLabel(None if empty else shown, float(probability), self._since_s, empty)

    def _choose(self, mean: NDArray[np.float64]) -> int | None:
        best = int(mean.argmax())
        enters = mean[best] >= self._thresholds.show and self._unknown <= self._thresholds.unknown
        if self._shown is None:
            return best if enters else None
        if best != self._shown and enters and mean[best] - mean[self._shown] >= self._takeover:
            return best
        stays = mean[self._shown] >= self._release * self._thresholds.show
        if stays and self._unknown <= self._thresholds.unknown / self._release:
            return self._shown
        return best if enters else None
