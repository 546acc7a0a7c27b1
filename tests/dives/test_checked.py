"""What people said stands beside the model's answer in a table of its own, with a wall clock or without."""

from __future__ import annotations

import csv
import re

import pytest
from clips import write_clip

from dives import checked
from dives.checked import NAME, WORD, take_in_corrections
from dives.corrections import Verdict, add_correction, undo_correction
from dives.matching import read_keys
from dives.missed import add_missed
from dives.process import ProcessOptions, process
from dives.writers.sightings_csv import COLUMNS


@pytest.fixture
def dive(tmp_path, engine):
    """Fish, Octopus, Turtle, a second each; nobody knows when."""
    clip = write_clip(tmp_path / "a.mp4", frames=30, rate=10)
    return process(clip, tmp_path / "out", engine, ProcessOptions(every_s=0.1)).folder


def rows(folder, name=NAME):
    with (folder / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def words(row):
    return tuple(row[column] for column in WORD)


def card(folder, number):
    """What people said, on one card of the report."""
    page = (folder / "report.html").read_text(encoding="utf-8")
    (found,) = re.findall(rf"<!--said {number}-->(.*?)<!--/said-->", page, re.DOTALL)
    return re.sub("<.*?>", "", found)


def test_the_table_has_the_models_columns_and_what_a_person_said(dive):
    before = (dive / "sightings.csv").read_bytes()
    fish, octopus, turtle = read_keys(dive)
    add_correction(dive, fish, Verdict.WRONG, "Moray, spotted", by="Ada", note="in a hole")
    add_correction(dive, octopus, Verdict.NOTHING)
    take_in_corrections(dive)
    first, second, third = rows(dive)
    assert tuple(first) == (*COLUMNS, *WORD)
    assert [{name: row[name] for name in COLUMNS} for row in (first, second, third)] == rows(dive, "sightings.csv")
    assert words(first) == ("wrong", "Moray, spotted", "Ada", "in a hole", "ValidatedByHuman")
    assert words(second) == ("nothing", "", "", "", "ValidatedByHuman")
    assert words(third) == ("", "Turtle", "", "", "PredictedByMachine")
    assert (dive / "sightings.csv").read_bytes() == before
    assert turtle.label == third["label"]


def test_what_is_said_while_the_files_are_made_is_in_them(dive, monkeypatch):
    fish, _, turtle = read_keys(dive)
    add_correction(dive, fish, Verdict.RIGHT)
    real = checked.mark_report

    def mark_report(folder, said):
        if not said.words[2]:  # it was read what people said, and now somebody says more
            add_correction(dive, turtle, Verdict.NOTHING)
        real(folder, said)

    monkeypatch.setattr(checked, "mark_report", mark_report)
    take_in_corrections(dive)
    assert [row["verdict"] for row in rows(dive)] == ["right", "", "nothing"]


def test_what_people_say_waits_for_no_job_that_makes_the_tables_anew(dive, tmp_path, engine):
    add_correction(dive, read_keys(dive)[0], Verdict.RIGHT)
    phases = set()

    def while_it_works(progress):
        take_in_corrections(dive)  # as a page that asks for the files has it
        phases.add(progress.phase)

    resumed = ProcessOptions(every_s=0.1, resume=True, overlay=True)
    process(tmp_path / "a.mp4", tmp_path / "out", engine, resumed, while_it_works)
    assert {"write", "overlay"} <= phases
    assert [row["verdict"] for row in rows(dive)] == ["right", "", ""]
    assert card(dive, 1).startswith("right")


def test_what_the_model_missed_comes_last(dive):
    add_missed(dive, "Eel", 1.5, by="Ada")
    take_in_corrections(dive)
    *_, eel = rows(dive)
    assert (eel["id"], eel["label"], eel["peak_file"], eel["peak_s"]) == ("", "", "a.mp4", "1.500000")
    assert words(eel) == ("missed", "Eel", "Ada", "", "ValidatedByHuman")


def test_where_nobody_has_said_anything_or_all_was_taken_back_there_is_no_table(dive):
    assert not (dive / NAME).exists()
    report = (dive / "report.html").read_bytes()
    fish = read_keys(dive)[0]
    add_correction(dive, fish, Verdict.RIGHT)
    take_in_corrections(dive)
    assert (dive / NAME).exists()
    undo_correction(dive, fish)
    take_in_corrections(dive)
    assert not (dive / NAME).exists()
    assert (dive / "report.html").read_bytes() == report


def test_processing_again_writes_it_anew_and_lists_it(dive, tmp_path, engine):
    add_correction(dive, read_keys(dive)[0], Verdict.WRONG, "Moray")
    process(tmp_path / "a.mp4", dive, engine, ProcessOptions(every_s=0.1, resume=True))
    assert rows(dive)[0]["name"] == "Moray"
    assert f'"{NAME}"' in (dive / "run.json").read_text()
    assert card(dive, 1) == "wrong, it is Moray"


def test_the_cards_of_the_report_say_so_and_its_head_how_many(dive):
    fish, octopus, turtle = read_keys(dive)
    add_correction(dive, fish, Verdict.WRONG, "<b>Eel</b><!--/said-->", by="Ada")
    add_correction(dive, octopus, Verdict.RIGHT, note="two")
    for _ in range(2):  # the second time over the first
        take_in_corrections(dive)
    assert card(dive, 1) == "wrong, it is &lt;b&gt;Eel&lt;/b&gt;&lt;!--/said--&gt; (Ada)"
    assert (card(dive, 2), card(dive, 3)) == ("right · two", "")
    add_correction(dive, turtle, Verdict.NOTHING)
    add_missed(dive, "Ray", 1.5)
    take_in_corrections(dive)
    assert card(dive, 3) == "wrong, there is nothing"
    assert card(dive, "all").startswith("Checked by people: 3 of 3 sightings.")
    assert card(dive, "all").endswith("Seen by people and not by the model:Ray at 0:01")
