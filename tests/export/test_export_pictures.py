"""Pictures for calibration come from a folder or from a tree, every class alike."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from export.pictures import read_pictures
from realtime.errors import DataError


def paint(path: Path, grey: int) -> None:
    path.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(path), np.full((20, 50, 3), grey, np.uint8))


def test_a_tree_gives_every_class_its_turn(tmp_path: Path) -> None:
    for i in range(6):
        paint(tmp_path / "many" / f"{i}.png", 10)
    paint(tmp_path / "one" / "0.png", 200)
    (tmp_path / "empty").mkdir()
    frames = read_pictures(tmp_path, 32, 4)
    assert frames.shape == (4, 32, 32, 3)
    assert frames.dtype == np.uint8
    assert sorted(frames[:, 0, 0, 0].tolist()) == [10, 10, 10, 200]


def test_a_plain_folder_is_read_in_order_and_broken_files_are_passed_over(tmp_path: Path) -> None:
    for i in (1, 2, 10):
        paint(tmp_path / f"dive{i}.png", i)
    (tmp_path / "dive3.png").write_bytes(b"no picture")
    assert read_pictures(tmp_path, 16, 9)[:, 0, 0, 0].tolist() == [1, 2, 10]
    assert read_pictures(tmp_path, 16, 2)[:, 0, 0, 0].tolist() == [1, 2]


def test_nothing_to_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no picture"):
        read_pictures(tmp_path, 32, 4)
    with pytest.raises(DataError, match="no such folder"):
        read_pictures(tmp_path / "gone", 32, 4)
