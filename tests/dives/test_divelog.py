"""Depth and temperature join a recording by the clock, and nothing is made up where the log says nothing."""

from __future__ import annotations

import csv
import json
import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from clips import write_clip
from hypothesis import given
from hypothesis import strategies as st

from dives import divelog as divelog_module
from dives.divelog import UNKNOWN, Conditions, DiveLog, Profile, in_words
from dives.process import ProcessOptions, process
from realtime.errors import DiveLogError

START = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)

SUBSURFACE = """<divelog program='subsurface' version='3'>
<settings/>
<dives>
<trip date='2026-05-01' time='09:00:00'>
<dive number='1' date='2026-05-01' time='09:30:00' duration='2:00 min'>
  <divecomputer model='Suunto D6' deviceid='abc'>
    <depth max='12.0 m' mean='8.0 m' />
    <sample time='0:00 min' depth='0.0 m' temp='24.0 C' />
    <sample time='1:00 min' depth='10.0 m' />
    <sample time='2:00 min' depth='12.0 m' temp='22.0 C' />
  </divecomputer>
</dive>
</trip>
<dive number='2' date='2026-05-01' time='14:00:00' duration='61:30 min'>
  <divecomputer model='no samples' />
  <divecomputer model='Second' date='2026-05-01' time='14:00:10'>
    <sample time='0:00 min' depth='1.0 m' />
    <sample time='61:30 min' depth='3.0 m' />
  </divecomputer>
</dive>
<dive number='3' date='2026-05-02' time='08:00:00' duration='40:00 min'><notes>by hand</notes></dive>
</dives>
</divelog>
"""
UDDF = """<?xml version="1.0" encoding="utf-8"?>
<uddf xmlns="http://www.streit.cc/uddf/3.2/" version="3.2.0">
<profiledata><repetitiongroup id="a"><dive id="b">
  <informationbeforedive><datetime>2026-05-01T12:30:00+03:00</datetime></informationbeforedive>
  <samples>
    <waypoint><depth>0.0</depth><divetime>0</divetime><temperature>297.15</temperature></waypoint>
    <waypoint><depth>10.0</depth><divetime>60</divetime></waypoint>
    <waypoint><alarm>ascent</alarm><depth>12.0</depth><divetime>120.0</divetime><temperature>295.15</temperature></waypoint>
  </samples>
</dive></repetitiongroup></profiledata>
</uddf>
"""
TABLE = """time,depth_m,temperature_c
2026-05-01T09:30:00Z,0.0,24.0
2026-05-01T09:31:00Z,10.0,
2026-05-01T09:32:00Z,12.0,22.0
"""
GERMAN = """Zeit;Time;Depth (m);Temperature (°C)
1;2026-05-01 11:30:00+02:00;0,0;24,0
2;2026-05-01 11:31:00+02:00;10,0;
3;2026-05-01 11:32:00+02:00;12,0;22,0

"""


def read(tmp_path, text, **options) -> DiveLog:
    path = tmp_path / "log.any"
    path.write_text(text, encoding="utf-8-sig")
    return DiveLog.read(path, **options)


def at(profile: Profile, second: float) -> Conditions:
    return profile.at(START + timedelta(seconds=second))


@pytest.mark.parametrize("text", [SUBSURFACE, UDDF, TABLE, GERMAN], ids=["subsurface", "uddf", "csv", "semicolons"])
def test_every_format_gives_the_same_dive(tmp_path, text):
    profile = read(tmp_path, text).profiles[0]
    assert (profile.first_utc, profile.last_utc) == (START, START + timedelta(minutes=2))
    assert at(profile, 0) == Conditions(0.0, pytest.approx(24.0))
    assert at(profile, 30).depth_m == pytest.approx(5.0)
    assert at(profile, 90).depth_m == pytest.approx(11.0)
    assert at(profile, 120) == Conditions(12.0, pytest.approx(22.0))


def test_subsurface_leaves_out_a_temperature_that_did_not_change(tmp_path):
    profile = read(tmp_path, SUBSURFACE).profiles[0]
    assert [at(profile, second).temperature_c for second in (60, 90)] == [24.0, 23.0]


def test_other_formats_leave_out_what_was_not_measured(tmp_path):
    profile = read(tmp_path, UDDF).profiles[0]
    assert [at(profile, second).temperature_c for second in (30, 60, 90)] == [None] * 3


