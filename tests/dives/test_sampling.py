from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dives.sampling import Sampler


def chosen(every_s, times_s):
    sampler = Sampler(every_s)
    return [time_s for time_s in times_s if sampler.takes(time_s)]


def test_without_a_distance_every_frame_is_taken():
    assert chosen(None, [0.0, 0.0, 0.04]) == [0.0, 0.0, 0.04]


def test_the_first_frame_at_or_after_each_multiple_is_taken():
    assert chosen(1.0, [0.0, 0.4, 0.9, 1.3, 1.9, 2.0, 2.5, 3.01]) == [0.0, 1.3, 2.0, 3.01]


def test_a_late_frame_does_not_shift_the_ones_after_it():
    assert chosen(1.0, [0.0, 1.9, 2.0]) == [0.0, 1.9, 2.0]


def test_a_gap_over_several_multiples_gives_one_frame():
    assert chosen(1.0, [0.0, 5.5, 5.6, 6.0]) == [0.0, 5.5, 6.0]


@pytest.mark.parametrize("rate", [24, 25, 30, 60])
def test_rounding_never_delays_a_multiple_by_a_frame(rate):
    times_s = [index * (1 / rate) for index in range(10 * rate + 1)]
    assert chosen(1.0, times_s) == times_s[::rate]


def test_the_first_frame_is_taken_even_before_zero():
    assert chosen(10.0, [-0.04, -0.02, 0.0]) == [-0.04, 0.0]


@pytest.mark.parametrize("every_s", [0.0, -1.0, float("nan"), float("inf")])
def test_a_distance_without_meaning_is_refused(every_s):
    with pytest.raises(ValueError, match="every_s"):
        Sampler(every_s)


@given(
    st.floats(0.05, 20.0),
    st.lists(st.floats(0.001, 30.0), min_size=1, max_size=60),
)
def test_no_multiple_with_a_frame_is_missed_and_none_is_taken_twice(every_s, gaps_s):
    times_s, now_s = [0.0], 0.0
    for gap_s in gaps_s:
        now_s += gap_s
        times_s.append(now_s)
    bins = [int((time_s + 1e-6) // every_s) for time_s in times_s]
    taken = [int((time_s + 1e-6) // every_s) for time_s in chosen(every_s, times_s)]
    assert taken == sorted(set(bins))
