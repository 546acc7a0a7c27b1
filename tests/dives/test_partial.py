from __future__ import annotations

import errno

import pytest

from dives.partial import PartialFile, write_whole, writing
from realtime.errors import ResultsError


def test_a_file_gets_its_name_when_it_is_finished(tmp_path):
    path = tmp_path / "frames.csv"
    path.write_text("earlier")
    with PartialFile(path, "w") as file:
        file.write("frame\n")
        assert path.read_text() == "earlier"
        assert file.partial_path.name == "frames.csv.partial"
        file.commit()
        assert path.read_text() == "frame\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["frames.csv"]


def test_a_file_left_unfinished_disappears_and_the_earlier_one_stays(tmp_path):
    path = tmp_path / "frames.csv"
    path.write_text("earlier")
    with PartialFile(path, "w") as file:
        file.write("frame\n")
    assert [entry.name for entry in tmp_path.iterdir()] == ["frames.csv"]
    assert path.read_text() == "earlier"


def test_line_ends_are_written_as_given(tmp_path):
    write_whole(tmp_path / "a.txt", "é\r\n\n")
    assert (tmp_path / "a.txt").read_bytes() == b"\xc3\xa9\r\n\n"


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path):
    with pytest.raises(ResultsError, match=r"gone/run\.json: cannot be written \(no such file or directory\)"):
        write_whole(tmp_path / "gone" / "run.json", "{}")


def test_a_full_disk_is_a_sentence_that_says_how_to_go_on(tmp_path):
    with (
        pytest.raises(ResultsError, match=r"x: cannot be written \(no space left on device\).*--resume"),
        writing(tmp_path / "x"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
