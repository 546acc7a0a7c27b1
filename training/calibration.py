"""Finds what makes a network's answers mean what they say: temperature, unknown score and thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from realtime.contract import Thresholds
from realtime.labels import means_no_animal
from realtime.unknown import UnknownScore
from training.calibrate import (
    choose_show,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    softmax,
)
from training.foreign import UNKNOWN_THRESHOLD, Observed, fit_unknown, leave_classes_out


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """facts: figures of the validation pictures. metrics: those of them that travel with the model."""

    temperature: float
    thresholds: Thresholds
    unknown: UnknownScore
    facts: dict[str, float]
    metrics: dict[str, float]


def calibrate(seen: Observed, held: Observed, labels: Sequence[str], seed: int) -> Calibration:
    """Everything is found on the held-back pictures, but for the prototypes of the unknown score.

    seen: pictures that were learnt from. held: others, of known classes too. Answers that mean no animal are never
    shown, so that the threshold for showing a label does not ask whether they are right.
    """
    logits, truth = held.logits, held.labels
    temperature = fit_temperature(logits, truth)
    probabilities = softmax(logits, temperature)
    predicted, confidence = logits.argmax(axis=1), probabilities.max(axis=1)
    correct = predicted == truth
    unknown = fit_unknown(seen, held, seed)
    taken = unknown(held.features, logits) <= UNKNOWN_THRESHOLD
    animals = taken & ~np.array([means_no_animal(label) for label in labels])[predicted]
    thresholds = Thresholds(show=choose_show(probabilities[animals], truth[animals]), unknown=UNKNOWN_THRESHOLD)
    shown = animals & (confidence >= thresholds.show)
    left_out = leave_classes_out(seen, held, lambda known, own: {"unknown_auroc": fit_unknown(known, own, seed)}, seed)
    return Calibration(
        temperature,
        thresholds,
        unknown,
        facts={
            "accuracy": float(correct.mean()),
            "nll_uncalibrated": negative_log_likelihood(logits, truth),
            "nll": negative_log_likelihood(logits, truth, temperature),
            "ece_uncalibrated": expected_calibration_error(softmax(logits).max(axis=1), correct),
            "ece": expected_calibration_error(confidence, correct),
            "refused_share": float(1.0 - taken.mean()),
            "shown_share": float(shown.mean()),
            "shown_precision": float(correct[shown].mean()) if shown.any() else 0.0,
            **left_out,
        },
        metrics=left_out,
    )
