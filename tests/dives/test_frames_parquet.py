"""frames.parquet is read back by pyarrow and compared with frames.csv."""

from __future__ import annotations

import csv
import json

import pyarrow.parquet as pq
import pytest
from raw_rows import shown, write

from dives.writers import frames_parquet
from dives.writers.frames_csv import FramesCsv
from dives.writers.frames_parquet import FramesParquet
from realtime.errors import ResultsError
from realtime.frames import iso_utc


def rows(count):
    return [shown(k, k / 30, (None, 0, 2)[k // 4 % 3], utc=k % 2 == 0) for k in range(count)]


def test_it_holds_what_frames_csv_holds_with_types(dive):
    to = dive(30)
    write(rows(30), to, FramesCsv(), FramesParquet())
    with (to.folder / "frames.csv").open(encoding="utf-8", newline="") as file:
        text = list(csv.DictReader(file))
    table = pq.read_table(to.folder / "frames.parquet")
    assert table.column_names == list(text[0])
    for line, row in zip(text, table.to_pylist(), strict=True):
        for name, value in row.items():
            if name == "utc":
                assert line[name] == iso_utc(value)
            elif isinstance(value, float):
                assert float(line[name]) == pytest.approx(value, abs=5.1e-7)
            else:
                assert line[name] == ("" if value is None else str(value))


def test_media_time_is_not_rounded_and_probabilities_are_the_models_own(dive):
    to = dive(10)
    of_dive = rows(10)
    write(of_dive, to, FramesParquet())
    table = pq.read_table(to.folder / "frames.parquet").to_pylist()
    assert [line["media_s"] for line in table] == [row.media_s for row in of_dive]
    assert [line["probability_1"] for line in table] == [float(row.probabilities.max()) for row in of_dive]


def test_the_types_are_those_of_the_documentation(dive):
    to = dive(1)
    write(rows(1), to, FramesParquet())
    schema = pq.read_schema(to.folder / "frames.parquet")
    types = {name: str(schema.field(name).type) for name in schema.names}
    assert types["frame"] == "int64"
    assert types["media_s"] == "double"
    assert types["utc"] == "timestamp[us, tz=UTC]"
    assert {types[name] for name in ("probability_1", "unknown", "stable_probability")} == {"float"}
    assert "string" in types["stable_label"]


def test_the_file_says_which_model_and_recording_it_is_of(dive):
    to = dive(1)
    write(rows(1), to, FramesParquet("ab" * 32))
    facts = json.loads(pq.read_schema(to.folder / "frames.parquet").metadata[b"reeflens"])
    assert (facts["model_sha256"], facts["source"], facts["files"]) == ("ab" * 32, "dive.mp4", ["dive.mp4"])
    assert facts["contract"] == json.loads(to.contract.to_json())


def test_it_is_written_in_groups_and_always_to_the_same_bytes(dive, monkeypatch):
    monkeypatch.setattr(frames_parquet, "GROUP_ROWS", 8)
    written = []
    for _ in range(2):
        to = dive(20)
        write(rows(20), to, FramesParquet())
        written.append((to.folder / "frames.parquet").read_bytes())
    assert written[0] == written[1]
    parquet = pq.ParquetFile(to.folder / "frames.parquet")
    assert [parquet.metadata.row_group(k).num_rows for k in range(parquet.num_row_groups)] == [8, 8, 4]
    assert [line["frame"] for line in parquet.read().to_pylist()] == list(range(20))


def test_a_dive_that_fails_leaves_no_file(dive):
    class Failing(FramesParquet):
        def frame(self, row):
            raise ResultsError("the disk is full")

    to = dive(1)
    with pytest.raises(ResultsError):
        write(rows(1), to, Failing())
    assert list(to.folder.iterdir()) == []
