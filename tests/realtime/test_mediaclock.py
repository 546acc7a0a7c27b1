"""Media time that goes forward whatever a camera's stamps do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.mediaclock import TICK_S, TOLERANCE_S, MediaClock

STAMPS = st.one_of(st.none(), st.floats(-1e5, 1e5), st.integers(0, 100).map(lambda k: k / 25))


@given(st.lists(st.tuples(STAMPS, st.floats(0.0, 10.0)), min_size=1, max_size=80))
def test_time_goes_forward_and_stays_beside_the_clock(steps):
    """Whatever the stamps are; a tick per frame is all that it can be ahead beyond the tolerance."""
    clock, now_s, before_s = MediaClock(), 50.0, None
    for k, (stamp_s, gap_s) in enumerate(steps):
        now_s += gap_s if k else 0.0
        media_s = clock.step(stamp_s, now_s)
        assert before_s is None or media_s > before_s
        assert abs(media_s - (now_s - 50.0)) <= TOLERANCE_S + 1e-6 + len(steps) * TICK_S
        before_s = media_s


def run(*pairs):
    clock = MediaClock()
    return [round(clock.step(stamp_s, captured_s), 3) for stamp_s, captured_s in pairs]


def test_good_stamps_lead_although_frames_arrive_unevenly():
    assert run((7.0, 100.0), (7.04, 100.3), (7.08, 100.31), (7.12, 100.32)) == [0.0, 0.04, 0.08, 0.12]


def test_stamps_that_begin_anew_go_on_by_the_clock():
    assert run((7.0, 100.0), (8.0, 101.0), (0.0, 104.0), (0.5, 104.5)) == [0.0, 1.0, 4.0, 4.5]


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0])
def test_stamps_that_jump_go_on_by_the_clock(jump_s):
    assert run((7.0, 100.0), (8.0, 101.0), (9.0 + jump_s, 102.0), (10.0 + jump_s, 103.0)) == [0.0, 1.0, 2.0, 3.0]


def test_without_stamps_the_clock_is_the_time():
    assert run((None, 100.0), (None, 100.2), (0.0, 100.4), (0.04, 100.5)) == [0.0, 0.2, 0.4, 0.44]


def test_stamps_that_stand_still_go_on_by_the_clock():
    assert run((7.0, 100.0), (7.0, 100.2), (7.0, 100.4)) == [0.0, 0.2, 0.4]
