"""Every format gives the same dive, and a file that cannot be read says why."""

from __future__ import annotations

from datetime import timedelta

import pytest
from dive_logs import GERMAN, START, SUBSURFACE, TABLE, UDDF, at, read

from dives import log_files
from dives.divelog import DiveLog
from dives.profile import Conditions
from realtime.errors import DiveLogError


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
    monkeypatch.setattr(log_files, "MAX_BYTES", 20)
    with pytest.raises(DiveLogError, match="no dive log"):
        DiveLog.read(tmp_path / "photo.jpg")
