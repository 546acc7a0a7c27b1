"""dives/recording.py: what is on the disk at any moment, and after a restart."""

from __future__ import annotations

import csv
import errno
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from raw_rows import shown

from dives import recording as module
from dives.recording import ONGOING, Recording, stem_of
from dives.sighting_rows import SightingRow
from realtime.errors import ResultsError, SettingsError
from realtime.sightings import Sighting

LABELS = ("Fish", "Octopus", "Turtle")
BEGAN = datetime(2026, 5, 17, 23, 59, 59, tzinfo=UTC)


def row(start_s: float, frames: int = 10) -> SightingRow:
    moment = BEGAN + timedelta(seconds=start_s)
    return SightingRow.of(
        Sighting(2, start_s, start_s + 1, start_s, 7, 0.9, 0.8, frames, moment, moment, moment), LABELS
    )


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[Recording]:
    with Recording.open(tmp_path / "rec", ["reef", "pier 2"], LABELS) as opened:
        yield opened


def test_frames_are_on_the_disk_at_once_and_roll_over_by_utc_day(recording: Recording) -> None:
    source = recording.sources["pier 2"]
    for index in range(4):
        frame = replace(shown(index, index / 2, 1), utc=BEGAN + timedelta(seconds=index / 2), utc_source="clock")
        source.frame(frame)
        tables = sorted(source.folder.glob("frames-*.csv"))
        assert sum(len(table(path)) for path in tables) == index + 1
    assert [path.name for path in tables] == ["frames-2026-05-17.csv", "frames-2026-05-18.csv"]
    assert [line["frame"] for line in table(tables[1])] == ["2", "3"]
    assert table(tables[0])[0]["stable_label"] == "Octopus"


