from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor

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


@pytest.mark.skipif("sys.platform == 'win32'", reason="files are not held there")
def test_two_who_write_the_same_file_take_turns_and_it_is_always_whole(tmp_path):
    path, rounds = tmp_path / "occurrence.csv", 100
    texts = {letter * length for letter, length in (("a", 300_000), ("b", 10))}
    write_whole(path, "a" * 300_000)

    def write(text: str) -> None:
        for _ in range(rounds):
            write_whole(path, text)

    with ThreadPoolExecutor(2) as both:
        writing_both = [both.submit(write, text) for text in texts]
        while not all(each.done() for each in writing_both):
            assert path.read_text() in texts
        for each in writing_both:
            each.result()
    assert [entry.name for entry in tmp_path.iterdir()] == ["occurrence.csv"]


@pytest.mark.skipif("sys.platform == 'win32'", reason="files are not held there")
def test_one_that_fails_at_its_end_takes_nothing_from_who_comes_next(tmp_path, monkeypatch):
    path = tmp_path / "occurrence.csv"

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    with ThreadPoolExecutor(1) as aside, PartialFile(path, "w") as failing:
        waiting = aside.submit(PartialFile, path, "w")
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(ResultsError, match="no space left"):
            failing.commit()
        monkeypatch.undo()
        with waiting.result() as following:
            following.write("theirs")
            failing.__exit__(None, None, None)  # it comes to that when the next one is at work
            following.commit()
    assert path.read_text() == "theirs"
    assert [entry.name for entry in tmp_path.iterdir()] == ["occurrence.csv"]


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
