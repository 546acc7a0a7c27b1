"""What a model answers to photographs, picture by picture, through the engine that ships."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from realtime.contract import Thresholds
from realtime.engine import Engine
from training.progress import Reporter

BATCH = 16

Change = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """probabilities: float32 [N, C], calibrated. unknown: float32 [N]."""

    probabilities: NDArray[np.float32]
    unknown: NDArray[np.float32]

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The most probable class, int64 [N]; of equals the first."""
        best: NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return best

    @property
    def confidence(self) -> NDArray[np.float32]:
        """Its probability, float32 [N]."""
        best: NDArray[np.float32] = self.probabilities.max(axis=1)
        return best

    def shown(self, thresholds: Thresholds, no_animal: int | None) -> NDArray[np.bool_]:
        """Which pictures would get a label: not refused, sure enough, and not "no animal"."""
        sure = (self.unknown <= thresholds.unknown) & (self.confidence >= thresholds.show)
        return sure & (self.predicted != no_animal) if no_animal is not None else sure


def answer(
    engine: Engine, pixels: NDArray[np.uint8], reporter: Reporter, task: str, change: Change | None = None
) -> Answers:
    """Runs the engine over uint8 [N, S, S, 3] RGB, N >= 1. change: alters each picture before."""
    reporter.begin(task, len(pixels))
    parts = []
    for start in range(0, len(pixels), BATCH):
        batch = pixels[start : start + BATCH]
        if change is not None:
            batch = np.stack([change(picture) for picture in batch])
        parts.append(engine.run(batch))
        reporter.advance(len(batch))
    return Answers(
        np.concatenate([part.probabilities for part in parts]), np.concatenate([part.unknown for part in parts])
    )
