"""The statistics are those of the literature and of other people's code."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from training.calibrate import expected_calibration_error
from training.measures import auroc, difference_interval, mcnemar, reliability, wilson_interval


def test_wilson_intervals_of_the_literature() -> None:
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)  # Newcombe 1998, table I
    assert wilson_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=1e-4)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_holds_its_share_and_stays_within_0_and_1(counts: tuple[int, int]) -> None:
    low, high = wilson_interval(*counts)
    assert 0.0 <= low <= counts[0] / counts[1] + 1e-12
    assert counts[0] / counts[1] - 1e-12 <= high <= 1.0


def test_an_impossible_count_is_refused() -> None:
    with pytest.raises(ValueError, match="received 3 of 2"):
        wilson_interval(3, 2)


def test_the_bins_add_up_to_the_calibration_error() -> None:
    rng = np.random.default_rng(3)
    confidence, correct = rng.random(500), rng.random(500) < 0.6
    bins = reliability(confidence, correct)
    assert sum(b.pictures for b in bins) == 500
    gap = sum(b.pictures * abs(b.probability - b.accuracy) for b in bins) / 500
    assert gap == pytest.approx(expected_calibration_error(confidence, correct))
    assert reliability(np.array([1.0]), np.array([True]))[-1].pictures == 1


def test_an_auroc_counts_pairs_and_its_interval_holds_it() -> None:
    foreign, known = np.array([0.9, 0.8, 0.4]), np.array([0.1, 0.5, 0.4, 0.2])
    area, low, high = auroc(foreign, known)
    assert area == pytest.approx((4 + 4 + 2.5) / 12)
    assert low < area < high <= 1.0
    wide = auroc(foreign[:2], known[:2])
    assert wide[0] == 1.0
    with pytest.raises(ValueError, match="received 0 and 4"):
        auroc(np.array([]), known)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_exact_binomial_test(first: int, second: int) -> None:
    expected = binomtest(first, first + second).pvalue if first + second else 1.0
    assert mcnemar(first, second) == pytest.approx(expected)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 500))
def test_the_paired_interval_is_symmetric_and_narrows_with_pictures(first: int, second: int, rest: int) -> None:
    pictures = first + second + rest
    low, high = difference_interval(first, second, pictures)
    assert -1.0 <= low < high <= 1.0
    assert difference_interval(second, first, pictures) == pytest.approx((-high, -low))
    if first == second:
        assert low < 0.0 < high
    assert high - low > np.subtract(*difference_interval(first * 4, second * 4, pictures * 4)[::-1])
