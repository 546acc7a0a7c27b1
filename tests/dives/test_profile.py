"""What a dive's profile says of a moment, and that nothing is made up where it says nothing."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from dive_logs import START, SUBSURFACE, TABLE, at, read
from hypothesis import given
from hypothesis import strategies as st

from dives.profile import UNKNOWN, Profile


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
