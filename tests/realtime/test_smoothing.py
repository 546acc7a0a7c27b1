"""One label that does not flicker, whatever the frame rate."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.contract import ModelContract, Provenance, Thresholds
from realtime.smoothing import FORGET_S, Smoother

CONTRACT = ModelContract(("Fish", "Octopus", "Turtle"), 32, Thresholds(0.6, 0.4), Provenance("toy", "00"))


def scores(index: int, probability: float) -> np.ndarray:
    rest = (1 - probability) / 2
    return np.array([probability if i == index else rest for i in range(3)], np.float32)


def run(sequence, rate=25.0):
    smoother = Smoother(CONTRACT)
    return [smoother.step(k / rate, p, float(1 - p.max())) for k, p in enumerate(sequence)]


def test_a_confident_label_is_shown_with_the_time_it_began():
    labels = run([scores(1, 0.9)] * 10)
    assert {label.index for label in labels} == {1}
    assert {label.since_s for label in labels} == {0.0}


def test_below_the_threshold_the_answer_is_nothing_i_know():
    assert {label.index for label in run([scores(1, 0.55)] * 50)} == {None}


def test_one_odd_frame_does_not_change_the_label():
    labels = run([scores(0, 0.9)] * 20 + [scores(2, 0.99)] + [scores(0, 0.9)] * 20)
    assert {label.index for label in labels} == {0}


def test_a_shown_label_outlives_a_dip_that_would_not_have_let_it_in():
    labels = run([scores(0, 0.8)] * 25 + [scores(0, 0.55)] * 100)
    assert {label.index for label in labels} == {0}


def test_a_shown_label_goes_when_it_falls_clearly_below_the_threshold():
    labels = run([scores(0, 0.8)] * 25 + [scores(0, 0.45)] * 100)
    assert labels[-1].index is None


def test_a_new_animal_takes_over_after_about_the_time_constant_and_says_since_when():
    labels = run([scores(0, 0.95)] * 50 + [scores(2, 0.95)] * 50)
    first = next(k for k, label in enumerate(labels) if label.index == 2)
    assert 0.2 < (first - 50) / 25 < 1.0
    assert labels[-1].since_s == first / 25


def test_the_answer_depends_on_media_time_and_not_on_the_frame_rate():
    def takeover_s(rate):
        steps = int(2 * rate)
        labels = run([scores(0, 0.95)] * steps + [scores(2, 0.95)] * steps, rate)
        return next(k for k, label in enumerate(labels) if label.index == 2) / rate

    assert takeover_s(10.0) == pytest.approx(takeover_s(120.0), abs=0.11)


@pytest.mark.parametrize("jump_s", [FORGET_S + 1, -0.5])
def test_a_long_gap_or_a_step_back_starts_afresh(jump_s):
    smoother = Smoother(CONTRACT)
    smoother.step(10.0, scores(0, 0.99), 0.01)
    after = smoother.step(10.0 + jump_s, scores(2, 0.9), 0.1)
    assert (after.index, after.since_s) == (2, 10.0 + jump_s)


def test_after_a_pause_of_the_camera_it_starts_afresh_though_media_time_runs_on():
    smoother, began = Smoother(CONTRACT), datetime(2026, 5, 1, tzinfo=UTC)
    smoother.step(10.0, scores(0, 0.99), 0.01, began)
    assert smoother.step(10.1, scores(2, 0.9), 0.1, began + timedelta(seconds=0.1)).index == 0
    after = smoother.step(10.2, scores(2, 0.9), 0.1, began + timedelta(hours=1))
    assert (after.index, after.since_s) == (2, 10.2)


def test_a_foreign_frame_does_not_bring_a_label_in():
    label = Smoother(CONTRACT).step(0.0, scores(0, 0.9), unknown=0.9)
    assert label.index is None


@pytest.mark.parametrize(("unknown", "index"), [(0.45, 0), (0.55, None)])
def test_a_shown_label_outlives_a_foreign_look_only_if_it_is_slight(unknown, index):
    smoother = Smoother(CONTRACT)
    for k in range(100):
        label = smoother.step(k / 25, scores(0, 0.95), 0.1 if k < 25 else unknown)
    assert label.index == index


@given(st.lists(st.tuples(st.floats(0, 6), st.lists(st.floats(0, 1), min_size=3, max_size=3)), min_size=1, max_size=40))
def test_what_is_shown_stays_within_what_went_in(steps):
    smoother, now, seen = Smoother(CONTRACT), 0.0, []
    for gap, values in steps:
        now += gap
        probabilities = np.array(values, np.float32)
        seen.append(probabilities)
        label = smoother.step(now, probabilities, 0.0)
        assert np.min(seen) - 1e-6 <= label.probability <= np.max(seen) + 1e-6
        assert label.since_s <= now


def test_a_class_without_an_animal_wins_like_any_other_and_is_no_label():
    contract = replace(CONTRACT, labels=("Fish", "none", "Turtle"))
    smoother = Smoother(contract)
    shown = [smoother.step(k / 25, p, 0.1) for k, p in enumerate([scores(0, 0.95)] * 50 + [scores(1, 0.95)] * 50)]
    assert (shown[49].index, shown[49].empty) == (0, False)
    assert (shown[-1].index, shown[-1].empty) == (None, True)
    assert shown[-1].probability > 0.9
    assert 2.0 < shown[-1].since_s < 3.0
    foreign = smoother.step(20.0, scores(1, 0.95), 0.9)
    assert (foreign.index, foreign.empty) == (None, False), "a picture like none that was learnt is nothing known"
