"""Compares models picture by picture: the exported one with the trained one, and fewer bits with float32."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime.engine import Engine

BATCH = 8  # pictures per run: bounds the memory of the first layers, 13 MB a picture at 224 px
# A map below a tenth of cam_scale is next to nothing, and float32 rounds its large terms, not their small sum.
CAM_FLOOR = 0.1


@dataclass(frozen=True, slots=True)
class KerasParity:
    """How far the exported graph is from the trained model, over ``pictures`` pictures.

    Half of them explain the most probable class, half a class asked for. probability, unknown: the largest difference
    of a probability and of the unknown score. cam, cam_tape: the largest difference of a map's cell, as a share of that
    map's maximum (of CAM_FLOOR * cam_scale where the maximum is smaller), from the same formula run by Keras and from a
    GradientTape.
    kinks: pictures left out of the maps' figures because rounding decides which hidden units are on (``oracle``).
    """

    pictures: int
    probability: float
    unknown: float
    cam: float
    cam_tape: float
    kinks: int


@dataclass(frozen=True, slots=True)
class LossyParity:
    """How far a graph in fewer bits is from the float32 one, over ``pictures`` pictures.

    label_agreement: share with the same most probable class. probability_mean, probability_max: differences of
    probabilities over all classes. unknown_agreement: share with the unknown score on the same side of the contract's
    threshold; unknown_mean, unknown_max: differences of that score. cam_correlation: mean over pictures of Pearson's
    correlation of the two maps of float32's class; two constant maps count as 1, one as 0. labelled: pictures of which
    the true class is known; accuracy, fp32_accuracy: share of these that each of the two gets right, 0 when none is.
    """

    pictures: int
    label_agreement: float
    probability_mean: float
    probability_max: float
    unknown_agreement: float
    unknown_mean: float
    unknown_max: float
    cam_correlation: float
    labelled: int = 0
    accuracy: float = 0.0
    fp32_accuracy: float = 0.0

    def metrics(self) -> dict[str, float]:
        """The figures that travel with the model file; ``realtime.contract`` keeps them as they are."""
        return {
            "fp32_pictures": float(self.pictures),
            "fp32_same_label": self.label_agreement,
            "fp32_probability_drift": self.probability_mean,
            "fp32_map_correlation": self.cam_correlation,
        }


def compare_with_keras(engine: Engine, function: Any, oracle: Any, frames: NDArray[np.uint8]) -> KerasParity:
    """engine: the exported graph. function: of ``graph``. oracle: of ``oracle``. frames: uint8 [N, S, S, 3] RGB."""
    probability = unknown = cam = cam_tape = 0.0
    kinks = 0
    explain = np.full(len(frames), -1, np.int64)
    explain[1::2] = np.arange(len(explain[1::2])) % len(engine.contract.labels)
    for start in range(0, len(frames), BATCH):
        part, asked = frames[start : start + BATCH], explain[start : start + BATCH]
        ours = engine.run(part, asked)
        # Where two classes are as good as equal either may be explained, so the oracle explains the one we took.
        truth = oracle.ask(part, np.where(asked < 0, ours.probabilities.argmax(axis=1), asked))
        same = function(part, asked)["cam"].numpy()
        probability = max(probability, float(np.abs(ours.probabilities - truth.probabilities).max()))
        unknown = max(unknown, float(np.abs(ours.unknown - truth.unknown).max()))
        clear = ~truth.kink
        kinks += int(truth.kink.sum())
        if clear.any():
            cam = max(cam, _worst_share(ours.cam[clear], same[clear]))
            cam_tape = max(cam_tape, _worst_share(ours.cam[clear], truth.cam[clear]))
    return KerasParity(len(frames), probability, unknown, cam, cam_tape, kinks)


def compare_with_fp32(
    engine: Engine, fp32: Engine, frames: NDArray[np.uint8], classes: NDArray[np.int64] | None = None
) -> LossyParity:
    """engine: the graph in fewer bits. frames: uint8 [N, S, S, 3] RGB. classes: the true ones [N], -1 where unknown."""
    classes = np.full(len(frames), -1, np.int64) if classes is None else classes
    agree: list[bool] = []
    right: list[NDArray[np.bool_]] = []
    difference: list[NDArray[np.float32]] = []
    scores: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []
    correlation: list[float] = []
    for start in range(0, len(frames), BATCH):
        part = frames[start : start + BATCH]
        truth = fp32.run(part)
        labels = truth.probabilities.argmax(axis=1)
        ours = engine.run(part, labels)
        chosen, known = ours.probabilities.argmax(axis=1), classes[start : start + BATCH]
        agree.extend(chosen == labels)
        right.append(np.stack([chosen == known, labels == known], axis=1)[known >= 0])
        difference.append(np.abs(ours.probabilities - truth.probabilities))
        scores.append((ours.unknown, truth.unknown))
        correlation.extend(map(_correlation, ours.cam, truth.cam))
    differences = np.concatenate(difference)
    unknown, true_unknown = (np.concatenate(part) for part in zip(*scores, strict=True))
    both_right = np.concatenate(right)
    accuracy, fp32_accuracy = both_right.mean(axis=0).tolist() if len(both_right) else (0.0, 0.0)
    limit = fp32.contract.thresholds.unknown
    return LossyParity(
        pictures=len(frames),
        label_agreement=float(np.mean(agree)),
        probability_mean=float(differences.mean()),
        probability_max=float(differences.max()),
        unknown_agreement=float(((unknown > limit) == (true_unknown > limit)).mean()),
        unknown_mean=float(np.abs(unknown - true_unknown).mean()),
        unknown_max=float(np.abs(unknown - true_unknown).max()),
        cam_correlation=float(np.mean(correlation)),
        labelled=len(both_right),
        accuracy=accuracy,
        fp32_accuracy=fp32_accuracy,
    )


def _worst_share(ours: NDArray[np.float32], truth: NDArray[np.float32]) -> float:
    difference = np.abs(ours - truth).max(axis=(1, 2))
    return float((difference / np.maximum(truth.max(axis=(1, 2)), CAM_FLOOR)).max())


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    flat = [bool(np.ptp(cam) == 0.0) for cam in (a, b)]
    if any(flat):
        return 1.0 if all(flat) else 0.0
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])
