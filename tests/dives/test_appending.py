"""dives/appending.py: a table that is whole whenever it is looked at."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dives.appending import AppendedCsv, open_numbered

COLUMNS = ("label", "seconds")


def opened(path: Path) -> AppendedCsv:
    table = AppendedCsv.open(path, COLUMNS)
    assert table is not None
    return table


class SmallDisk(io.FileIO):
    """A file on a disk with room for a few more bytes."""

    def __init__(self, path: Path, room: int) -> None:
        super().__init__(path, "a+b")
        self._room = room

    def write(self, data: bytes) -> int:  # type: ignore[override]
        taken, self._room = min(len(data), self._room), max(0, self._room - len(data))
        if not taken:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data[:taken])


def test_lines_of_several_openings_stand_one_after_the_other(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    for label in ("Fish", 'Eel, "moray"'):
        with opened(path) as table:
            table.append([label, "1.5"], sync=True)
            assert table.size == path.stat().st_size  # nothing waits in a buffer
    assert path.read_text(encoding="utf-8") == 'label,seconds\nFish,1.5\n"Eel, ""moray""",1.5\n'


@given(cut=st.integers(1, 40))
def test_a_table_cut_anywhere_goes_on_after_its_last_whole_line(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp("t") / "t.csv"
    with opened(path) as table:
        table.append(["Fish", "1"])
        table.append(["Turtle", "2"])
    whole = path.read_bytes()
    path.write_bytes(whole[: max(0, len(whole) - cut)])
    with opened(path) as table:
        table.append(["Octopus", "3"])
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = whole[: max(0, len(whole) - cut)].decode().count("\n")
    assert lines == [*(["label,seconds", "Fish,1", "Turtle,2"][: max(1, kept)]), "Octopus,3"]


def test_a_line_that_is_not_on_the_disk_itself_is_not_there_and_not_twice_when_it_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with opened(tmp_path / "t.csv") as table:
        monkeypatch.setattr(os, "fsync", broken)
        with pytest.raises(OSError, match="Input/output"):
            table.append(["Fish", "1"], sync=True)
        monkeypatch.undo()
        table.append(["Fish", "1"], sync=True)
    assert (tmp_path / "t.csv").read_text(encoding="utf-8") == "label,seconds\nFish,1\n"


def test_a_line_that_does_not_fit_on_the_disk_leaves_no_piece_of_itself(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    with opened(path) as table:
        table.append(["Fish", "1"])
    before = path.read_bytes()
    for room in (0, 4):
        with AppendedCsv(path, SmallDisk(path, room), len(before)) as table:  # type: ignore[arg-type]
            with pytest.raises(OSError) as full:
                table.append(["Octopus", "2"])
            assert full.value.errno == errno.ENOSPC
        assert path.read_bytes() == before


def test_other_columns_and_full_tables_are_left_alone_and_the_next_number_is_taken(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("another,table\n1,2\n", encoding="utf-8")
    with open_numbered(tmp_path, "t", COLUMNS, max_bytes=30) as table:
        assert table.path.name == "t-2.csv"
        for _ in range(3):
            table.append(["Fish", "1"])
    with open_numbered(tmp_path, "t", COLUMNS, max_bytes=30) as table:
        assert table.path.name == "t-3.csv"
    assert (tmp_path / "t.csv").read_text(encoding="utf-8") == "another,table\n1,2\n"


def test_a_table_that_was_removed_or_replaced_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    with opened(path) as table:
        assert not table.gone
        path.rename(tmp_path / "elsewhere.csv")
        assert table.gone
        path.write_text("label,seconds\n", encoding="utf-8")
        assert table.gone
