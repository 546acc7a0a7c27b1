"""The unknown score: the formula as written, far pictures above near ones, and constants that survive their file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.errors import ContractError
from realtime.unknown import UnknownScore, distance, energy

PROTOTYPES = np.eye(4, dtype=np.float32)[:2]  # two animals that excite one feature each
SCORE = UnknownScore(PROTOTYPES, energy_weight=0.5, distance_weight=4.0, offset=0.25)


def test_the_score_is_the_formula() -> None:
    logits, features = np.array([[1.0, 2.0, 3.0]]), np.array([[3.0, 4.0, 0.0, 0.0]])
    e, d = -np.log(np.exp([1, 2, 3]).sum()), 1 - 4 / 5
    assert energy(logits) == pytest.approx([e])
    assert distance(features, PROTOTYPES) == pytest.approx([d])
    assert SCORE(features, logits) == pytest.approx([1 / (1 + np.exp(-(0.5 * e + 4 * d + 0.25)))])


def test_neither_large_logits_nor_a_picture_without_features_overflow() -> None:
    assert energy(np.array([[1000.0, 0.0], [-1000.0, -1000.0]])) == pytest.approx([-1000, 1000 - np.log(2)])
    assert distance(np.zeros((1, 4)), PROTOTYPES) == pytest.approx([1.0])


@given(st.floats(0.01, 1e4), st.integers(0, 1000))
def test_the_distance_depends_on_the_direction_alone(factor: float, seed: int) -> None:
    features = np.random.default_rng(seed).exponential(size=(3, 4)) + 0.01
    assert distance(features * factor, PROTOTYPES) == pytest.approx(distance(features, PROTOTYPES), abs=1e-9)


def test_a_scene_like_no_prototype_is_more_foreign_however_sure_one_class_is() -> None:
    near, far = np.array([[1.0, 0.1, 0.0, 0.0]]), np.array([[0.0, 0.1, 1.0, 1.0]])
    logits = np.array([[6.0, 0.0, 0.0]])
    assert SCORE(far, logits)[0] > 0.5 > SCORE(near, logits)[0]


def test_the_constants_come_back_from_their_file(tmp_path: Path) -> None:
    SCORE.save(tmp_path / "unknown.npz")
    found = UnknownScore.load(tmp_path / "unknown.npz")
    assert np.array_equal(found.prototypes, PROTOTYPES)
    assert found.prototypes.dtype == np.float32
    assert (found.energy_weight, found.distance_weight, found.offset) == (0.5, 4.0, 0.25)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"prototypes": PROTOTYPES.astype(np.float64)}, r"prototypes: expected float32 \[P, K\], received float64"),
        ({"prototypes": PROTOTYPES[0]}, r"prototypes: expected float32 \[P, K\]"),
        ({"prototypes": 2 * PROTOTYPES}, "prototypes: expected rows of length 1"),
        ({"offset": float("nan")}, "offset: expected a number, received nan"),
    ],
)
def test_constants_that_cannot_be_are_named(changes: dict[str, object], named: str) -> None:
    facts = {"prototypes": PROTOTYPES, "energy_weight": 1.0, "distance_weight": 1.0, "offset": 0.0}
    with pytest.raises(ContractError, match=named):
        UnknownScore(**{**facts, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("content", [b"", b"no archive"])
def test_a_damaged_file_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "unknown.npz").write_bytes(content)
    with pytest.raises(ContractError, match=r"unknown\.npz: cannot be read"):
        UnknownScore.load(tmp_path / "unknown.npz")
    with pytest.raises(ContractError, match=r"gone\.npz: cannot be read"):
        UnknownScore.load(tmp_path / "gone.npz")
