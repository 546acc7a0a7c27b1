"""What people say of sightings outlives crashes, other writers and another name of the recording."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from clips import write_clip
from hypothesis import given
from hypothesis import strategies as st
from words import NOW, key

from dives import corrections
from dives.corrections import (
    NAME,
    Verdict,
    add_correction,
    carry_over,
    plain,
    read_corrections,
    undo_correction,
)
from dives.matching import read_keys
from dives.process import ProcessOptions, process
from realtime.errors import ResultsError

REPOSITORY = Path(__file__).parents[2]


def test_a_correction_is_read_back_as_it_was_said(tmp_path):
    wrong = add_correction(tmp_path, key(), Verdict.WRONG, "Blue Tang", by="Ada", note="two of them", at=NOW)
    nothing = add_correction(tmp_path, key(5, 6), Verdict.NOTHING, at=NOW)
    right = add_correction(tmp_path, key(7, 8), Verdict.RIGHT, at=NOW)
    assert read_corrections(tmp_path) == [wrong, nothing, right]
    assert [word.truth for word in (wrong, nothing, right)] == ["Blue Tang", None, "Fish"]


def test_a_dive_that_nobody_corrected_has_no_corrections(tmp_path):
    assert read_corrections(tmp_path) == []


def test_the_last_word_on_a_sighting_stands_and_an_undo_brings_the_one_before_back(tmp_path):
    first = add_correction(tmp_path, key(), Verdict.RIGHT)
    second = add_correction(tmp_path, key(), Verdict.NOTHING)
    assert read_corrections(tmp_path) == [second]
    undo_correction(tmp_path, key())
    assert read_corrections(tmp_path) == [first]
    undo_correction(tmp_path, key())
    undo_correction(tmp_path, key())
    assert read_corrections(tmp_path) == []
    again = add_correction(tmp_path, key(), Verdict.RIGHT)
    assert read_corrections(tmp_path) == [again]
    assert len((tmp_path / NAME).read_text().splitlines()) == 6  # nothing is ever taken out of the file


@pytest.mark.parametrize(
    ("verdict", "label", "complaint"),
    [
        (Verdict.WRONG, "", "what it is"),
        (Verdict.WRONG, "Fish", "say `right`"),
        (Verdict.RIGHT, "Octopus", "`wrong` alone"),
        (Verdict.NOTHING, "Octopus", "`wrong` alone"),
        (Verdict.WRONG, "x" * 201, "at most 200"),
    ],
)
def test_what_makes_no_sense_is_refused_and_not_kept(tmp_path, verdict, label, complaint):
    with pytest.raises(ValueError, match=complaint):
        add_correction(tmp_path, key(), verdict, label)
    assert not (tmp_path / NAME).exists()


@given(label=st.text(min_size=1, max_size=200), note=st.text(max_size=300))
def test_any_text_stays_on_its_line(tmp_path_factory, label, note):
    folder = tmp_path_factory.mktemp("any")
    try:
        word = add_correction(folder, key(), Verdict.WRONG, label, note=note, at=NOW)
    except ValueError:
        assert plain(label) == ""
        return
    assert read_corrections(folder) == [word]
    assert (folder / NAME).read_bytes().count(b"\n") == 1


@given(cut=st.integers(min_value=1, max_value=400))
def test_a_torn_last_line_was_never_said_and_harms_nothing_after_it(tmp_path_factory, cut):
    folder = tmp_path_factory.mktemp("torn")
    first = add_correction(folder, key(), Verdict.RIGHT, at=NOW)
    whole = (folder / NAME).read_bytes()
    add_correction(folder, key(5, 6), Verdict.WRONG, "Moray", note="n" * 100, at=NOW)
    torn = (folder / NAME).read_bytes()[: max(len(whole), -cut)]
    (folder / NAME).write_bytes(torn)
    assert read_corrections(folder) == [first]
    third = add_correction(folder, key(8, 9), Verdict.NOTHING, at=NOW)
    assert read_corrections(folder) == [first, third]


def test_a_damaged_line_is_named(tmp_path):
    add_correction(tmp_path, key(), Verdict.RIGHT)
    with (tmp_path / NAME).open("a") as file:
        file.write("right, I think\n")
    with pytest.raises(ResultsError, match=r"line 2 is no correction"):
        read_corrections(tmp_path)


def test_a_folder_that_cannot_be_written_says_so(tmp_path):
    with pytest.raises(ResultsError, match="the correction is not kept"):
        add_correction(tmp_path / "gone", key(), Verdict.RIGHT)


WRITER = """
    import sys
    from pathlib import Path
    from dives.corrections import SightingKey, Verdict, add_correction

    folder, name, most = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    for k in range(most):
        add_correction(folder, SightingKey(name, "Fish", k, k, k + 1, k), Verdict.WRONG, "Eel", note=name * 300)
        print(k, flush=True)
