"""Copies of a picture are recognised through what people do to pictures, and different pictures are told apart."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from training import duplicates
from training.duplicates import contradictions, fingerprint, group_duplicates, near_any, one_photograph


def scene(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 255, (12, 16, 3), np.uint8)
    return cv2.resize(coarse, (320, 240), interpolation=cv2.INTER_CUBIC)


def as_jpeg(rgb: np.ndarray, quality: int) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


def distance(a: np.ndarray, b: np.ndarray) -> int:
    return int(np.bitwise_count(fingerprint(a) ^ fingerprint(b)).sum())


@pytest.mark.parametrize("seed", range(4))
def test_re_encoded_and_rescaled_copies_are_near_and_other_pictures_far(seed: int) -> None:
    picture = scene(seed)
    assert distance(picture, as_jpeg(picture, 60)) <= duplicates.NEAR
    assert distance(picture, cv2.resize(picture, (160, 120), interpolation=cv2.INTER_AREA)) <= duplicates.NEAR
    assert distance(picture, np.clip(picture * 0.9 + 8, 0, 255).astype(np.uint8)) <= duplicates.NEAR
    assert distance(picture, scene(seed + 100)) > 4 * duplicates.NEAR


def brute_force_groups(pixel_hashes: list[str], prints: np.ndarray, near: int) -> list[int]:
    group = list(range(len(prints)))
    changed = True
    while changed:
        changed = False
        for a in range(len(prints)):
            for b in range(len(prints)):
                close = np.bitwise_count(prints[a] ^ prints[b]).sum() <= near or pixel_hashes[a] == pixel_hashes[b]
                if close and group[a] != group[b]:
                    group[a] = group[b] = min(group[a], group[b])
                    changed = True
    return group


@given(
    prints=arrays(np.uint8, (9, 32), elements=st.sampled_from([0, 1, 255])),
    hashes=st.lists(st.sampled_from("abcdefghijkl"), min_size=9, max_size=9),
)
def test_groups_are_the_same_as_by_comparing_all_pairs(prints: np.ndarray, hashes: list[str]) -> None:
    assert group_duplicates(hashes, prints, near=12).tolist() == brute_force_groups(hashes, prints, 12)


def test_chunks_do_not_change_the_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    prints = np.random.default_rng(0).choice(np.array([0, 1], np.uint8), (50, 32), p=[0.8, 0.2])
    hashes = [str(i) for i in range(50)]
    whole = group_duplicates(hashes, prints, near=8)
    monkeypatch.setattr(duplicates, "_CHUNK", 7)
    assert np.array_equal(group_duplicates(hashes, prints, near=8), whole)
    assert len(set(whole.tolist())) not in (1, 50)


def test_distance_sixteen_is_near_and_seventeen_is_not() -> None:
    prints = np.zeros((3, 32), np.uint8)
    prints[1, :2] = 255  # 16 bits
    prints[2, 29:] = (255, 255, 1)  # 17 bits from the first
    assert group_duplicates(["a", "b", "c"], prints).tolist() == [0, 0, 2]
    assert near_any(prints[1:], prints[:1]) == {0: 0}


def test_identical_pixels_under_two_labels_contradict_each_other() -> None:
    labels = np.array([0, 1, 0, 0, 2])
    assert contradictions(["a", "a", "b", "b", "c"], labels).tolist() == [True, True, False, False, False]


@pytest.mark.parametrize("seed", range(3))
def test_a_photograph_saved_anew_is_one_and_the_same_scene_with_something_in_it_is_not(seed: int) -> None:
    picture = scene(seed)
    visited = picture.copy()
    visited[100:125, 140:170] = (250, 250, 250)  # an animal of a tenth of the width, where there was none
    cropped = cv2.resize(picture[6:, 8:], (320, 240), interpolation=cv2.INTER_AREA)
    small = cv2.resize(picture, (160, 120), interpolation=cv2.INTER_AREA)
    shots = [picture, as_jpeg(picture, 60), small, picture, visited, cropped, scene(seed + 50)]
    prints = np.stack([fingerprint(shot) for shot in shots])
    assert np.bitwise_count(prints[0] ^ prints[4]).sum() <= duplicates.NEAR, "the fingerprint does not see it"
    for side in (32, 160):
        pixels = np.stack([cv2.resize(shot, (side, side), interpolation=cv2.INTER_AREA) for shot in shots])
        assert one_photograph(list("abcadef"), prints, pixels).tolist() == [0, 0, 0, 0, 4, 5, 6]
