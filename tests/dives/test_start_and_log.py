"""When a dive began and what its computer logged: given at once, kept, and given anew to a finished dive."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
import pytest
from result_files import lines, record, results

from dives import process as process_module
from dives import remaking
from dives.corrections import Verdict, add_correction
from dives.divelog import DiveLog, MisfitError
from dives.journal import NAME as JOURNAL
from dives.matching import read_keys
from dives.process import ProcessOptions, process
from realtime.errors import ResultsError, SourceError

EVERY_FRAME = ProcessOptions()
RESUMED = ProcessOptions(resume=True)
OTHER_START = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def test_a_start_of_the_user_outranks_the_container(clip, engine, tmp_path):
    start = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
    run = process(clip, tmp_path / "out", engine, ProcessOptions(start_utc=start))
    assert lines(run.folder)[0]["utc"] == "2026-06-01T12:00:00.000Z"
    assert record(run.folder)["time"] == {"start_utc": "2026-06-01T12:00:00.000Z", "utc_source": "start"}


def test_a_start_for_pictures_is_refused(tmp_path, engine):
    with pytest.raises(SourceError, match="--start is for a video"):
        process(tmp_path, tmp_path / "out", engine, ProcessOptions(start_utc=datetime(2026, 1, 1, tzinfo=UTC)))


def test_depth_and_temperature_are_in_every_table_and_in_the_report(two_chapters, engine, tmp_path):
    (tmp_path / "log.csv").write_text(
        "time,depth_m,temperature_c\n2026-05-01T09:29:00,10,24\n2026-05-01T09:31:00,10,24\n", encoding="utf-8"
    )
    log = DiveLog.read(tmp_path / "log.csv")
    run = process(two_chapters, tmp_path / "out", engine, ProcessOptions(divelog=log))
    rows = pq.read_table(run.folder / "frames.parquet").to_pylist()
    assert {(row["depth_m"], row["temperature_c"]) for row in rows} == {(10.0, 24.0)}
    assert {(row["depth_m"], row["temperature_c"]) for row in lines(run.folder)} == {("10.00", "24.00")}
    assert {line["max_depth_m"] for line in lines(run.folder, "sightings.csv")} == {"10.00"}
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert page.count("10.0\xa0m · 24\xa0°C") == 6
    assert "dive 1 of 1 in log.csv" in page


def test_going_on_without_the_log_keeps_the_depth_that_was_joined(clip, engine, tmp_path):
    start = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)
    rows = "".join(f"{(start + timedelta(seconds=s)).isoformat()},{5 + s / 7},{20 - s / 9}\n" for s in range(-1, 6))
    (tmp_path / "log.csv").write_text(f"time,depth_m,temperature_c\n{rows}", encoding="utf-8")
    log = DiveLog.read(tmp_path / "log.csv", offset_s=0.25)
    before = process(clip, tmp_path / "out", engine, ProcessOptions(divelog=log))
    tables = results(before.folder)
    assert b"5." in tables["sightings.csv"]
    states = set()  # what a kill would leave, in any phase: a finished dive
    overlay = ProcessOptions(resume=True, overlay=True)
    after = process(clip, tmp_path / "out", engine, overlay, lambda _: states.add(record(tmp_path / "out")["state"]))
    assert states == {"complete"}
    assert {name: data for name, data in results(after.folder).items() if name in tables} == tables
    assert record(after.folder)["divelog"] == dict(before.divelog) != {}
    assert "divelog.csv" in record(after.folder)["files"]
    (after.folder / "divelog.csv").unlink()
    with pytest.raises(ResultsError, match="give the log again with --divelog"):
        process(clip, tmp_path / "out", engine, RESUMED)
    assert results(after.folder)["sightings.csv"] == tables["sightings.csv"]
    process(clip, tmp_path / "out", engine, EVERY_FRAME)
    assert not (after.folder / "divelog.csv").exists()
    assert record(after.folder)["divelog"] == {}


@pytest.fixture
def logs(tmp_path):
    """Of the clips' own time, and of OTHER_START."""
    for name, day in (("own", "2026-05-01T09"), ("other", "2026-06-01T11")):
        rows = f"{day}:29:00Z,10\n{day}:31:00Z,12\n" if name == "own" else f"{day}:59:00Z,20\n2026-06-01T12:01:00Z,25\n"
        (tmp_path / f"{name}.csv").write_text(f"time,depth_m\n{rows}", encoding="utf-8")
    return {name: DiveLog.read(tmp_path / f"{name}.csv") for name in ("own", "other")}


def made(folder):
    """Every file but what tells of the runs themselves: rows, times, and whether one was resumed."""
    found = {**results(folder), "run.json": record(folder)}
    found.pop(JOURNAL)
    found["run.json"]["options"].pop("resume")
    found["run.json"].pop("timing")
    return found


