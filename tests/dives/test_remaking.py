"""Results made anew beside the old ones: they take their place together; a kill, an error or a stranger leaves all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from dives import remaking
from dives.remaking import discard, is_of_a_remaking, remade, settle
from realtime.errors import ResultsError

NAMES = ("frames.csv", "dive.srt")
JOURNAL = "raw.journal"


@pytest.fixture
def folder(tmp_path):
    """Results of an earlier run, with what people said and something that is none of ours."""
    folder = tmp_path / "dive"
    (folder / "stills").mkdir(parents=True)
    for name in (*NAMES, "run.json", JOURNAL, "stills/1.jpg", "stills/2.jpg", "corrections.jsonl", "notes.txt"):
        (folder / name).write_text("old")
    return folder


def texts(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def write(anew: Path) -> None:
    """What a run does: whole files under their names, and some that it no longer has."""
    for name in ("frames.csv", "run.json", "stills/3.jpg"):
        (anew / f"{name}.partial").write_text("new")
        (anew / f"{name}.partial").replace(anew / name)
    (anew / "dive.srt").unlink()
    (anew / "stills" / "1.jpg").unlink()


NEW = {
    **{"frames.csv": "new", "run.json": "new", "stills/2.jpg": "old", "stills/3.jpg": "new"},
    **{JOURNAL: "old", "corrections.jsonl": "said meanwhile", "notes.txt": "old"},
}


@pytest.mark.parametrize("links", [True, False])
def test_what_is_made_anew_takes_the_place_of_the_old(folder, monkeypatch, links):
    if not links:

        def refuse(*args: object) -> None:
            raise PermissionError

        monkeypatch.setattr(os, "link", refuse)
    with remade(folder, JOURNAL, NAMES) as anew:
        assert is_of_a_remaking(anew)
        assert texts(anew).keys() == texts(folder).keys() - {"notes.txt"}
        write(anew)
        assert set(texts(folder).values()) == {"old"}
        (folder / "corrections.jsonl").write_text("said meanwhile")
    assert texts(folder) == NEW
    assert [entry.name for entry in folder.parent.iterdir()] == ["dive"]


def test_an_error_leaves_everything_as_it_was(folder):
    before = texts(folder)
    with pytest.raises(FileNotFoundError), remade(folder, JOURNAL, NAMES) as anew:
        write(anew / "nowhere")
    assert texts(folder) == before
    assert [entry.name for entry in folder.parent.iterdir()] == ["dive"]


@pytest.mark.parametrize("moved", range(6))
def test_what_was_whole_when_a_kill_came_is_put_in_its_place_later(folder, monkeypatch, moved):
    """moved: how many names were given by then."""
    (folder / "corrections.jsonl").write_text("said meanwhile")
    rename, given = Path.replace, []

    def killed_after(path: Path, target: Path) -> Path:
        if path.parent.name in ("dive.ready", "stills"):
            if len(given) == moved:
                raise KeyboardInterrupt
            given.append(path)
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed_after)
        patch.setattr(shutil, "rmtree", lambda *args, **named: None)
        if moved < 4:
            with pytest.raises(KeyboardInterrupt), remade(folder, JOURNAL, NAMES) as anew:
                write_whole(anew)
        else:
            with remade(folder, JOURNAL, NAMES) as anew:
                write_whole(anew)
    settle(folder, JOURNAL, NAMES)
    assert texts(folder) == NEW
    settle(folder, JOURNAL, NAMES)
    assert texts(folder) == NEW
    assert [entry.name for entry in folder.parent.iterdir()] == ["dive"]


def write_whole(anew: Path) -> None:
    """As ``write``, by other means than the renames that are counted."""
    for name in ("frames.csv", "run.json", "stills/3.jpg"):
        (anew / name).unlink(missing_ok=True)
        (anew / name).write_text("new")
    (anew / "dive.srt").unlink()
    (anew / "stills" / "1.jpg").unlink()


def test_what_was_not_whole_is_dropped(folder):
    before = texts(folder)
    half = folder.with_name("dive.remade")
    half.mkdir()
    (half / "frames.csv").write_text("half")
    settle(folder, JOURNAL, NAMES)
    assert (texts(folder), half.exists()) == (before, False)
    half.mkdir()
    discard(folder)
    assert not half.exists()
    half.mkdir()
    shutil.rmtree(folder)
    settle(folder, JOURNAL, NAMES)  # nothing to put in its place
    assert not half.exists()


def test_somebody_else_who_writes_there_is_left_alone(folder):
    with remade(folder, JOURNAL, NAMES):
        with pytest.raises(ResultsError, match="another run is writing here"):
            settle(folder, JOURNAL, NAMES)
        with pytest.raises(ResultsError, match="another run is writing here"), remade(folder, JOURNAL, NAMES):
            pytest.fail("both write")


def test_rows_that_were_added_come_along_and_links_that_lead_elsewhere_do_not(folder, tmp_path):
    (tmp_path / "secret").write_text("secret")
    (folder / "dive.srt").unlink()
    (folder / "dive.srt").symlink_to(tmp_path / "secret")
    with remade(folder, JOURNAL, NAMES) as anew:
        assert not (anew / "dive.srt").exists()
        (anew / JOURNAL).write_text("old and more")
    assert (folder / JOURNAL).read_text() == "old and more"
    assert remaking.REMADE not in {entry.suffix for entry in tmp_path.iterdir()}
