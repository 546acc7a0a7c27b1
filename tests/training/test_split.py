"""The split keeps groups whole, classes represented, and comes out the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from realtime.errors import DataError
from training.split import grouped_split, split_hash

NAMES = ("Crabs", "Eel", "Fish")


@given(
    labels=st.lists(st.integers(0, 2), min_size=6, max_size=60),
    joins=st.lists(st.integers(0, 20), min_size=60, max_size=60),
    share=st.floats(0.05, 0.6),
    seed=st.integers(0, 5),
)
def test_no_group_straddles_and_every_class_is_on_both_sides(
    labels: list[int], joins: list[int], share: float, seed: int
) -> None:
    y = np.array(labels)
    groups = np.array(joins[: len(y)])
    assume(all((y == label).any() for label in range(3)))
    try:
        held = grouped_split(y, groups, NAMES, share, seed)
    except DataError:
        return  # the property is of splits that exist; refusal is tested below
    for group in np.unique(groups):
        assert len(np.unique(held[groups == group])) == 1
    for label in range(3):
        assert held[y == label].any()
        assert (~held[y == label]).any()


def test_without_duplicates_every_class_gives_its_share() -> None:
    labels = np.repeat([0, 1, 2], [100, 40, 10])
    held = grouped_split(labels, np.arange(150), NAMES, 0.2, seed=0)
    assert [int(held[labels == label].sum()) for label in range(3)] == [20, 8, 2]


def test_the_seed_decides() -> None:
    labels = np.repeat([0, 1, 2], 30)
    first = grouped_split(labels, np.arange(90), NAMES, 0.2, seed=4)
    assert np.array_equal(first, grouped_split(labels, np.arange(90), NAMES, 0.2, seed=4))
    assert not np.array_equal(first, grouped_split(labels, np.arange(90), NAMES, 0.2, seed=5))


def test_a_class_of_large_groups_only_gives_its_smallest() -> None:
    labels = np.repeat([0, 1, 2], [12, 20, 20])
    groups = np.concatenate([np.repeat([100, 101, 102], [5, 3, 4]), np.arange(40)])
    held = grouped_split(labels, groups, NAMES, 0.1, seed=0)
    assert np.flatnonzero(held[:12]).tolist() == [5, 6, 7]


def test_classes_that_cannot_be_divided_are_refused_with_their_counts() -> None:
    labels = np.repeat([0, 1, 2], [5, 1, 1])
    with pytest.raises(DataError, match=r"too few pictures .* at least 2 of each class: Eel 1, Fish 1"):
        grouped_split(labels, np.arange(7), NAMES, 0.2, seed=0)
    labels, groups = np.repeat([0, 1, 2], 4), np.arange(12)
    groups[4:8] = 4
    with pytest.raises(DataError, match=r"too few different pictures .*: Eel 1"):
        grouped_split(labels, groups, NAMES, 0.2, seed=0)


def test_the_hash_names_the_sides_and_forgets_the_order() -> None:
    assert split_hash(["a", "b"], ["c"]) == split_hash(["b", "a"], ["c"])
    assert split_hash(["a", "b"], ["c"]) != split_hash(["a"], ["b", "c"])