def test_nothing_is_made_up_outside_the_log_or_without_a_clock(tmp_path):
    profile = read(tmp_path, TABLE).profiles[0]
    assert at(profile, -0.1) == at(profile, 120.1) == profile.at(None) == UNKNOWN
    assert profile.depths(START - timedelta(hours=1), START - timedelta(minutes=1)) == (None, None)
    assert profile.depths(None, START) == (None, None)


def test_nothing_is_made_up_across_a_hole(tmp_path):
    log = read(tmp_path, TABLE + "2026-05-01T10:00:00Z,5,20\n2026-05-01T10:01:00Z,6,20\n")
    assert len(log.profiles) == 2
    holed = SUBSURFACE.replace("2:00 min' depth", "20:00 min' depth")
    assert at(read(tmp_path, holed).profiles[0], 600) == UNKNOWN


def test_the_depths_of_a_stretch_are_those_of_its_ends_and_of_what_lies_between(tmp_path):
    profile = read(tmp_path, TABLE).profiles[0]
    assert profile.depths(START + timedelta(seconds=30), START + timedelta(seconds=90)) == (
        pytest.approx(5.0),
        pytest.approx(11.0),
    )
    assert profile.depths(START + timedelta(seconds=90), START + timedelta(hours=1)) == (pytest.approx(11.0), 12.0)


@given(
    st.lists(st.tuples(st.integers(0, 3000), st.floats(0, 60)), min_size=1, max_size=20, unique_by=lambda s: s[0]),
    st.floats(-10, 3010),
)
def test_a_depth_lies_between_its_neighbours(samples, second):
    seconds, depths = (np.array(column, float) for column in zip(*sorted(samples), strict=True))
    found = Profile(START, seconds, depths, depths).at(START + timedelta(seconds=second)).depth_m
    if found is not None:
        assert depths.min() - 1e-9 <= found <= depths.max() + 1e-9
        assert seconds[0] <= second + 1e-6
        assert second - 1e-6 <= seconds[-1]


class TestChoosing:
    def test_of_several_dives_the_one_that_overlaps_longest(self, tmp_path):
        log = read(tmp_path, SUBSURFACE, offset_s=0.0)
        assert len(log.profiles) == 2
        morning = log.during("a.mp4", START + timedelta(seconds=100), 60.0)
        assert (morning.log, morning.number, morning.of, morning.profile.start_utc) == ("log.any", 1, 2, START)
        afternoon = log.during("a.mp4", START.replace(hour=14, minute=10), 60.0)
        assert afternoon.number == 2
        assert afternoon.profile.start_utc == START.replace(hour=14, minute=0, second=10)

    def test_an_offset_moves_the_log_to_the_clock_of_the_camera(self, tmp_path):
        log = read(tmp_path, TABLE, offset_s=60.0)  # the log's clock is a minute ahead
        assert at(log.during("a.mp4", START, 10.0).profile, 0).depth_m == pytest.approx(10.0)

    def test_a_log_without_a_zone_that_could_be_of_two_dives_is_asked_about(self, tmp_path):
        """At UTC+4:30 the recording of 09:31 would be of the dive of 14:00."""
        with pytest.raises(DiveLogError, match="does not say which zone") as caught:
            read(tmp_path, SUBSURFACE).during("a.mp4", START + timedelta(seconds=60), 60.0)
        offered = [float(text) for text in re.findall(r"--divelog-offset (\S+)", str(caught.value))]
        assert offered == [0.0, 16200.0]
        for number, offset_s in enumerate(offered, start=1):
            log = read(tmp_path, SUBSURFACE, offset_s=offset_s)
            assert log.during("a.mp4", START + timedelta(seconds=60), 60.0).number == number

    def test_a_log_that_says_its_zone_or_could_be_of_one_dive_only_is_believed(self, tmp_path):
        table = "time,depth_m\n2026-05-01T09:30:00{0},1\n2026-05-01T09:34:00{0},1\n2026-05-{1}:30:00{0},1\n"
        assert read(tmp_path, table.format("Z", "01T11")).during("a.mp4", START, 60.0).of == 2
        assert read(tmp_path, table.format("", "04T11")).during("a.mp4", START, 60.0).of == 2
        with pytest.raises(DiveLogError, match="any of 2 dives"):
            read(tmp_path, table.format("", "01T11")).during("a.mp4", START, 60.0)

    def test_no_overlap_names_the_times_of_both_and_a_time_zone_that_would_do(self, tmp_path):
        log = read(tmp_path, TABLE)
        with pytest.raises(
            DiveLogError,
            match=r"a\.mp4: recorded from 2026-05-01T06:30:30.000Z to 2026-05-01T06:31:00.000Z, but the nearest dive "
            r"in log\.any is from 2026-05-01T09:30:00.000Z to 2026-05-01T09:32:00.000Z; .*--divelog-offset 10800$",
        ):
            log.during("a.mp4", START + timedelta(hours=-3, seconds=30), 30.0)
        with pytest.raises(DiveLogError, match=r"09:32:00\.000Z$"):  # no zone explains ten minutes
            log.during("a.mp4", START + timedelta(minutes=10), 30.0)

    def test_a_recording_without_a_clock_is_told_what_to_give(self, tmp_path):
        with pytest.raises(DiveLogError, match="give --start"):
            read(tmp_path, TABLE).during("a.mp4", None, 30.0)


