from __future__ import annotations

import csv

from raw_rows import shown, write

from dives.files import Files, RecordedFile
from dives.writers.frames_csv import FramesCsv, columns, fields


def written(dive):
    content = (dive.folder / "frames.csv").read_bytes()
    return content, list(csv.DictReader(content.decode().splitlines()))


def test_one_line_per_row_with_the_columns_of_the_documentation(dive):
    to = dive(2)
    write([shown(0, 0.0, 0, utc=True), shown(3, 0.1, None)], to, FramesCsv())
    content, _ = written(to)
    assert content.decode() == (
        "file,frame,media_s,utc,utc_source,label_1,probability_1,label_2,probability_2,label_3,probability_3,"
        "unknown,stable_label,stable_probability,depth_m,temperature_c\n"
        "dive.mp4,0,0.000000,2026-05-01T09:30:00.000Z,container,Fish,0.900000,Octopus,0.050000,Turtle,0.050000,"
        "0.100000,Fish,0.900000,,\n"
        "dive.mp4,3,0.100000,,,Fish,0.333333,Octopus,0.333333,Turtle,0.333333,"
        "0.666667,,0.333333,,\n"
    )


def test_nothing_i_know_is_an_empty_label_with_the_best_probability(dive):
    to = dive(1)
    write([shown(0, 0.0, None)], to, FramesCsv())
    _, (line,) = written(to)
    assert (line["stable_label"], line["stable_probability"]) == ("", "0.333333")


def test_at_most_five_labels_however_many_there_are(dive):
    labels = tuple(f"Class {k}" for k in range(23))
    to = dive(1, labels=labels)
    write([shown(0, 0.0, 7, classes=23)], to, FramesCsv())
    _, (line,) = written(to)
    assert [line[f"label_{k}"] for k in range(1, 6)] == ["Class 7", "Class 0", "Class 1", "Class 2", "Class 3"]
    assert "label_6" not in line


def test_labels_with_commas_quotes_and_letters_of_any_script_survive(dive):
    labels = ('Ray, "eagle"', "Ñandú\nде mar", "ウミガメ")
    to = dive(1, labels=labels)
    write([shown(0, 0.0, 1)], to, FramesCsv())
    with (to.folder / "frames.csv").open(encoding="utf-8", newline="") as file:
        (line,) = csv.DictReader(file)
    assert (line["label_1"], line["label_2"], line["label_3"]) == (labels[1], labels[0], labels[2])


def test_a_dive_of_chapters_names_the_file_and_counts_frames_within_it(dive, tmp_path):
    chapters = Files([RecordedFile(tmp_path / "GX01.MP4"), RecordedFile(tmp_path / "GX02.MP4", 100, 4.0)])
    to = dive(3, files=chapters)
    write([shown(99, 3.96, 0), shown(100, 4.0, 0), shown(101, 4.04, 0)], to, FramesCsv())
    _, table = written(to)
    assert [(line["file"], line["frame"]) for line in table] == [
        ("GX01.MP4", "99"),
        ("GX02.MP4", "0"),
        ("GX02.MP4", "1"),
    ]


def test_a_live_table_says_in_columns_of_the_same_name_what_a_dives_table_says(dive):
    to = dive(1)
    row = shown(7, 0.28, 0, utc=True)
    write([row], to, FramesCsv())
    content, _ = written(to)
    names, texts = (line.split(",") for line in content.decode().splitlines())
    line = dict(zip(names, texts, strict=True))
    labels = to.contract.labels
    live = dict(zip(columns(labels), fields(row, labels), strict=True))
    assert line == {"file": "dive.mp4", **live, "depth_m": "", "temperature_c": ""}
