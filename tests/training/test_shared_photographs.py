"""The photographs that lie beside the repository are read whole, and their split is as clean as it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.duplicates import contradictions, near_any, one_photograph
from training.photographs import Photographs, find_photographs, load_photographs

TREE = Path(__file__).parents[3] / "shared/data/sea-animals"

pytestmark = [
    pytest.mark.shared,
    pytest.mark.slow,
    pytest.mark.skipif(not TREE.is_dir(), reason="no photographs beside the repository"),
]


@pytest.fixture(scope="module")
def held() -> dict[str, Photographs]:
    loaded = {}
    for side in ("val", "test"):
        found = find_photographs([TREE / side])
        loaded[side], skipped = load_photographs(found.files, 32)
        assert not skipped
        assert len(found.labels) == 23
    return loaded


def test_every_picture_is_read(held: dict[str, Photographs]) -> None:
    assert {side: len(pictures) for side, pictures in held.items()} == {"val": 1362, "test": 1365}


def test_validation_and_test_share_no_picture_and_contradict_nothing(held: dict[str, Photographs]) -> None:
    assert not near_any(held["val"].fingerprints, held["test"].fingerprints)
    for pictures in held.values():
        assert not np.any(contradictions(pictures.pixel_hashes, pictures.labels))


def test_two_photographs_of_validation_stand_under_two_labels_each(held: dict[str, Photographs]) -> None:
    pictures = held["val"]
    once = one_photograph(pictures.pixel_hashes, pictures.fingerprints, pictures.pixels).tolist()
    torn = np.flatnonzero(contradictions(once, pictures.labels)).tolist()
    assert sorted(Path(pictures.files[row].path).name for row in torn) == [
        "14145184806_790f90ed1c_b.jpg",
        "14145184806_790f90ed1c_b.jpg",
        "3284658683_3a2072f247_b.jpg",
        "3284658683_3a2072f247_b.jpg",
    ]
