"""The statistics of an evaluation, as pure functions of what was counted."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from training.calibrate import ECE_BINS

Z95 = 1.959964


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Answers whose probability lies in low..high: how many, their mean probability, and how many of them are right
    (share; both 0 for none).
    """

    low: float
    high: float
    pictures: int
    probability: float
    accuracy: float


def wilson_interval(successes: int, trials: int, z: float = Z95) -> tuple[float, float]:
    """Wilson score interval of a share, 95 % by default; it holds near 0 and 1 and for few trials."""
    if not 0 <= successes <= trials or not trials:
        raise ValueError(f"expected 0 <= successes <= trials and trials > 0, received {successes} of {trials}")
    share = successes / trials
    spread = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    middle = share + z * z / (2 * trials)
    scale = 1 + z * z / trials
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def reliability(
    confidence: NDArray[np.floating], correct: NDArray[np.bool_], bins: int = ECE_BINS
) -> tuple[ReliabilityBin, ...]:
    """The bins of ``calibrate.expected_calibration_error``. confidence: [N] in 0..1. correct: bool [N]."""
    position = np.minimum((confidence * bins).astype(int), bins - 1)
    found = []
    for k in range(bins):
        here = position == k
        some = bool(here.any())
        found.append(
            ReliabilityBin(
                k / bins,
                (k + 1) / bins,
                int(here.sum()),
                float(confidence[here].mean()) if some else 0.0,
                float(correct[here].mean()) if some else 0.0,
            )
        )
    return tuple(found)


def auroc(foreign: NDArray[np.floating], known: NDArray[np.floating]) -> tuple[float, float, float]:
    """How well a score tells foreign from known pictures: the area under the ROC curve with its 95 % interval.

    0.5 is chance. The interval is that of Hanley and McNeil (1982). Raises ValueError when one side is empty.
    """
    m, n = len(foreign), len(known)
    if not m or not n:
        raise ValueError(f"expected foreign and known scores, received {m} and {n}")
    area = float(roc_auc_score(np.r_[np.ones(m), np.zeros(n)], np.r_[foreign, known]))
    two_foreign, two_known = area / (2 - area), 2 * area * area / (1 + area)
    variance = (area * (1 - area) + (m - 1) * (two_foreign - area * area) + (n - 1) * (two_known - area * area)) / (
        m * n
    )
    spread = Z95 * math.sqrt(max(variance, 0.0))
    return area, max(0.0, area - spread), min(1.0, area + spread)


def mcnemar(only_first: int, only_second: int) -> float:
    """Exact two-sided p-value of McNemar's test: the chance that two equally good models differ by so much.

    only_first, only_second: pictures that only the one, only the other has right. 1 when there are none.
    """
    trials, fewer = only_first + only_second, min(only_first, only_second)
    tail = sum(math.comb(trials, k) for k in range(fewer + 1))
    return min(1.0, float(2 * tail / 2**trials))


def difference_interval(only_first: int, only_second: int, pictures: int) -> tuple[float, float]:
    """95 % interval of the difference of two shares measured on the same pictures (Bonett and Price, 2012)."""
    first, second = (only_first + 1) / (pictures + 2), (only_second + 1) / (pictures + 2)
    spread = Z95 * math.sqrt((first + second - (first - second) ** 2) / (pictures + 2))
    return max(-1.0, first - second - spread), min(1.0, first - second + spread)
