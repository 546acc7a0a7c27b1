"""Finds pictures that are the same or nearly so, because a network that has seen one has seen the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

FINGERPRINT_BYTES = 32
NEAR = 16  # bits of 256. Re-encoded, rescaled and slightly cropped copies stay below; unrelated pictures lie near 128.
_CHUNK = 1024  # rows compared at once: 1024 x 10,000 x 32 bytes is 330 MB at most


def fingerprint(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """256-bit difference hash of uint8 [H, W, 3] RGB, packed into uint8 [32]: where brightness rises to the right."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (17, 16), interpolation=cv2.INTER_AREA)
    return np.packbits(small[:, 1:] > small[:, :-1])


def contradictions(pixel_hashes: Sequence[str], labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """bool [N]: pictures whose identical pixels also stand under another label."""
    labels_of = defaultdict(set)
    for pixel_hash, label in zip(pixel_hashes, labels.tolist(), strict=True):
        labels_of[pixel_hash].add(label)
    return np.array([len(labels_of[pixel_hash]) > 1 for pixel_hash in pixel_hashes], np.bool_)


def group_duplicates(
    pixel_hashes: Sequence[str], fingerprints: NDArray[np.uint8], near: int = NEAR, *, named: Sequence[str] = ()
) -> NDArray[np.int64]:
    """int64 [N]: a group number per picture, the smallest row of its group.

    Identical pixels, and fingerprints (uint8 [N, 32]) at most ``near`` bits apart, share a group, also by way of a
    third picture; so do pictures of one name in ``named``, which has N names or none, "" for a picture of its own.
    """
    parent = np.arange(len(pixel_hashes))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = int(parent[row])
        return row

    def join(a: int, b: int) -> None:
        first, second = sorted((root(a), root(b)))
        parent[second] = first

    first_with: dict[str, int] = {}
    for row, pixel_hash in enumerate(pixel_hashes):
        join(first_with.setdefault(pixel_hash, row), row)
    for a, b in _near_pairs(fingerprints, fingerprints, near):
        if a < b:
            join(a, b)
    first_called: dict[str, int] = {}
    for row, name in enumerate(named):
        if name:
            join(first_called.setdefault(name, row), row)
    return np.array([root(row) for row in range(len(parent))], np.int64)


def near_any(fingerprints: NDArray[np.uint8], others: NDArray[np.uint8], near: int = NEAR) -> dict[int, int]:
    """Row of ``fingerprints`` -> one row of ``others`` at most ``near`` bits away, for the rows that have one."""
    return dict(_near_pairs(fingerprints, others, near))


def _near_pairs(a: NDArray[np.uint8], b: NDArray[np.uint8], near: int) -> Iterator[tuple[int, int]]:
    words_a = np.ascontiguousarray(a).view(np.uint64)
    words_b = np.ascontiguousarray(b).view(np.uint64)
    for start in range(0, len(words_a), _CHUNK):
        chunk = words_a[start : start + _CHUNK]
        distance = np.zeros((len(chunk), len(words_b)), np.uint16)
        for word in range(words_a.shape[1]):  # word by word keeps the largest temporary at one chunk of uint64
            distance += np.bitwise_count(chunk[:, None, word] ^ words_b[None, :, word])
        for row, other in np.argwhere(distance <= near):
            yield start + int(row), int(other)
