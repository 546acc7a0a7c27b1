"""Logs of one dive in every format, from 09:30 on; Subsurface's has more of that day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from dives.divelog import DiveLog
from dives.profile import Conditions, Profile

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


def read(tmp_path: Path, text: str, **options: float) -> DiveLog:
    path = tmp_path / "log.any"
    path.write_text(text, encoding="utf-8-sig")
    return DiveLog.read(path, **options)


def at(profile: Profile, second: float) -> Conditions:
    return profile.at(START + timedelta(seconds=second))
