from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

from raw_rows import shown, write

from dives.files import Files
from dives.writers.viame_csv import ViameCsv


def written(to):
    """(comment lines, detections) as DIVE reads them: by the csv module, comments by their first character."""
    with (to.folder / "viame.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))
    return [line for line in lines if line[0].startswith("#")], [line for line in lines if not line[0].startswith("#")]


def test_a_detection_is_the_whole_frame_with_nine_columns_and_a_pair(dive):
    to = dive(1)
    write([shown(25, 1.0, 0)], to, ViameCsv())
    comments, detections = written(to)
    assert comments[0][0] == "# 1: Detection or Track-id"
    assert comments[1] == ["# metadata", "fps: 25"]
    assert detections == [["1", "00:00:01.000000", "25", "0", "0", "64", "48", "0.900000", "-1", "Fish", "0.900000"]]


def test_a_sighting_is_a_track_and_frames_without_a_label_are_left_out(dive):
    to = dive(40)
    labels = [0] * 10 + [None] * 5 + [0] * 5 + [2] * 10 + [None] * 10
    write([shown(k, k * 0.1, label) for k, label in enumerate(labels)], to, ViameCsv())
    _, detections = written(to)
    assert [line[0] for line in detections] == ["1"] * 15 + ["2"] * 10  # a short loss is the same sighting
    assert [int(line[2]) for line in detections] == [*range(10), *range(15, 30)]
    assert {line[9] for line in detections if line[0] == "2"} == {"Turtle"}


def test_the_pair_is_the_sightings_and_column_8_the_frames_own(dive):
    to = dive(2)
    rows = [shown(0, 0.0, 0), shown(1, 0.1, 0)]
    unsure = rows[1].probabilities.copy()
    unsure[:] = 0.3, 0.6, 0.1  # another label leads on this frame; DIVE names a track by its last line
    write([rows[0], replace(rows[1], probabilities=unsure)], to, ViameCsv())
    _, detections = written(to)
    assert [line[7] for line in detections] == ["0.900000", "0.300000"]
    assert [line[9:] for line in detections] == [["Fish", "0.600000"]] * 2


def test_pictures_are_named_and_no_rate_is_no_line(dive):
    files = Files.pictures([Path("a.jpg"), Path("b.jpg")], 1.0)
    to = dive(2, files=files, kind="pictures", rate=None)
    write([shown(0, 0.0, 0), shown(1, 1.0, 0)], to, ViameCsv())
    comments, detections = written(to)
    assert len(comments) == 1
    assert [(line[1], line[2]) for line in detections] == [("a.jpg", "0"), ("b.jpg", "1")]


def test_a_label_of_any_letters_survives(dive):
    to = dive(1, labels=('Ray, "eagle"', "ウミガメ", "c"))
    write([shown(0, 0.0, 0)], to, ViameCsv())
    assert written(to)[1][0][9] == 'Ray, "eagle"'
