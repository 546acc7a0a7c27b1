"""Divides pictures into training and validation so that no group of duplicates stands on both sides."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from realtime.errors import DataError


def grouped_split(
    labels: NDArray[np.int64], groups: NDArray[np.int64], names: Sequence[str], share: float, seed: int
) -> NDArray[np.bool_]:
    """bool [N], True for validation: about ``share`` of every class, whole groups only, the same for the same seed.

    labels: int64 [N] into ``names``. groups: int64 [N]; a group may hold several classes. Every class has at least one
    picture on each side. Raises DataError with the counts for classes that cannot be divided.
    """
    count = np.bincount(labels, minlength=len(names))
    _refuse(names, count, count < 2, "pictures")
    distinct = np.array([len(np.unique(groups[labels == label])) for label in range(len(names))])
    _refuse(names, distinct, distinct < 2, "different pictures (the others are near duplicates)")

    target = np.clip(np.rint(count * share).astype(int), 1, count - 1)
    members, sizes = _class_counts_of_groups(labels, groups, len(names))
    order = np.random.default_rng([seed, 2]).permutation(len(members))
    held = np.zeros(len(names), int)
    chosen = set()
    for group in order:
        if (held + sizes[group] <= target)[sizes[group] > 0].all():
            held += sizes[group]
            chosen.add(int(group))
    # Where only groups larger than the target are left, a class may have nothing yet: its smallest group will do.
    for label in np.flatnonzero(held == 0):
        fits = [g for g in order if sizes[g][label] and (held + sizes[g] < count)[sizes[g] > 0].all()]
        if not fits:
            _refuse(names, distinct, np.arange(len(names)) == label, "groups that can be divided")
        smallest = min(fits, key=lambda g: int(sizes[g].sum()))
        held += sizes[smallest]
        chosen.add(int(smallest))
    return np.isin(groups, members[sorted(chosen)])


def split_hash(train: Sequence[str], validation: Sequence[str]) -> str:
    """SHA-256 over the sorted file hashes of the two sides: names the split, whatever folder it lies in."""
    lines = [f"train {h}" for h in sorted(train)] + [f"validation {h}" for h in sorted(validation)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _class_counts_of_groups(
    labels: NDArray[np.int64], groups: NDArray[np.int64], classes: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    members, row = np.unique(groups, return_inverse=True)
    sizes = np.zeros((len(members), classes), np.int64)
    np.add.at(sizes, (row, labels), 1)
    return members, sizes


def _refuse(names: Sequence[str], count: NDArray[np.int64], where: NDArray[np.bool_], what: str) -> None:
    if where.any():
        listed = ", ".join(f"{names[i]} {count[i]}" for i in np.flatnonzero(where).tolist())
        raise DataError(f"too few {what} to train and validate, expected at least 2 of each class: {listed}")
