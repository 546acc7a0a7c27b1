"""Makes probabilities mean what they say, and finds the probability from which a label is worth showing."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

WANTED_PRECISION = 0.9  # of the labels shown, on validation: who is told wrong names stops believing the right ones
SHOW_RANGE = (0.25, 0.90)  # below, a label is a guess even if guesses went well; above, hardly anything would be shown
TEMPERATURE_RANGE = (0.25, 8.0)  # a few pictures, all classified right, would otherwise ask for 0: certainty
ECE_BINS = 15


def softmax(logits: NDArray[np.floating], temperature: float = 1.0) -> NDArray[np.float64]:
    """Probabilities [N, C] of logits [N, C], float64."""
    scaled = logits.astype(np.float64) / temperature
    exp = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float64] = exp / exp.sum(axis=1, keepdims=True)
    return probabilities


def negative_log_likelihood(logits: NDArray[np.floating], labels: NDArray[np.int64], temperature: float = 1.0) -> float:
    """Mean of -log p(label), in nats."""
    scaled = logits.astype(np.float64) / temperature
    top = scaled.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(scaled - top).sum(axis=1)) + top[:, 0]
    return float((log_sum - scaled[np.arange(len(labels)), labels]).mean())


def fit_temperature(logits: NDArray[np.floating], labels: NDArray[np.int64]) -> float:
    """The temperature within TEMPERATURE_RANGE that minimises the negative log-likelihood, to 1e-5 relative.

    The likelihood is concave in 1 / T, so one golden-section search finds the only minimum.
    """
    ratio = (math.sqrt(5) - 1) / 2
    low, high = (math.log(bound) for bound in TEMPERATURE_RANGE)

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(logits, labels, math.exp(log_temperature))

    a, b = high - ratio * (high - low), low + ratio * (high - low)
    loss_a, loss_b = loss(a), loss(b)
    while high - low > 1e-5:
        if loss_a <= loss_b:
            high, b, loss_b = b, a, loss_a
            a = high - ratio * (high - low)
            loss_a = loss(a)
        else:
            low, a, loss_a = a, b, loss_b
            b = low + ratio * (high - low)
            loss_b = loss(b)
    return math.exp((low + high) / 2)


def expected_calibration_error(
    confidence: NDArray[np.floating], correct: NDArray[np.bool_], bins: int = ECE_BINS
) -> float:
    """Mean gap between confidence and accuracy over equally wide bins, weighted by their pictures; 0 is perfect.

    confidence: [N] in 0..1, of the label given. correct: bool [N].
    """
    if not len(confidence):
        raise ValueError("the calibration error of nothing is not defined")
    position = np.minimum((confidence * bins).astype(int), bins - 1)
    count = np.bincount(position, minlength=bins)
    gap = np.abs(
        np.bincount(position, weights=confidence, minlength=bins)
        - np.bincount(position, weights=correct, minlength=bins)
    )
    return float(gap.sum() / count.sum())


def choose_show(probabilities: NDArray[np.floating], labels: NDArray[np.int64]) -> float:
    """The smallest probability from which at least 90 % of the labels shown are right, of probabilities [N, C].

    Kept within SHOW_RANGE: its lower end when that holds for all pictures, its upper end when it never does, or when
    there is no picture.
    """
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    order = np.argsort(-confidence, kind="stable")
    precision = np.cumsum(correct[order]) / np.arange(1, len(order) + 1)
    ranked = confidence[order]
    # A threshold shows all pictures of equal confidence, so only the last of them counts.
    last_of_equals = np.append(ranked[1:] != ranked[:-1], np.ones(min(1, len(ranked)), bool))
    good = np.flatnonzero((precision >= WANTED_PRECISION) & last_of_equals)
    if not len(good):
        return SHOW_RANGE[1]
    if good[-1] == len(ranked) - 1:
        return SHOW_RANGE[0]
    return float(np.clip(ranked[good[-1]], *SHOW_RANGE))
