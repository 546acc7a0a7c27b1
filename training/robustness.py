"""Measures what a model still knows in worse water: the same pictures, changed by ``water`` in three strengths."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from realtime.engine import Engine
from training.answers import Answers, answer
from training.measures import wilson_interval
from training.progress import Reporter
from training.water import blur, colour_cast, haze

CHANGES = {"haze": haze, "colour cast": colour_cast, "blur": blur}
STRENGTHS = {"light": 1 / 3, "medium": 2 / 3, "heavy": 1.0}


@dataclass(frozen=True, slots=True)
class WaterScore:
    """One kind of water. change: a key of CHANGES. strength: 0..1, level: its name.

    accuracy: top-1 with its 95 % interval low..high. shown_share: pictures that get a label; shown_accuracy: how many
    of those are right, 0 when none is.
    """

    change: str
    level: str
    strength: float
    accuracy: float
    low: float
    high: float
    shown_share: float
    shown_accuracy: float


def in_water(
    engine: Engine, pixels: NDArray[np.uint8], truth: NDArray[np.int64], reporter: Reporter
) -> tuple[WaterScore, ...]:
    """Every change in every strength, on the network's own input, uint8 [N, S, S, 3]. truth: int64 [N]."""
    found = []
    for change, alter in CHANGES.items():
        for level, strength in STRENGTHS.items():
            answers = answer(engine, pixels, reporter, f"{level} {change}", partial(alter, strength=strength))
            found.append(_score(change, level, strength, answers, truth, engine))
    return tuple(found)


def _score(
    change: str, level: str, strength: float, answers: Answers, truth: NDArray[np.int64], engine: Engine
) -> WaterScore:
    correct = answers.predicted == truth
    shown = answers.shown(engine.contract.thresholds, engine.contract.no_animal)
    low, high = wilson_interval(int(correct.sum()), len(truth))
    return WaterScore(
        change,
        level,
        strength,
        float(correct.mean()),
        low,
        high,
        float(shown.mean()),
        float(correct[shown].mean()) if shown.any() else 0.0,
    )