def test_a_table_that_is_full_is_followed_by_the_next(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FRAMES_BYTES", 400)
    source = recording.sources["reef"]
    for index in range(6):
        source.frame(replace(shown(index, index / 2, 1), utc=BEGAN - timedelta(hours=2)))
    tables = sorted(source.folder.glob("frames-2026-05-17*.csv"))
    assert len(tables) > 1
    assert sorted(int(line["frame"]) for path in tables for line in table(path)) == list(range(6))


def test_a_sighting_under_way_when_the_process_was_killed_is_kept_once(tmp_path: Path) -> None:
    folder = tmp_path / "rec"
    killed = Recording.open(folder, ["reef"], LABELS)
    killed.sources["reef"].ended(row(0.0))
    killed.sources["reef"].ongoing(row(5.0, frames=3))
    (folder / "reef" / "stills" / "x.jpg.partial").touch()
    killed.close()  # as the system does; nothing is finished by it
    for _ in range(2):
        with Recording.open(folder, ["reef"], LABELS) as again:
            assert again.sources["reef"].rows(10) == [row(0.0), row(5.0, frames=3)]
    assert not (folder / "reef" / ONGOING).exists()
    assert list((folder / "reef" / "stills").iterdir()) == []


def test_a_kill_between_the_table_and_the_note_does_not_double_a_sighting(tmp_path: Path) -> None:
    folder = tmp_path / "rec"
    with Recording.open(folder, ["reef"], LABELS) as first:
        first.sources["reef"].ongoing(row(5.0, frames=3))
        note = (folder / "reef" / ONGOING).read_bytes()
        first.sources["reef"].ended(row(5.0, frames=8))
    (folder / "reef" / ONGOING).write_bytes(note)
    with Recording.open(folder, ["reef"], LABELS) as again:
        assert again.sources["reef"].rows(10) == [row(5.0, frames=8)]


def test_a_note_that_cannot_be_removed_does_not_make_its_sighting_fail(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stands in the table by then, and would stand there twice if it were written again."""
    source, real = recording.sources["reef"], Path.unlink

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if path.name == ONGOING:
            raise PermissionError(errno.EACCES, "Permission denied")
        real(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink)
    source.ongoing(row(1.0))
    source.ended(row(1.0))
    monkeypatch.undo()
    recording.reopen({})
    assert len(source.rows(None)) == 1
    assert not (source.folder / ONGOING).exists()


def test_after_a_failure_a_sighting_still_under_way_is_not_taken_for_an_old_one(recording: Recording) -> None:
    source = recording.sources["reef"]
    source.ongoing(row(5.0, frames=3))
    recording.reopen({"reef": [row(5.0, frames=9)]})
    assert source.rows(10) == []
    source.ended(row(5.0, frames=9))
    assert source.rows(10) == [row(5.0, frames=9)]


def test_stills_are_kept_as_large_as_they_came(recording: Recording) -> None:
    source = recording.sources["reef"]
    rgb = np.random.default_rng(0).integers(0, 255, (90, 160, 3), np.uint8)
    plain, overlay = source.still(stem_of(row(0.0)), rgb, np.full((2, 2), 200, np.uint8))
    assert plain == "stills/20260517T235959000Z-Turtle.jpg"
    assert (source.folder / plain).is_file()
    assert (source.folder / overlay).is_file()


def test_a_clock_that_tells_a_time_twice_has_no_picture_written_over(recording: Recording) -> None:
    source = recording.sources["reef"]
    rgb, cam = np.zeros((9, 9, 3), np.uint8), np.zeros((2, 2), np.uint8)
    first, _ = source.still(source.stem(row(0.0)), rgb, cam)
    second, overlay = source.still(source.stem(row(0.0)), rgb, cam)
    assert (first, second) == (f"stills/{stem_of(row(0.0))}.jpg", f"stills/{stem_of(row(0.0))}-2.jpg")
    assert source.stem(replace(row(0.0), still=second, overlay=overlay)) == f"{stem_of(row(0.0))}-2"  # a better peak


def test_a_second_server_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    with Recording.open(tmp_path, ["reef"], LABELS) as first:
        with pytest.raises(ResultsError, match="another server is recording there; choose another folder"):
            Recording.open(tmp_path, ["pier"], LABELS)
        first.sources["reef"].ended(row(0.0))
    Recording.open(tmp_path, ["reef"], LABELS).close()


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ResultsError, match=r"file/rec: cannot be recorded to \(not a directory\)$"):
        Recording.open(tmp_path / "file" / "rec", ["reef"], LABELS)
    (tmp_path / "reef").touch()
    with pytest.raises(ResultsError, match=r"cannot be recorded to \(file exists\)$"):
        Recording.open(tmp_path, ["reef"], LABELS)


def test_sources_that_would_share_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"'Reef' and 'reef\.' would share a folder"):
        Recording.open(tmp_path, ["Reef", "reef."], LABELS)


def test_files_that_were_removed_are_noticed_and_the_folder_itself_is_not_made_again(recording: Recording) -> None:
    recording.sources["reef"].frame(shown(0, 0.0, 1))
    recording.check()
    shutil.rmtree(recording.folder)
    with pytest.raises(ResultsError, match="its files were removed"):
        recording.check()
    with pytest.raises(ResultsError, match="no such file"):
        recording.reopen({})
    recording.folder.mkdir()
    recording.reopen({})
    recording.sources["reef"].frame(shown(1, 0.1, 1))
    recording.check()


def test_another_models_labels_begin_tables_of_their_own(tmp_path: Path) -> None:
    for labels in (LABELS, LABELS[:2]):
        with Recording.open(tmp_path, ["reef"], labels) as opened:
            opened.sources["reef"].frame(replace(shown(0, 0.0, 1, classes=len(labels)), utc=BEGAN))
    assert [path.name for path in sorted((tmp_path / "reef").glob("frames*"))] == [
        "frames-2026-05-17-2.csv",
        "frames-2026-05-17.csv",
    ]


@pytest.mark.parametrize("had_ended", [True, False])
def test_after_a_kill_no_line_names_a_file_that_is_not_there(tmp_path: Path, had_ended: bool) -> None:
    """The clip goes on for seconds after its sighting ended; what a kill leaves of it is removed at the next start."""
    with Recording.open(tmp_path, ["reef"], LABELS) as first:
        reef = first.sources["reef"]
        still, overlay = reef.still("one", np.zeros((8, 8, 3), np.uint8), np.zeros((2, 2), np.uint8))
        path, clip = reef.clip("one")
        path.with_name(f"{path.name}.partial").write_bytes(b"half")
        killed = replace(row(1.0), still=still, overlay=overlay, clip=clip)
        reef.ended(row(0.0))
        (reef.ended if had_ended else reef.ongoing)(killed)
    (tmp_path / "reef" / overlay).unlink()
    for _ in range(2):
        with Recording.open(tmp_path, ["reef"], LABELS) as again:
            reef = again.sources["reef"]
            assert reef.rows(9) == [row(0.0), replace(killed, overlay="", clip="")]
            assert not reef.gone
    reef_after = [line["clip"] for line in table(tmp_path / "reef" / "sightings.csv")]
    assert reef_after == ["", ""]
