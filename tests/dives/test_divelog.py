"""The dive of a log joins a recording by the clock, and is in its results."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from clips import write_clip
from dive_logs import START, SUBSURFACE, TABLE, at, read
from result_files import lines

from dives.divelog import in_words
from dives.process import ProcessOptions, process
from realtime.errors import DiveLogError


def test_of_several_dives_the_one_that_overlaps_longest(tmp_path):
    log = read(tmp_path, SUBSURFACE, offset_s=0.0)
    assert len(log.profiles) == 2
    morning = log.during("a.mp4", START + timedelta(seconds=100), 60.0)
    assert (morning.log, morning.number, morning.of, morning.profile.start_utc) == ("log.any", 1, 2, START)
    afternoon = log.during("a.mp4", START.replace(hour=14, minute=10), 60.0)
    assert afternoon.number == 2
    assert afternoon.profile.start_utc == START.replace(hour=14, minute=0, second=10)


def test_an_offset_moves_the_log_to_the_clock_of_the_camera(tmp_path):
    log = read(tmp_path, TABLE, offset_s=60.0)  # the log's clock is a minute ahead
    assert at(log.during("a.mp4", START, 10.0).profile, 0).depth_m == pytest.approx(10.0)


def test_a_log_without_a_zone_that_could_be_of_two_dives_is_asked_about(tmp_path):
    """At UTC+4:30 the recording of 09:31 would be of the dive of 14:00."""
    with pytest.raises(DiveLogError, match="does not say which zone") as caught:
        read(tmp_path, SUBSURFACE).during("a.mp4", START + timedelta(seconds=60), 60.0)
    offered = [float(text) for text in re.findall(r"--divelog-offset (\S+)", str(caught.value))]
    assert offered == [0.0, 16200.0]
    for number, offset_s in enumerate(offered, start=1):
        log = read(tmp_path, SUBSURFACE, offset_s=offset_s)
        assert log.during("a.mp4", START + timedelta(seconds=60), 60.0).number == number


def test_a_log_that_says_its_zone_or_could_be_of_one_dive_only_is_believed(tmp_path):
    table = "time,depth_m\n2026-05-01T09:30:00{0},1\n2026-05-01T09:34:00{0},1\n2026-05-{1}:30:00{0},1\n"
    assert read(tmp_path, table.format("Z", "01T11")).during("a.mp4", START, 60.0).of == 2
    assert read(tmp_path, table.format("", "04T11")).during("a.mp4", START, 60.0).of == 2
    with pytest.raises(DiveLogError, match="any of 2 dives"):
        read(tmp_path, table.format("", "01T11")).during("a.mp4", START, 60.0)


def test_no_overlap_names_the_times_of_both_and_a_time_zone_that_would_do(tmp_path):
    log = read(tmp_path, TABLE)
    with pytest.raises(
        DiveLogError,
        match=r"a\.mp4: recorded from 2026-05-01T06:30:30.000Z to 2026-05-01T06:31:00.000Z, but the nearest dive "
        r"in log\.any is from 2026-05-01T09:30:00.000Z to 2026-05-01T09:32:00.000Z; .*--divelog-offset 10800$",
    ):
        log.during("a.mp4", START + timedelta(hours=-3, seconds=30), 30.0)
    with pytest.raises(DiveLogError, match=r"09:32:00\.000Z$"):  # no zone explains ten minutes
        log.during("a.mp4", START + timedelta(minutes=10), 30.0)


def test_a_recording_without_a_clock_is_told_what_to_give(tmp_path):
    with pytest.raises(DiveLogError, match="give --start"):
        read(tmp_path, TABLE).during("a.mp4", None, 30.0)


def test_frames_and_sightings_carry_depth_and_temperature(tmp_path, engine):
    clip = write_clip(tmp_path / "a.mp4", frames=30, rate=10, metadata={"creation_time": "2026-05-01T09:30:57Z"})
    run = process(clip, tmp_path / "out", engine, ProcessOptions(divelog=read(tmp_path, SUBSURFACE, offset_s=0.0)))

    frames = lines(run.folder, "frames.csv")
    assert (frames[0]["depth_m"], frames[0]["temperature_c"]) == ("9.50", "24.00")
    assert frames[-1]["depth_m"] == "9.98"
    first = lines(run.folder, "sightings.csv")[0]
    assert float(first["min_depth_m"]) <= float(first["depth_m"]) <= float(first["max_depth_m"])
    assert first["temperature_c"] == "24.00"


def test_a_run_says_which_dive_was_joined_and_how_much_of_the_recording_it_covers(tmp_path, engine):
    clip = write_clip(tmp_path / "a.mp4", frames=30, rate=10, metadata={"creation_time": "2026-05-01T09:31:58Z"})
    log = read(tmp_path, SUBSURFACE, offset_s=0.0)
    run = process(clip, tmp_path / "out", engine, ProcessOptions(divelog=log))
    logged = json.loads((run.folder / "run.json").read_text())["divelog"]
    assert logged == run.divelog
    assert (logged["name"], logged["dive"], logged["dives"], logged["frames"]) == ("log.any", 1, 2, 21)
    words = in_words(logged, run.classified)
    assert words.startswith("dive 1 of 2 in log.any, 2026-05-01 09:30 to 2026-05-01 09:32")
    assert "depth for 21 of 30 frames; the log says nothing of the rest" in words
    assert "depth for 21 of 30 frames" in (run.folder / "report.html").read_text()
    assert in_words({**logged, "frames": 27}, 30).endswith("27 of 30 frames")


def test_a_log_of_another_day_stops_a_dive_before_anything_is_written(tmp_path, engine):
    clip = write_clip(tmp_path / "a.mp4", metadata={"creation_time": "2026-06-01T09:30:00Z"})
    with pytest.raises(DiveLogError, match="recorded from 2026-06-01"):
        process(clip, tmp_path / "out", engine, ProcessOptions(divelog=read(tmp_path, TABLE)))
    assert not (tmp_path / "out").exists()


def test_a_log_may_be_added_to_a_finished_dive(tmp_path, engine):
    clip = write_clip(tmp_path / "a.mp4", metadata={"creation_time": "2026-05-01T09:31:00Z"})
    process(clip, tmp_path / "out", engine, ProcessOptions())
    options = ProcessOptions(divelog=read(tmp_path, TABLE), resume=True)
    assert process(clip, tmp_path / "out", engine, options).continued_from == 30
    assert ",10.00,\n" in (tmp_path / "out" / "frames.csv").read_text()
