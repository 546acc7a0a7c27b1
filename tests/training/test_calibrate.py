"""Calibration finds what is known, and thresholds keep their promise on the pictures they were chosen on."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.calibrate import (
    SHOW_RANGE,
    TEMPERATURE_RANGE,
    WANTED_PRECISION,
    choose_show,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    softmax,
)


def drawn(seed: int, n: int = 6000, classes: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels drawn from exactly the probabilities that they say."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (n, classes))
    cumulative = softmax(logits).cumsum(axis=1)
    return logits, (rng.random((n, 1)) > cumulative).sum(axis=1)


def test_softmax_agrees_with_its_definition_and_survives_large_logits() -> None:
    logits = np.array([[1.0, 2.0, 3.0], [1000.0, 0.0, -1000.0]])
    assert softmax(logits)[0] == pytest.approx(np.exp([1, 2, 3]) / np.exp([1, 2, 3]).sum())
    assert softmax(logits)[1].tolist() == [1, 0, 0]
    assert softmax(logits, 2.0)[0] == pytest.approx(softmax(logits / 2.0)[0])


def test_the_likelihood_is_that_of_the_labels_probability() -> None:
    logits, labels = drawn(0, 50)
    expected = -np.log(softmax(logits, 1.7)[np.arange(50), labels]).mean()
    assert negative_log_likelihood(logits, labels, 1.7) == pytest.approx(expected)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_logits_were_scaled_by_is_found(temperature: float) -> None:
    logits, labels = drawn(1)
    assert fit_temperature(logits * temperature, labels) == pytest.approx(temperature, rel=0.05)


def test_the_temperature_found_is_the_minimum() -> None:
    logits, labels = drawn(2, 300)
    found = fit_temperature(logits * 3, labels)
    at_best = negative_log_likelihood(logits * 3, labels, found)
    for other in np.geomspace(*TEMPERATURE_RANGE, 60):
        assert at_best <= negative_log_likelihood(logits * 3, labels, other) + 1e-9


def test_perfect_classification_does_not_become_certainty() -> None:
    assert fit_temperature(np.eye(4) * 3, np.arange(4)) == pytest.approx(TEMPERATURE_RANGE[0], rel=1e-3)


def test_calibrated_probabilities_have_a_small_error_and_overconfident_ones_a_large_one() -> None:
    logits, labels = drawn(3)
    correct = logits.argmax(axis=1) == labels
    assert expected_calibration_error(softmax(logits).max(axis=1), correct) < 0.02
    assert expected_calibration_error(softmax(logits * 5).max(axis=1), correct) > 0.15


def test_the_calibration_error_of_known_bins() -> None:
    confidence = np.array([0.95, 0.95, 0.95, 0.95, 0.55, 0.55, 1.0])
    correct = np.array([True, True, True, False, True, False, True])
    # one bin from 14/15 on with 5 pictures, one with 2
    expected = (abs(4 * 0.95 + 1.0 - 4) + abs(2 * 0.55 - 1)) / 7
    assert expected_calibration_error(confidence, correct) == pytest.approx(expected)
    with pytest.raises(ValueError, match="nothing"):
        expected_calibration_error(np.array([]), np.array([], bool))


def certain(confidence: list[float], right: list[bool]) -> tuple[np.ndarray, np.ndarray]:
    """Two classes; class 0 is always given, with these probabilities."""
    p = np.array(confidence)
    return np.stack([p, 1 - p], axis=1), np.where(right, 0, 1)


def test_the_threshold_is_the_smallest_that_keeps_the_precision() -> None:
    # from 0.7 up 9 of 10 are right; from 0.6 up 9 of 11
    confidences = [0.95, 0.92, 0.9, 0.88, 0.86, 0.84, 0.8, 0.78, 0.75, 0.7, 0.6]
    found = choose_show(*certain(confidences, [number not in (2, 10) for number in range(11)]))
    assert found == pytest.approx(0.7)


def test_pictures_of_equal_confidence_are_shown_together() -> None:
    found = choose_show(*certain([0.85, 0.7, 0.7, 0.7], [True, True, False, False]))
    assert found == pytest.approx(0.85)


def test_the_threshold_stays_within_its_range() -> None:
    assert choose_show(*certain([0.99, 0.98], [True, True])) == SHOW_RANGE[0]
    assert choose_show(*certain([0.8, 0.7], [False, False])) == SHOW_RANGE[1]
    assert choose_show(np.zeros((0, 2)), np.zeros(0, np.int64)) == SHOW_RANGE[1]


@given(st.lists(st.tuples(st.floats(0.5, 1.0), st.booleans()), min_size=1, max_size=40))
def test_a_threshold_inside_the_range_keeps_its_promise(pictures: list[tuple[float, bool]]) -> None:
    probabilities, labels = certain([p for p, _ in pictures], [r for _, r in pictures])
    labels = np.where(probabilities.argmax(axis=1) == 0, labels, 1 - labels)  # at 0.5 both are the largest
    show = choose_show(probabilities, labels)
    assert SHOW_RANGE[0] <= show <= SHOW_RANGE[1]
    shown = probabilities.max(axis=1) >= show
    if SHOW_RANGE[0] < show < SHOW_RANGE[1]:
        right = (probabilities.argmax(axis=1) == labels)[shown]
        assert right.mean() >= WANTED_PRECISION or math.isclose(right.mean(), WANTED_PRECISION)
