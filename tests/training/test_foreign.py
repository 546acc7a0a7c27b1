"""The unknown score is fitted on known classes, refuses what it should, and is measured on classes left out."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

from realtime.unknown import distance
from training.foreign import (
    PROTOTYPES,
    REFUSED_SHARE,
    UNKNOWN_THRESHOLD,
    Observed,
    find_prototypes,
    fit_unknown,
    leave_classes_out,
)

CLASSES, FEATURES = 6, 24


def observed(per_class: int, seed: int, spread: float = 0.4) -> Observed:
    """Classes around directions of their own; logits are how near each is."""
    centres = np.abs(np.random.default_rng(99).normal(0, 1, (CLASSES, FEATURES))) * 3
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(CLASSES), per_class)
    features = np.maximum(centres[labels] + rng.normal(0, spread, (len(labels), FEATURES)), 0).astype(np.float32)
    logits = -((features[:, None] - centres) ** 2).sum(axis=2)
    return Observed(features, (logits / 20).astype(np.float32), labels)


def test_a_twentieth_of_the_validation_pictures_is_above_the_threshold() -> None:
    validation = observed(50, 2)
    score = fit_unknown(observed(40, 1), validation, 0)(validation.features, validation.logits)
    assert (score > UNKNOWN_THRESHOLD).mean() == pytest.approx(REFUSED_SHARE, abs=0.01)
    assert 0 < score.min() < np.median(score) < 0.3


def test_both_terms_count_alike_on_validation() -> None:
    validation = observed(50, 2)
    unknown = fit_unknown(observed(40, 1), validation, 0)
    from realtime.unknown import energy

    parts = (
        unknown.energy_weight * energy(validation.logits),
        unknown.distance_weight * distance(validation.features, unknown.prototypes),
    )
    assert np.std(parts[0]) == pytest.approx(np.std(parts[1]), rel=1e-3)


def test_what_lies_elsewhere_is_foreign_even_where_one_logit_is_high() -> None:
    unknown = fit_unknown(observed(40, 1), observed(50, 2), 0)
    elsewhere = np.zeros((1, FEATURES), np.float32)
    elsewhere[0, 3] = 5.0
    typical = observed(50, 2).logits[:1]
    assert unknown(elsewhere, typical)[0] > 0.9


def test_every_class_has_its_prototypes_and_the_seed_decides_them() -> None:
    train = observed(40, 1)
    found = find_prototypes(train.features, train.labels, PROTOTYPES, 5)
    assert found.shape == (CLASSES * PROTOTYPES, FEATURES)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1.0)
    assert np.array_equal(found, find_prototypes(train.features, train.labels, PROTOTYPES, 5))


def test_few_and_equal_pictures_are_prototypes_themselves_and_an_empty_one_is_none() -> None:
    features = np.array([[1, 0], [1, 0], [0, 2], [0, 0]], np.float32)
    found = find_prototypes(features, np.array([0, 0, 1, 1]), PROTOTYPES, 0)
    assert found.tolist() == [[1, 0], [0, 1]]


def test_identical_pictures_do_not_divide_by_nothing() -> None:
    same = Observed(np.ones((4, 3), np.float32), np.ones((4, 2), np.float32), np.array([0, 0, 1, 1]))
    score = fit_unknown(same, same, 0)(same.features, same.logits)
    assert np.isfinite(score).all()


def test_classes_left_out_are_told_from_known_ones_when_features_can_and_not_when_they_cannot() -> None:
    def fit(known: Observed, held: Observed):
        assert set(known.labels.tolist()) == set(held.labels.tolist())
        assert len(set(known.labels.tolist())) < CLASSES
        unknown = fit_unknown(known, held, 0)
        return {"ours": unknown, "chance": lambda features, logits: np.arange(len(features)) % 7}

    found = leave_classes_out(observed(40, 1), observed(20, 2), fit, 0)
    assert found["ours"] > 0.95
    assert 0.35 < found["chance"] < 0.65


def test_of_two_classes_none_can_be_left_out() -> None:
    both = observed(10, 1)
    rows = both.labels < 2
    two = Observed(both.features[rows], both.logits[rows], both.labels[rows])
    assert leave_classes_out(two, two, lambda known, held: {"ours": fit_unknown(known, held, 0)}, 0) == {}