BOMB = '<!DOCTYPE a [<!ENTITY b "bbbb">]><divelog>&b;</divelog>'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<divelog><dives>", "not well-formed XML"),
        (BOMB, "declares entities"),
        ("<html/>", "<html> is neither"),
        ("<divelog/>", "no dive with samples"),
        (SUBSURFACE.replace("2026-05-01' time='09:30:00'", "May' time=''"), "expected a date and time"),
        (SUBSURFACE.replace("10.0 m", "33 ft"), "expected a number and 'm'"),
        (SUBSURFACE.replace("'1:00 min'", "'soon'"), "expected a time such as"),
        (UDDF.replace("<depth>10.0", "<depth>deep"), "expected a number, received 'deep'"),
        (UDDF.replace("<depth>10.0", "<depth>nan"), "expected a number, received 'nan'"),
        ("", "expected CSV whose first line"),
        ("when,how deep\n1,2\n", "received 'when,how deep'"),
        ("time,depth (ft)\n2026-05-01,2\n", "metres"),
        (TABLE.replace("temperature_c", "temp (F)"), "degrees Celsius"),
        (TABLE.replace("10.0", "ten"), "received 'ten'"),
        (TABLE + "2026-05-01T09:33:00Z\n", "line 5: expected 3 fields"),
        ("time,depth_m\n", "no dive with samples"),
    ],
)
def test_a_log_that_cannot_be_read_says_why_in_one_sentence(tmp_path, text, said):
    with pytest.raises(DiveLogError, match=r"log\.any: ") as caught:
        read(tmp_path, text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_text_too_big_or_not_there_is_refused(tmp_path, monkeypatch):
    with pytest.raises(DiveLogError, match="no such file"):
        DiveLog.read(tmp_path / "gone.ssrf")
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0" * 9)
    with pytest.raises(DiveLogError, match="neither XML nor CSV"):
        DiveLog.read(tmp_path / "photo.jpg")
    monkeypatch.setattr(divelog_module, "MAX_BYTES", 20)
    with pytest.raises(DiveLogError, match="no dive log"):
        DiveLog.read(tmp_path / "photo.jpg")


def test_frames_and_sightings_carry_depth_and_temperature(tmp_path, engine):
    clip = write_clip(tmp_path / "a.mp4", frames=30, rate=10, metadata={"creation_time": "2026-05-01T09:30:57Z"})
    run = process(clip, tmp_path / "out", engine, ProcessOptions(divelog=read(tmp_path, SUBSURFACE, offset_s=0.0)))

    def lines(name):
        with (run.folder / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    frames = lines("frames.csv")
    assert (frames[0]["depth_m"], frames[0]["temperature_c"]) == ("9.50", "24.00")
    assert frames[-1]["depth_m"] == "9.98"
    first = lines("sightings.csv")[0]
    assert float(first["min_depth_m"]) <= float(first["depth_m"]) <= float(first["max_depth_m"])
    assert first["temperature_c"] == "24.00"


@given(
    st.lists(st.integers(0, 3000), min_size=1, max_size=12, unique=True),
    st.lists(st.one_of(st.none(), st.integers(-10, 3010)), min_size=1),
)
def test_a_moment_is_covered_when_its_depth_is_known(samples, asked):
    seconds = np.array(sorted(samples), float)
    profile = Profile(START, seconds, seconds, seconds)
    moments = [None if second is None else START + timedelta(seconds=second) for second in asked]
    stamps = np.array([moment and moment.replace(tzinfo=None) for moment in moments], "datetime64[us]")
    known = [profile.at(moment).depth_m is not None for moment in moments]
    assert profile.covers(stamps).tolist() == known


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