def test_all_files_are_those_of_a_dive_that_was_given_them_at_once(two_chapters, counting, tmp_path, logs):
    given = {"start_utc": OTHER_START, "divelog": logs["other"], "overlay": True}
    whole = process(two_chapters, tmp_path / "whole", counting, ProcessOptions(**given))
    process(two_chapters, tmp_path / "out", counting, ProcessOptions(divelog=logs["own"], overlay=True))
    counting.frames = 0
    again = process(two_chapters, tmp_path / "out", counting, ProcessOptions(resume=True, **given))
    assert (counting.frames, again.classified, again.folder) == (0, 55, tmp_path / "out")
    assert made(again.folder) == made(whole.folder)
    assert not list(tmp_path.glob("out.*"))


def test_it_stays_until_another_is_given_or_it_is_left_out(clip, counting, tmp_path, logs):
    plain = process(clip, tmp_path / "plain", counting, EVERY_FRAME)
    given = ProcessOptions(start_utc=OTHER_START, divelog=logs["other"])
    before = made(process(clip, tmp_path / "out", counting, given).folder)
    counting.frames = 0
    assert made(process(clip, tmp_path / "out", counting, RESUMED).folder) == before
    without = ProcessOptions(resume=True, keep_start=False, keep_divelog=False)
    run = process(clip, tmp_path / "out", counting, without)
    assert (counting.frames, made(run.folder)) == (0, made(plain.folder))


def test_a_log_that_does_not_fit_changes_nothing(clip, engine, tmp_path, logs):
    process(clip, tmp_path / "out", engine, EVERY_FRAME)
    before = made(tmp_path / "out")
    with pytest.raises(MisfitError, match=r"the nearest dive in other\.csv") as caught:
        process(clip, tmp_path / "out", engine, ProcessOptions(resume=True, divelog=logs["other"]))
    assert caught.value.cause == "elsewhere"
    assert made(tmp_path / "out") == before


@pytest.mark.parametrize("moved", range(4))
def test_a_kill_leaves_the_old_files_or_the_new_ones_and_what_was_said(clip, engine, tmp_path, monkeypatch, moved):
    """moved: how much is in its place when it comes; 0: it comes before the new ones are whole."""
    whole = made(process(clip, tmp_path / "whole", engine, ProcessOptions(start_utc=OTHER_START)).folder)
    out = process(clip, tmp_path / "out", engine, EVERY_FRAME).folder
    before = made(out)
    other = ProcessOptions(start_utc=OTHER_START, resume=True)

    class Killed(BaseException):
        pass

    def kill(*args):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(*((remaking, "_move") if moved else (process_module, "find_corrections")), kill)
        patch.setattr(shutil, "rmtree", lambda *args, **named: None)  # nor does a kill tidy up
        with pytest.raises(Killed):
            process(clip, out, engine, other)
    assert made(out) == before
    if moved:
        ready = tmp_path / "out.ready"
        for name in json.loads((ready / "manifest.json").read_text())[: 5 * (moved - 1)]:
            (ready / name).replace(out / name)
    add_correction(out, read_keys(out)[0], Verdict.RIGHT)
    after = made(process(clip, out, engine, other).folder)
    assert after.pop("corrections.jsonl")
    assert after.pop("sightings-checked.csv")
    assert after["sightings.csv"] == whole["sightings.csv"]
    assert after["frames.csv"] == whole["frames.csv"]
    assert record(out)["time"] == {"start_utc": "2026-06-01T12:00:00.000Z", "utc_source": "start"}
    assert not list(tmp_path.glob("out.*"))


def test_nobody_else_writes_meanwhile(clip, engine, tmp_path):
    out = process(clip, tmp_path / "out", engine, EVERY_FRAME).folder
    told = []

    def meanwhile(progress):
        if not told:
            told.append(progress)
            with pytest.raises(ResultsError, match="another run is writing here"):
                process(clip, out, engine, RESUMED)

    process(clip, out, engine, ProcessOptions(start_utc=OTHER_START, resume=True), meanwhile)
    assert told


def test_a_journal_of_an_earlier_version_names_its_start_and_can_be_continued(clip, counting, tmp_path):
    out = process(clip, tmp_path / "out", counting, EVERY_FRAME).folder
    head, _, rows = (out / JOURNAL).read_bytes().partition(b"\n")
    header = json.loads(head)
    header["facts"]["--start"] = "2026-01-01T00:00:00.000Z"
    (out / JOURNAL).write_bytes(json.dumps(header).encode() + b"\n" + rows)
    counting.frames = 0
    process(clip, out, counting, RESUMED)
    assert counting.frames == 0
