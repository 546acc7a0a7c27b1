"""What was processed on the command line becomes a dive of a library, with its recording and what was said of it."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime

import cv2
import numpy as np
import pytest
from clips import write_clip
from result_files import results as results_of

from dives import adding
from dives.adding import add_results, result_folders
from dives.collect import collect
from dives.corrections import Verdict, add_correction, read_corrections
from dives.divelog import DiveLog
from dives.fingerprint import fingerprint
from dives.library import DIVELOG, DIVES, ORIGINAL, RESULTS, Library, original_of, read_facts
from dives.matching import corrected, read_keys
from dives.process import ProcessOptions, process
from dives.track import read_index
from realtime.errors import LibraryError


@pytest.fixture
def clip(tmp_path):
    return write_clip(tmp_path / "GX010042.MP4", rate=10)


@pytest.fixture
def dive(clip, tmp_path, engine):
    """Fish, Octopus, Turtle, a second each; somebody has confirmed the fish."""
    folder = process(clip, tmp_path / "results" / "GX010042", engine, ProcessOptions(every_s=0.1)).folder
    add_correction(folder, read_keys(folder)[0], Verdict.RIGHT)
    return folder


def test_it_is_listed_played_and_corrected_like_one_that_was_sent(dive, clip, tmp_path):
    added = add_results(dive, tmp_path / "library")
    assert (added.title, added.known) == ("GX010042", False)
    with Library.open(tmp_path / "library") as library:
        (row,) = library.dives()
        assert (row.id, row.title, row.state, row.species) == (
            added.dive_id,
            "GX010042",
            "complete",
            {"Fish": 1, "Octopus": 1, "Turtle": 1},
        )
        assert (row.every_s, row.thumbnail, row.playable, row.bytes) == (0.1, True, True, clip.stat().st_size)
        assert library.next_job() is None
        folder = library.folder(row.id)
        assert library.video(row.id).read_bytes() == clip.read_bytes()
    assert results_of(folder / RESULTS) == results_of(dive)
    assert read_index(folder)["rows"] == 30
    words = corrected(read_keys(folder / RESULTS), read_corrections(folder / RESULTS)).words
    assert [word and word.verdict for word in words] == [Verdict.RIGHT, None, None]


@pytest.mark.parametrize("anew", [False, True])
def test_its_start_and_its_depth_come_along_for_whatever_is_made_of_it_later(clip, tmp_path, engine, anew):
    (tmp_path / "log.ssrf.csv").write_text("time,depth_m\n2026-05-01T11:29:00,4\n2026-05-01T11:31:00,9\n")
    start, log = datetime(2026, 5, 1, 9, 30, tzinfo=UTC), DiveLog.read(tmp_path / "log.ssrf.csv", offset_s=7200.0)
    options = ProcessOptions(every_s=0.1, start_utc=start, divelog=log)
    before = results_of(process(clip, tmp_path / "results" / "a", engine, options).folder)
    added = add_results(tmp_path / "results" / "a", tmp_path / "library")
    (tmp_path / "log.ssrf.csv").unlink()
    folder = tmp_path / "library" / DIVES / added.dive_id
    facts = read_facts(folder)
    divelog = DiveLog.read(folder / DIVELOG / facts.divelog, offset_s=facts.divelog_offset_s)
    moment = datetime.fromisoformat(facts.start_utc)
    again = ProcessOptions(every_s=facts.every_s, start_utc=moment, divelog=divelog, resume=not anew, overlay=True)
    states = set()
    run = process(  # as the worker does
        *(original_of(folder), folder / RESULTS, engine, again),
        lambda _: states.add(json.loads((folder / RESULTS / "run.json").read_text())["state"]),
    )
    assert states == {"running" if anew else "complete"}
    for table in ("frames.csv", "sightings.csv", "occurrence.csv", "divelog.csv"):
        assert results_of(run.folder)[table] == before[table].replace(b".MP4", b".mp4")  # our name for the file
    assert (run.folder / "overlay.mp4").exists()


def test_a_dive_of_several_files_is_added_with_all_of_them_and_gets_a_copy_to_play(tmp_path, engine):
    chapters = [write_clip(tmp_path / f"GX0{number}0007.MP4", rate=10) for number in (1, 2)]
    options = ProcessOptions(every_s=0.1)
    before = results_of(process(chapters, tmp_path / "results" / "joined", engine, options).folder)
    added = add_results(tmp_path / "results" / "joined", tmp_path / "library")
    with Library.open(tmp_path / "library") as library:
        (row,) = library.dives()
        assert (row.title, row.state, row.copy, row.thumbnail) == ("GX010007", "complete", "wanted", True)
        videos = library.videos(added.dive_id)
        assert [video.read_bytes() for video in videos] == [chapter.read_bytes() for chapter in chapters]
        results = library.folder(added.dive_id) / RESULTS
        run = process(videos, results, engine, replace(options, resume=True))  # as the worker does
        seen = before["sightings.csv"].replace(b".MP4", b".mp4")  # our names for the files
        assert (run.continued_from, results_of(results)["sightings.csv"]) == (run.classified, seen)
        assert {key.recording for key in read_keys(results)} == set(map(fingerprint, chapters))
    assert add_results(tmp_path / "results" / "joined", tmp_path / "library").known


def test_results_that_do_not_hold_their_dive_log_are_sent_back(clip, tmp_path, engine):
    (tmp_path / "log.csv").write_text("time,depth_m\n2026-05-01T09:29:00Z,4\n2026-05-01T09:31:00Z,9\n")
    start, log = datetime(2026, 5, 1, 9, 30, tzinfo=UTC), DiveLog.read(tmp_path / "log.csv")
    folder = process(clip, tmp_path / "results", engine, ProcessOptions(start_utc=start, divelog=log)).folder
    (folder / "divelog.csv").unlink()
    with pytest.raises(LibraryError, match=r"--resume --divelog log\.csv"):
        add_results(folder, tmp_path / "library")
    (folder / "divelog.csv").symlink_to(tmp_path / "log.csv")  # what a link leads to is not taken
    with pytest.raises(LibraryError, match="cannot be added"):
        add_results(folder, tmp_path / "library")


def test_nothing_is_taken_away_and_what_is_said_later_stays_apart(dive, clip, tmp_path):
    before = results_of(dive)
    added = add_results(dive, tmp_path / "library")
    folder = tmp_path / "library" / DIVES / added.dive_id / RESULTS
    add_correction(folder, read_keys(folder)[1], Verdict.NOTHING)
    assert (results_of(dive), clip.exists()) == (before, True)


def test_without_links_the_recording_is_copied(dive, clip, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("not on this disk")

    said = []
    monkeypatch.setattr(os, "link", refuse)
    added = add_results(dive, tmp_path / "library", say=said.append)
    (copy,) = (tmp_path / "library" / DIVES / added.dive_id / ORIGINAL).iterdir()
    assert (copy.read_bytes(), copy.stat().st_nlink, len(said)) == (clip.read_bytes(), 1, 1)


def test_one_that_is_there_gets_what_was_said_since_and_is_not_there_twice(dive, tmp_path, engine):
    first = add_results(dive, tmp_path / "library")
    add_correction(dive, read_keys(dive)[1], Verdict.WRONG, "Cuttlefish")
    second = add_results(dive, tmp_path / "library")
    assert (second.dive_id, second.known, second.corrections) == (first.dive_id, True, 1)
    assert add_results(dive, tmp_path / "library").corrections == 0
    folder = tmp_path / "library" / DIVES / first.dive_id / RESULTS
    assert [word.truth for word in read_corrections(folder)] == ["Fish", "Cuttlefish"]
    again = process(tmp_path / "GX010042.MP4", folder, engine, ProcessOptions(every_s=0.3))  # as the page does
    assert [word and word.truth for word in again.corrections.words] == ["Fish", "Cuttlefish", None]


def test_links_in_the_results_are_left_out_and_what_they_lead_to_is_not_copied(dive, tmp_path):
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "key.pem").write_text("secret")
    (dive / "keys").symlink_to(tmp_path / "private", target_is_directory=True)
    (dive / "stills" / "key.jpg").symlink_to(tmp_path / "private" / "key.pem")
    (dive / "nowhere.csv").symlink_to(tmp_path / "nowhere")
    folder = tmp_path / "library" / DIVES / add_results(dive, tmp_path / "library").dive_id / RESULTS
    assert results_of(folder).keys() == results_of(dive).keys() - {"keys", "stills/key.jpg", "nowhere.csv"}
    assert not any(b"secret" in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_server_that_runs_lists_it_at_the_next_look(dive, tmp_path):
    with Library.open(tmp_path / "library") as library:
        assert library.dives() == []
        added = add_results(dive, tmp_path / "library")
        (tmp_path / "library" / DIVES / ("0" * 16)).mkdir()  # no dive of ours
        assert [row.id for row in library.dives()] == [added.dive_id]


def test_photographs_are_made_from_the_library_wherever_it_lies(dive, clip, tmp_path):
    add_results(dive, tmp_path / "library")
    shutil.rmtree(tmp_path / "results")
    clip.unlink()
    (tmp_path / "library").rename(tmp_path / "moved")
    done = collect([tmp_path / "moved"], tmp_path / "tree", frames=0)
    assert (done.pictures, done.problems) == ({"Fish": 1}, [])
    (still,) = (tmp_path / "tree" / "Fish").iterdir()
    still.unlink()
    for folder in (tmp_path / "moved").rglob("stills"):
        shutil.rmtree(folder)
    assert collect([tmp_path / "moved"], tmp_path / "tree", frames=0).added == 1  # from the recording itself


def test_folders_of_results_are_found_below_what_is_named(dive, tmp_path):
    assert result_folders([tmp_path / "results", dive]) == [dive]
    with pytest.raises(LibraryError, match="there are no results here"):
        result_folders([tmp_path / "empty"])


def test_what_cannot_be_added_is_said_and_leaves_nothing(dive, clip, tmp_path, engine, monkeypatch):
    def refused(folder, words):
        with pytest.raises(LibraryError, match=words):
            add_results(folder, tmp_path / "library")
        assert list((tmp_path / "library").glob(f"{DIVES}/*")) == []

    record = json.loads((dive / "run.json").read_text())
    (dive / "run.json").write_text(json.dumps(record | {"state": "running"}))
    refused(dive, "with --resume first")
    (dive / "run.json").write_text(json.dumps(record))
    clip.rename(tmp_path / "elsewhere.mp4")
    refused(dive, "put it into this folder")
    clip.write_bytes(b"another")
    refused(dive, "put it into this folder")
    (tmp_path / "elsewhere.mp4").replace(clip)
    monkeypatch.setattr(adding.shutil, "copytree", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "No space left")))
    refused(dive, "no space left")
    chapters = [write_clip(tmp_path / f"GX0{number}0007.MP4", rate=10) for number in (1, 2)]
    chapters[1].write_text("no video")
    refused(process(chapters, tmp_path / "joined", engine, ProcessOptions()).folder, "GX020007.MP4 could not be read")
    (tmp_path / "pictures").mkdir()
    cv2.imwrite(str(tmp_path / "pictures" / "1.png"), np.full((40, 60, 3), 90, np.uint8))
    refused(process(tmp_path / "pictures", tmp_path / "p", engine, ProcessOptions()).folder, "is of pictures")
    refused(tmp_path, "run.json")
