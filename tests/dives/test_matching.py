"""A word finds its sighting, also after another processing, and none is lost."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from clips import write_clip
from hypothesis import given
from hypothesis import strategies as st
from words import key, said

from dives.corrections import (
    NAME,
    Verdict,
    add_correction,
    read_corrections,
)
from dives.matching import corrected, read_keys
from dives.process import ProcessOptions, process
from realtime.errors import ResultsError


def test_a_correction_finds_its_sighting(tmp_path):
    sightings = [key(1, 3), key(1, 3, label="Octopus"), key(10, 12)]
    words = [said(sightings[2], Verdict.NOTHING), said(sightings[0])]
    found = corrected(sightings, words)
    assert found.words == (words[1], None, words[0])
    assert found.left_over == ()


def test_after_another_processing_a_correction_goes_to_the_sighting_it_overlaps_longest():
    before = said(key(10, 20))
    now = [key(5, 12, peak_frame=7), key(12.5, 30, peak_frame=500), key(12.5, 30, label="Octopus")]
    assert corrected(now, [before]).words == (None, before, None)


def test_a_correction_whose_sighting_is_gone_is_reported():
    gone = [said(key(10, 20)), said(key(1, 2, file="other.mp4", peak_frame=9))]
    found = corrected([key(1, 3), key(15, 16, label="Octopus")], gone)
    assert found.words == (None, None)
    assert found.left_over == tuple(gone)


def test_a_word_on_this_very_sighting_outranks_one_that_only_overlaps():
    moved, exact = said(key(1, 4, peak_frame=1), Verdict.NOTHING), said(key(1, 3))
    for words in ([moved, exact], [exact, moved]):
        found = corrected([key(1, 3)], words)
        assert (found.words, found.left_over) == ((exact,), (moved,))


def test_of_two_sightings_that_became_one_the_last_word_stands_and_the_other_is_reported():
    first, second = said(key(1, 2)), said(key(3, 4), Verdict.NOTHING)
    found = corrected([key(1, 4, peak_frame=0)], [first, second])
    assert (found.words, found.left_over) == ((second,), (first,))


@given(
    spans=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 9)), max_size=8),
    said_of=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 9), st.sampled_from(["Fish", "Eel"])), max_size=8),
)
def test_every_correction_either_stands_or_is_left_over(spans, said_of):
    sightings = list({key(a, a + b).identity: key(a, a + b) for a, b in spans}.values())
    words = list({key(a, a + b, label=c).identity: said(key(a, a + b, label=c)) for a, b, c in said_of}.values())
    found = corrected(sightings, words)
    assert sorted(map(id, [*filter(None, found.words), *found.left_over])) == sorted(map(id, words))


def test_corrections_outlive_another_processing_of_the_dive(tmp_path, engine):
    clip = write_clip(tmp_path / "slow.mp4", frames=30, rate=10)
    run = process(clip, tmp_path / "out", engine, ProcessOptions())
    keys = read_keys(run.folder)
    assert [key.peak_s for key in keys] == pytest.approx([sighting.peak_s for sighting in run.sightings], abs=1e-6)
    word = add_correction(run.folder, keys[1], Verdict.WRONG, "Cuttlefish")
    process(clip, tmp_path / "out", engine, ProcessOptions(every_s=0.2))  # anew: results go, corrections stay
    assert word in corrected(read_keys(run.folder), read_corrections(run.folder)).words
    assert json.loads((run.folder / NAME).read_text())["sighting"]["label"] == "Octopus"


def test_another_recording_of_the_same_name_takes_nothing_over(tmp_path, engine):
    folder = tmp_path / "out"
    keys = read_keys(process(write_clip(tmp_path / "a.mp4", rate=10), folder, engine, ProcessOptions()).folder)
    word = add_correction(folder, keys[1], Verdict.RIGHT)
    run = process(write_clip(tmp_path / "a.mp4", rate=9), folder, engine, ProcessOptions())
    assert run.corrections.words == (None, None, None)
    assert run.corrections.left_over == (word,)


def test_words_of_before_recordings_were_told_apart_find_their_file(tmp_path):
    old = [said(key(1, 3)), said(key(10, 12, peak_frame=1))]
    now = [replace(sighting, recording="123 bytes") for sighting in (key(1, 3), key(10, 12))]
    assert corrected(now, old).words == tuple(old)
    assert corrected([replace(one, file="other.mp4") for one in now], old).left_over == tuple(old)


def test_a_live_source_counts_frames_anew_and_its_sightings_stay_apart(tmp_path):
    columns = "label,start_s,end_s,start_utc,end_utc,peak_s,peak_frame,peak_probability,mean_probability,frames"
    line = "Fish,1.0,2.0,2026-05-0{}T09:30:00.000Z,2026-05-01T09:30:01.000Z,1.5,15,0.9,0.8,10"
    (tmp_path / "sightings.csv").write_text("\n".join([columns, line.format(1), line.format(2), ""]))
    first, second = read_keys(tmp_path)
    word = add_correction(tmp_path, second, Verdict.NOTHING)
    assert corrected([first, second], read_corrections(tmp_path)).words == (None, word)


def test_a_folder_without_sightings_is_named(tmp_path):
    with pytest.raises(ResultsError, match=r"sightings\.csv: cannot be read"):
        read_keys(tmp_path)
    (tmp_path / "sightings.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ResultsError, match="not a table of sightings"):
        read_keys(tmp_path)
