"""Media time of a file never goes back, and is the stamp wherever that can be believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.fileclock import FileClock


def times(stamps, interval_s=0.04):
    clock = FileClock(interval_s)
    return [clock.step(stamp) for stamp in stamps], clock


def test_stamps_that_go_forward_are_believed_whatever_their_steps():
    stamps = [-0.1, 0.0, 0.04, 0.04, 5.0, 3600.0]
    found, clock = times(stamps)
    assert found == stamps
    assert (clock.guessed, clock.restarts) == (0, 0)


def test_a_frame_without_a_stamp_follows_after_one_interval():
    found, clock = times([0.0, None, None, 0.12])
    assert found == pytest.approx([0.0, 0.04, 0.08, 0.12])
    assert clock.guessed == 2


def test_without_any_stamp_frames_are_one_interval_apart():
    assert times([None] * 3)[0] == pytest.approx([0.0, 0.04, 0.08])


def test_a_recording_that_was_appended_goes_on_after_the_one_before():
    found, clock = times([0.0, 1.0, 2.0, 0.0, 1.0, 2.0, 0.5, 1.5])
    assert found == pytest.approx([0.0, 1.0, 2.0, 2.04, 3.04, 4.04, 4.08, 5.08])
    assert clock.restarts == 2


def test_a_frame_in_disorder_waits_and_moves_nothing_after_it():
    found, clock = times([0.0, 0.08, 0.04, 0.12])
    assert found == [0.0, 0.08, 0.08, 0.12]
    assert (clock.guessed, clock.restarts) == (1, 0)


def test_a_guess_that_ran_ahead_moves_nothing_after_it():
    assert times([0.0, None, 0.03, 0.06])[0] == pytest.approx([0.0, 0.04, 0.04, 0.06])


def test_stamps_that_begin_late_begin_where_the_frames_without_one_end():
    assert times([None, None, 0.0, 0.04])[0] == pytest.approx([0.0, 0.04, 0.08, 0.12])


@given(st.lists(st.one_of(st.none(), st.floats(-1e5, 1e5)), max_size=40))
def test_time_never_goes_back(stamps):
    found, _ = times(stamps)
    assert found == sorted(found)
