"""Finds pictures that are the same or nearly so, because a network that has seen one has seen the other."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

FINGERPRINT_BYTES = 32
NEAR = 16  # bits of 256. Re-encoded, rescaled and slightly cropped copies stay below; unrelated pictures lie near 128.
SAME = (
    6  # levels. Saved anew, a photograph moves by up to 5; frames of a fixed camera that show the same, by 8 and more.
)
_SKETCH = 16
_CHUNK = 1024  # rows compared at once: 1024 x 10,000 x 32 bytes is 330 MB at most


def fingerprint(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """256-bit difference hash of uint8 [H, W, 3] RGB, packed into uint8 [32]: where brightness rises to the right."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (17, 16), interpolation=cv2.INTER_AREA)
    return np.packbits(small[:, 1:] > small[:, :-1])


def one_photograph(
    pixel_hashes: Sequence[str], fingerprints: NDArray[np.uint8], pixels: NDArray[np.uint8]
) -> NDArray[np.int64]:
    """int64 [N]: a group number per picture, the smallest row of its group; one photograph, however often it was saved.

    Identical pixels share a group, and so do pictures that are alike all over: near by fingerprint, and no cell of a
    16 x 16 picture further apart than SAME levels. That holds for re-encoded and rescaled copies, and not for two
    moments of one scene, into which something may have swum. pixels: uint8 [N, W, W, 3], W from 16 up.
    """
    sketches: dict[int, NDArray[np.int16]] = {}

    def sketch(row: int) -> NDArray[np.int16]:
        if row not in sketches:
            small = cv2.resize(pixels[row], (_SKETCH, _SKETCH), interpolation=cv2.INTER_AREA)
            sketches[row] = small.astype(np.int16)
        return sketches[row]

    near = ((a, b) for a, b in _near_pairs(fingerprints, fingerprints, NEAR) if a < b)
    alike = ((a, b) for a, b in near if np.abs(sketch(a) - sketch(b)).max() <= SAME)
    return _joined(len(pixel_hashes), itertools.chain(_equal(pixel_hashes), alike))


def contradictions(groups: Sequence[Hashable], labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """bool [N]: pictures whose group (of ``one_photograph``, or their pixel hash) also stands under another label."""
    labels_of = defaultdict(set)
    for group, label in zip(groups, labels.tolist(), strict=True):
        labels_of[group].add(label)
    return np.array([len(labels_of[group]) > 1 for group in groups], np.bool_)


def group_duplicates(
    pixel_hashes: Sequence[str], fingerprints: NDArray[np.uint8], near: int = NEAR, *, named: Sequence[str] = ()
) -> NDArray[np.int64]:
    """int64 [N]: a group number per picture, the smallest row of its group.

    Identical pixels, and fingerprints (uint8 [N, 32]) at most ``near`` bits apart, share a group, also by way of a
    third picture; so do pictures of one name in ``named``, which has N names or none, "" for a picture of its own.
    """
    near_pairs = ((a, b) for a, b in _near_pairs(fingerprints, fingerprints, near) if a < b)
    pairs = itertools.chain(_equal(pixel_hashes), near_pairs, _equal(named))
    return _joined(len(pixel_hashes), pairs)


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


def _equal(names: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Pairs of rows with one name, so many that they hang together; "" is no name."""
    first: dict[str, int] = {}
    for row, name in enumerate(names):
        if name:
            yield first.setdefault(name, row), row


def _joined(count: int, pairs: Iterable[tuple[int, int]]) -> NDArray[np.int64]:
    """int64 [count]: for every row the smallest that it hangs together with by way of ``pairs``."""
    parent = list(range(count))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for a, b in pairs:
        first, second = sorted((root(a), root(b)))
        parent[second] = first
    return np.array([root(row) for row in range(count)], np.int64)
