"""dives/stills.py: what lies on the disk afterwards."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from dives.stills import SMALL_SIDE, Still, save_still, small_still
from realtime.errors import ResultsError

RGB = np.full((48, 64, 3), (10, 120, 200), np.uint8)


def read(path: Path) -> np.ndarray:
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB).astype(int)


def test_a_still_is_the_frame_plain_and_with_its_map(tmp_path: Path) -> None:
    cam = np.zeros((4, 4), np.uint8)
    cam[:, 2:] = 255
    still = save_still(tmp_path / "new" / "stills", "0001-fish", RGB, cam)
    assert still == Still("0001-fish.jpg", "0001-fish-overlay.jpg")
    folder = tmp_path / "new" / "stills"
    plain, overlay = read(folder / still.plain), read(folder / still.overlay)
    assert np.abs(plain - RGB).max() <= 4
    assert np.abs(overlay[:, :16] - RGB[:, :16]).max() <= 12  # no map there
    assert np.abs(overlay[:, 56:] - RGB[:, 56:]).min() > 15
    assert sorted(path.name for path in folder.iterdir()) == sorted([still.plain, still.overlay])


def test_a_second_still_of_that_name_replaces_the_first(tmp_path: Path) -> None:
    for shade in (0, 250):
        still = save_still(tmp_path, "a", np.full_like(RGB, shade), np.zeros((4, 4), np.uint8))
    assert read(tmp_path / still.plain).min() > 240


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ResultsError, match=r"file.*: cannot be made \(.+\)"):
        save_still(tmp_path / "file" / "stills", "a", RGB, np.zeros((4, 4), np.uint8))


def test_a_small_one_shows_the_same_in_the_size_of_a_list(tmp_path: Path) -> None:
    half = np.zeros((1080, 1920, 3), np.uint8)
    half[:, 960:] = np.random.default_rng(0).integers(90, 160, (1080, 960, 1), np.uint8)
    cv2.imwrite(str(tmp_path / "big.jpg"), half)
    cv2.imwrite(str(tmp_path / "tiny.jpg"), np.full((30, 40, 3), 90, np.uint8))
    (tmp_path / "small.jpg").write_bytes(small_still(tmp_path / "big.jpg"))
    small = read(tmp_path / "small.jpg")
    assert small.shape == (135, SMALL_SIDE, 3)
    assert small[:, :110].max() < 20 < 100 < small[:, 130:].min()
    (tmp_path / "small.jpg").write_bytes(small_still(tmp_path / "tiny.jpg"))
    assert read(tmp_path / "small.jpg").shape == (30, 40, 3)


def test_what_is_no_picture_has_no_small_one_and_another_picture_has_another(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"no picture")
    with pytest.raises(ResultsError, match="not a picture"):
        small_still(path)
    cv2.imwrite(str(path), np.full((30, 40, 3), 90, np.uint8))
    os.utime(path, ns=(1, 1))
    first = small_still(path)
    cv2.imwrite(str(path), np.full((30, 40, 3), 200, np.uint8))
    os.utime(path, ns=(2, 2))
    assert small_still(path) != first