"""


def writer(folder: Path, name: str, most: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), str(folder), name, str(most)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    )


def test_two_writers_at_once_do_not_mix(tmp_path):
    writers = [writer(tmp_path, name, 60) for name in "ab"]
    assert [process.wait(60) for process in writers] == [0, 0]
    found = read_corrections(tmp_path)
    assert {word.sighting.identity for word in found} == {(name, "Fish", k) for name in "ab" for k in range(60)}


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9 here")
def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path):
    with writer(tmp_path, "a", 100_000) as running:
        assert running.stdout is not None
        for _ in range(25):
            running.stdout.readline()
        os.kill(running.pid, signal.SIGKILL)
        acknowledged = 25 + len(running.stdout.read().splitlines())
    assert len(read_corrections(tmp_path)) in (acknowledged, acknowledged + 1)  # one may be written and not yet told


def test_a_recording_that_was_renamed_keeps_what_was_said_of_it(tmp_path, engine):
    clip = write_clip(tmp_path / "GX010042.MP4", frames=30, rate=10)
    before = process(clip, tmp_path / "out" / "GX010042", engine, ProcessOptions()).folder
    keys = read_keys(before)
    add_correction(before, keys[1], Verdict.WRONG, "Cuttlefish", by="Ada", at=NOW)
    add_correction(before, keys[2], Verdict.NOTHING)
    undo_correction(before, keys[2])
    clip = clip.rename(tmp_path / "reef.mp4")
    run = process(clip, tmp_path / "out" / "reef", engine, ProcessOptions(every_s=0.2))
    (word,) = filter(None, run.corrections.words)
    assert (word.label, word.by, word.at, run.corrections.left_over) == ("Cuttlefish", "Ada", NOW, ())
    assert run.corrections.words.index(word) == 1
    assert carry_over(before, run.folder) == 0
    undo_correction(run.folder, word.sighting)
    assert process(clip, tmp_path / "out" / "reef", engine, ProcessOptions()).corrections.words == (None,) * 3
    add_correction(before, keys[1], Verdict.RIGHT)
    assert carry_over(before, run.folder) == 1
    assert [word.verdict for word in read_corrections(run.folder)] == [Verdict.RIGHT]


def test_a_folder_beside_it_that_is_damaged_keeps_no_dive_from_its_results(tmp_path, engine):
    clip = write_clip(tmp_path / "a.mp4", rate=10)
    before = process(clip, tmp_path / "out" / "a", engine, ProcessOptions()).folder
    (before / NAME).write_text("no correction\n")
    run = process(clip, tmp_path / "out" / "b", engine, ProcessOptions())
    assert (run.state, run.corrections.words) == ("complete", (None, None, None))


def test_words_keep_their_order_when_the_clock_is_set_back_between_them(tmp_path):
    ahead = datetime.now(UTC) + timedelta(days=400)
    add_correction(tmp_path, key(), Verdict.RIGHT, at=ahead)
    said = add_correction(tmp_path, key(), Verdict.NOTHING)
    assert said.at > ahead
    other = tmp_path / "other"
    other.mkdir()
    add_correction(other, key(), Verdict.RIGHT, at=ahead)
    assert carry_over(tmp_path, other) == 1
    assert read_corrections(other)[-1].verdict is Verdict.NOTHING


def test_words_said_at_one_moment_have_times_in_the_order_in_which_they_stand(tmp_path):
    with ThreadPoolExecutor(4) as people:
        said = people.map(lambda n: add_correction(tmp_path, key(), Verdict.WRONG, f"word {n}"), range(40))
        by_time = sorted(said, key=lambda word: word.at)
    assert len({word.at for word in by_time}) == 40
    lines = (tmp_path / NAME).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["label"] for line in lines] == [word.label for word in by_time]


def test_a_word_said_while_older_ones_are_carried_over_stands(tmp_path, monkeypatch):
    source, into = tmp_path / "source", tmp_path / "into"
    for folder in (source, into):
        folder.mkdir()
    add_correction(source, key(), Verdict.RIGHT, at=NOW)
    add_correction(source, key(5, 6), Verdict.RIGHT, at=NOW)
    real = corrections.lock

    def lock(file, *, wait):
        monkeypatch.undo()
        add_correction(into, key(), Verdict.NOTHING)  # just before the others' turn
        real(file, wait=wait)

    monkeypatch.setattr(corrections, "lock", lock)
    assert carry_over(source, into) == 1
    assert [word.verdict for word in read_corrections(into)] == [Verdict.NOTHING, Verdict.RIGHT]
