from __future__ import annotations

import json

import pytest

from dives.run_record import NAME, RunLog, RunRecord, read_run, versions
from realtime.errors import ResultsError


def log(folder):
    return RunLog(folder, RunRecord(source={"name": "dive.mp4"}, time={}, model={}, options={}))


def state(folder):
    record = json.loads((folder / NAME).read_text(encoding="utf-8"))
    return record["state"], record["reason"]


def test_it_says_running_until_it_is_told_otherwise(tmp_path):
    with log(tmp_path) as run:
        assert state(tmp_path) == ("running", "")
        run.record.counts["decoded"] = 7
        run.end("complete")
    assert state(tmp_path) == ("complete", "")
    assert read_run(tmp_path)["counts"] == {"decoded": 7}


def test_a_failure_is_written_down_with_its_reason(tmp_path):
    with pytest.raises(ResultsError), log(tmp_path):
        raise ResultsError("the disk is full")
    assert state(tmp_path) == ("failed", "the disk is full")


def test_an_interruption_is_no_failure(tmp_path):
    with pytest.raises(KeyboardInterrupt), log(tmp_path):
        raise KeyboardInterrupt
    assert state(tmp_path) == ("incomplete", "interrupted; --resume continues")


def test_a_finished_run_that_is_only_added_to_stays_finished_whatever_happens_to_this_one(tmp_path):
    with log(tmp_path) as run:
        run.end("complete")
    finished = read_run(tmp_path)
    added = RunRecord(source={}, time={}, model={}, options={"overlay": True})
    for error in (KeyboardInterrupt(), ResultsError("the disk is full")):
        with pytest.raises(type(error)), RunLog(tmp_path, added, stands=True):
            raise error
        assert read_run(tmp_path) == finished
    with RunLog(tmp_path, added, stands=True) as run:
        assert read_run(tmp_path) == finished
        run.record.files = ["frames.csv"]
        run.save()
        assert (read_run(tmp_path)["state"], read_run(tmp_path)["files"]) == ("complete", ["frames.csv"])
        run.end("complete")
    assert read_run(tmp_path)["options"] == {"overlay": True}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema_version": 99}'])
def test_a_record_of_another_version_or_torn_is_as_none(tmp_path, text):
    (tmp_path / NAME).write_text(text)
    assert read_run(tmp_path) is None


def test_no_record_is_none(tmp_path):
    assert read_run(tmp_path) is None


def test_versions_name_what_touched_the_numbers():
    assert {"python", "ffmpeg", "numpy", "av"} <= versions().keys()


def test_a_disk_too_full_for_a_second_file_still_learns_of_the_failure(tmp_path, monkeypatch):
    run = log(tmp_path)
    run.record.counts["what"] = "a record that gets shorter" * 9
    with run:
        pass
    run.record.counts.clear()

    def full(path, text):
        raise ResultsError("no space left on device")

    monkeypatch.setattr("dives.run_record.write_whole", full)
    run.__exit__(ResultsError, ResultsError("raw.journal: the disk is full"), None)
    assert state(tmp_path) == ("failed", "raw.journal: the disk is full")
