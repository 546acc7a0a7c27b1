"""What was joined of a dive log stays beside the results, to the last digit."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from dives.divelog import DiveLog, LoggedDive
from dives.joined_log import NAME, is_kept, keep_log, kept_log
from dives.profile import Profile
from realtime.errors import ResultsError

START = datetime(2026, 5, 1, 9, 30, 0, 250_000, tzinfo=UTC)
JOINED = {"name": "log.ssrf", "dive": 2, "dives": 3, "offset_s": -20.0, "frames": 7}


def logged() -> LoggedDive:
    seconds = np.array([0.0, 10.0, 20.5])
    depths, celsius = np.array([0.1 + 0.2, 12.0, 3.7]), np.array([24.0, np.nan, 1 / 3])
    return LoggedDive("log.ssrf", 2, 3, Profile(START, seconds, depths, celsius), -20.0)


def test_it_is_read_as_it_was_joined(tmp_path):
    keep_log(tmp_path, logged())
    kept = kept_log(tmp_path, JOINED)
    assert (kept.log, kept.number, kept.of, kept.offset_s) == ("log.ssrf", 2, 3, -20.0)
    assert kept.profile.start_utc == START
    for column in ("seconds", "depth_m", "temperature_c"):
        assert np.array_equal(getattr(kept.profile, column), getattr(logged().profile, column), equal_nan=True)
    before = (tmp_path / NAME).read_bytes()
    keep_log(tmp_path, kept)
    assert (tmp_path / NAME).read_bytes() == before


def test_it_is_a_dive_log_itself(tmp_path):
    keep_log(tmp_path, logged())
    (profile,) = DiveLog.read(tmp_path / NAME).profiles
    assert (profile.first_utc, profile.zoned, profile.depth_m.tolist()) == (START, True, [0.1 + 0.2, 12.0, 3.7])


def test_it_is_known_whether_the_very_samples_are_there_whatever_the_log_is_called(tmp_path):
    assert is_kept(tmp_path, None)
    assert not is_kept(tmp_path, logged())
    keep_log(tmp_path, logged())
    profile = logged().profile
    assert is_kept(tmp_path, LoggedDive("renamed.csv", 1, 1, profile, 0.0))
    assert not is_kept(tmp_path, None)
    edited = Profile(profile.start_utc, profile.seconds, profile.depth_m + 1e-9, profile.temperature_c)
    assert not is_kept(tmp_path, LoggedDive("log.ssrf", 2, 3, edited, -20.0))


def test_none_is_kept_of_none(tmp_path):
    keep_log(tmp_path, logged())
    keep_log(tmp_path, None)
    assert list(tmp_path.iterdir()) == []
    assert kept_log(tmp_path, {}) is None


@pytest.mark.parametrize("text", [None, "", "time,depth_m\n2026,1\n", "time,depth_m,temperature_c\nnow,1,\n"])
def test_one_that_is_lost_or_no_table_is_asked_for_again(tmp_path, text):
    if text is not None:
        (tmp_path / NAME).write_text(text)
    with pytest.raises(ResultsError, match=r"log\.ssrf was joined .* give the log again"):
        kept_log(tmp_path, JOINED)
