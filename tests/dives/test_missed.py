"""What the model did not see and somebody did: kept, exported as a human's observation, and collected."""

from __future__ import annotations

import csv

import pytest
from clips import write_clip

from dives.collect import TABLE, collect
from dives.corrections import Verdict, add_correction, read_corrections, undo_correction
from dives.divelog import DiveLog
from dives.matching import corrected, read_keys
from dives.missed import add_missed
from dives.occurrences import NAME, write_occurrences
from dives.process import ProcessOptions, process
from realtime.errors import ResultsError

LOG = "time,depth_m\n2026-05-01T09:30:00Z,5\n2026-05-01T09:31:00Z,35\n"


@pytest.fixture
def dive(tmp_path, engine):
    """Fish, Octopus, Turtle, a second each; every fifth of a second is classified."""
    clip = write_clip(tmp_path / "reef.mp4", frames=30, rate=10, metadata={"creation_time": "2026-05-01T09:30:00Z"})
    (tmp_path / "log.csv").write_text(LOG)
    options = ProcessOptions(every_s=0.2, divelog=DiveLog.read(tmp_path / "log.csv"))
    return process(clip, tmp_path / "results" / "reef", engine, options).folder


def said(folder):
    return corrected(read_keys(folder), read_corrections(folder))


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_it_is_kept_at_the_classified_frame_nearest_to_the_time(dive):
    word = add_missed(dive, " Moon\njelly ", 1.11, by="Ada", note="upper left")
    assert (word.verdict, word.truth, word.by, word.note) == (Verdict.MISSED, "Moon jelly", "Ada", "upper left")
    key = word.sighting
    assert (key.file, key.peak_frame, key.peak_s) == ("reef.mp4", 12, pytest.approx(1.2))
    assert key.recording
    found = said(dive)
    assert found.missed == (word,)
    assert (set(found.words), found.left_over) == ({None}, ())
    undo_correction(dive, key)
    assert said(dive).missed == ()


def test_several_animals_may_be_missed_at_one_moment(dive):
    add_missed(dive, "Moon jelly", 1.2)
    add_missed(dive, "Moray", 1.2, start_s=0.5, end_s=2.5)
    assert [word.truth for word in said(dive).missed] == ["Moon jelly", "Moray"]
    assert (said(dive).missed[1].sighting.start_s, said(dive).missed[1].sighting.end_s) == (0.5, 2.5)


def test_an_animal_of_a_sighting_that_is_there_is_not_missed_but_right(dive):
    fish = read_keys(dive)[0]
    add_missed(dive, "fish", fish.peak_s)
    found = said(dive)
    assert (found.words[0].verdict, found.words[0].truth, found.missed) == (Verdict.RIGHT, "fish", ())


@pytest.mark.parametrize(
    ("label", "times", "complaint"),
    [
        ("", {"media_s": 1.0}, "label"),
        ("x" * 201, {"media_s": 1.0}, "label"),
        ("Moray", {"media_s": 99.0}, "no frame was classified near 99"),
        ("Moray", {"media_s": float("nan")}, "no frame"),
        ("Moray", {"media_s": 1.0, "start_s": 2.0}, "start_s"),
        ("Moray", {"media_s": 1.0, "end_s": 0.5}, "end_s"),
    ],
)
def test_what_makes_no_sense_is_refused(dive, label, times, complaint):
    with pytest.raises(ValueError, match=complaint):
        add_missed(dive, label, **times)
    with pytest.raises(ResultsError, match="process the dive again"):
        add_missed(dive / "stills", "Moray", 1.0)


def test_it_is_exported_as_a_human_observation_with_date_and_depth(dive):
    before = rows(dive / NAME)
    add_missed(dive, "Aurelia aurita", 1.2, start_s=0.9, end_s=2.3, by="Ada", note="upper left")
    assert write_occurrences(dive)
    *machine, human = rows(dive / NAME)
    assert machine == before
    assert (human["basisOfRecord"], human["scientificName"]) == ("HumanObservation", "Aurelia aurita")
    assert human["eventDate"] == "2026-05-01T09:30:01.000Z/2026-05-01T09:30:02.200Z"
    assert (human["minimumDepthInMeters"], human["maximumDepthInMeters"]) == ("5.50", "6.10")
    assert (human["identificationVerificationStatus"], human["identifiedBy"]) == ("ValidatedByHuman", "Ada")
    assert "did not see it" in human["identificationRemarks"]
    assert human["occurrenceRemarks"] == "upper left"
    assert human["occurrenceID"] not in {row["occurrenceID"] for row in before}


def test_it_is_collected_from_the_recording(dive, tmp_path):
    add_missed(dive, "Moray", 1.2, start_s=0.0, end_s=2.8, by="Ada")
    done = collect([dive], tmp_path / "tree", frames=2)
    assert (done.pictures, done.problems) == ({"Moray": 3}, [])
    assert {(row["verdict"], row["model_label"], row["corrected_by"]) for row in rows(tmp_path / "tree" / TABLE)} == {
        ("missed", "", "Ada")
    }


def test_after_another_processing_it_has_the_date_of_the_frame_nearest_to_it(dive, engine, tmp_path):
    add_missed(dive, "Moray", 1.2)
    process(tmp_path / "reef.mp4", dive, engine, ProcessOptions(every_s=0.7))
    assert rows(dive / NAME)[-1]["eventDate"].startswith("2026-05-01T09:30:01.400Z/")


def test_a_word_that_is_missed_and_something_else_is_refused(dive):
    key = read_keys(dive)[0]
    with pytest.raises(ValueError, match="expected what was missed"):
        add_correction(dive, key, Verdict.MISSED, "Moray")
