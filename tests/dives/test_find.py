from __future__ import annotations

from pathlib import Path

import pytest

from dives.find import find_recordings


@pytest.fixture
def card(tmp_path) -> Path:
    """A memory card: two videos beside their previews, a folder of pictures, and the results of an earlier run."""
    for name in ("dive2.MP4", "dive10.mp4", "dive2.LRV", "dive2.THM", "notes.txt", ".hidden.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "stills").mkdir()
    (tmp_path / "stills" / "a.jpg").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "run.json").touch()
    (tmp_path / "results" / "overlay.mp4").touch()
    return tmp_path


def names(found, card):
    return [path.relative_to(card).as_posix() for path in found]


def test_a_file_stands_for_itself_whatever_its_ending(card):
    assert names(find_recordings([card / "dive2.LRV"]), card) == ["dive2.LRV"]


def test_a_folder_with_videos_stands_for_these_in_natural_order(card):
    assert names(find_recordings([card]), card) == ["dive2.MP4", "dive10.mp4"]


def test_a_folder_without_videos_stands_for_its_pictures(card):
    assert names(find_recordings([card / "stills"]), card) == ["stills"]


def test_a_pattern_that_no_shell_replaced_stands_for_its_recordings(card):
    assert names(find_recordings([card / "*"]), card) == ["dive2.MP4", "dive10.mp4", "stills"]
    assert names(find_recordings([card / "dive?.*"]), card) == ["dive2.MP4"]
    assert names(find_recordings([card / "**" / "*.mp4"]), card) == ["dive10.mp4"]
    assert names(find_recordings([card / "*.THM"]), card) == ["dive2.THM"]  # meant, by its ending


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(card):
    (card / "dive[1].mp4").touch()
    assert names(find_recordings([card / "dive[1].mp4"]), card) == ["dive[1].mp4"]


def test_each_recording_comes_once_in_the_order_given(card):
    found = find_recordings([card / "dive10.mp4", card, card / "stills", card / "dive*"])
    assert names(found, card) == ["dive10.mp4", "dive2.MP4", "stills"]


def test_what_is_not_there_is_kept_so_that_it_can_be_reported(card):
    assert names(find_recordings([card / "gone.mp4", card / "gone*.mp4"]), card) == ["gone.mp4", "gone*.mp4"]
