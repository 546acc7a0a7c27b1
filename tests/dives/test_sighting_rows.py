"""dives/sighting_rows.py: what is written of a sighting is what is read again."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_rows import shown
from raw_rows import write as write_results

from dives.sighting_rows import COLUMNS, REQUIRED, SightingRow, read_rows
from dives.writers.sightings_csv import SightingsCsv
from dives.writers.stills import Stills
from realtime.sightings import Sighting

BEGAN = datetime(2026, 5, 17, 9, 30, tzinfo=UTC)
LABELS = ("Fish", "Sea, Turtle")


def sighting(start_s: float = 1.25, label: int = 1) -> Sighting:
    moment = BEGAN + timedelta(seconds=start_s)
    return Sighting(label, start_s, start_s + 2.0, start_s + 1.0, 37, 0.91, 0.8, 40, moment, moment, moment)


def write(path: Path, *rows: SightingRow) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *(row.texts() for row in rows)])
    return path


@given(st.floats(0, 1e6), st.sampled_from([0, 1]))
def test_a_row_is_read_as_it_was_written(start_s: float, label: int) -> None:
    row = SightingRow.of(sighting(start_s, label), LABELS)
    assert SightingRow.read(row.texts()) == row


def test_a_live_row_says_in_columns_of_the_same_name_what_a_dives_table_says(dive) -> None:
    to = dive(10)
    stills = Stills(skip=True)
    (seen,) = write_results([shown(k, k * 0.1, 2, utc=True) for k in range(10)], to, stills, SightingsCsv(stills))
    with (to.folder / "sightings.csv").open(encoding="utf-8", newline="") as file:
        (line,) = csv.DictReader(file)
    row = dict(zip(COLUMNS, SightingRow.of(seen, to.contract.labels).texts(), strict=True))
    assert {name: line[name] for name in REQUIRED} == {name: row[name] for name in REQUIRED}


def test_the_newest_rows_are_read_in_order_and_damaged_lines_left_out(tmp_path: Path) -> None:
    rows = [SightingRow.of(sighting(float(at)), LABELS) for at in range(7)]
    path = write(tmp_path / "sightings.csv", *rows)
    assert read_rows(path, 3) == rows[-3:]
    with path.open("a", encoding="utf-8") as file:
        file.write("Fish,soon\n\n")
    assert read_rows(path, 100) == rows
    assert read_rows(tmp_path / "none.csv", 3) == []
    (tmp_path / "other.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    assert read_rows(tmp_path / "other.csv", 3) == []


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../x.jpg", "stills/../../x.jpg", "stills/..", "stills\\x.jpg", "x.jpg"]
)
def test_a_row_that_points_out_of_its_folder_is_refused(path: str) -> None:
    row = replace(SightingRow.of(sighting(), LABELS), still=path)
    with pytest.raises(ValueError, match="below stills"):
        SightingRow.read(row.texts())


def test_a_sighting_is_the_same_while_it_grows() -> None:
    begun = SightingRow.of(sighting(), LABELS)
    assert begun.is_same(replace(begun, end_s=99.0, frames=1000, peak_frame=5))
    assert not begun.is_same(SightingRow.of(sighting(1.5), LABELS))
