"""Stable labels become intervals with a best frame."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from realtime.frames import FrameResult, StableLabel
from realtime.sightings import SightingTracker

START = datetime(2026, 5, 1, 9, 0, tzinfo=UTC)


def result(
    index: int, media_s: float, label: int | None, probability: float = 0.8, *, off_s: float = 0.0
) -> FrameResult:
    probabilities = np.full(3, (1 - probability) / 2, np.float32)
    probabilities[label if label is not None else 0] = probability
    return FrameResult(
        source="clip",
        index=index,
        media_s=media_s,
        utc=START + timedelta(seconds=media_s + off_s),
        utc_source="start",
        captured_s=None,
        size_hw=(4, 4),
        probabilities=probabilities,
        unknown=0.1,
        cam=np.zeros((2, 2), np.uint8),
        explained=0,
        stable=StableLabel(label, probability, 0.0),
    )


def track(*results: FrameResult):
    tracker = SightingTracker()
    ended = [sighting for item in results if (sighting := tracker.step(item))]
    last = tracker.finish()
    assert tracker.finish() is None
    return [*ended, last] if last else ended


def test_a_stretch_of_one_label_is_one_sighting_with_its_peak_and_mean():
    (found,) = track(result(0, 0.0, 1, 0.6), result(1, 0.5, 1, 0.9), result(2, 1.0, 1, 0.75))
    assert (found.label_index, found.start_s, found.end_s, found.frames) == (1, 0.0, 1.0, 3)
    assert (found.peak_frame, found.peak_s) == (1, 0.5)
    assert found.peak_probability == pytest.approx(0.9)
    assert found.mean_probability == pytest.approx(0.75)
    assert (found.start_utc, found.end_utc) == (START, START + timedelta(seconds=1))


def test_another_label_ends_it():
    assert [s.label_index for s in track(result(0, 0, 1), result(1, 1, 2), result(2, 2, 1))] == [1, 2, 1]


def test_a_short_loss_is_bridged_and_not_counted():
    (found,) = track(result(0, 0.0, 1), result(1, 1.0, None), result(2, 1.9, 1))
    assert (found.start_s, found.end_s, found.frames) == (0.0, 1.9, 2)


def test_a_long_loss_ends_it_at_the_last_frame_seen():
    first, second = track(result(0, 0.0, 1), result(1, 1.5, None), result(2, 2.5, None), result(3, 3.0, 1))
    assert (first.end_s, second.start_s) == (0.0, 3.0)


def test_nothing_known_is_no_sighting():
    assert track(result(0, 0.0, None), result(1, 1.0, None)) == []


def test_a_step_back_in_time_ends_it():
    assert len(track(result(0, 5.0, 1), result(1, 1.0, 1))) == 2


def test_a_camera_that_was_off_for_an_hour_ends_it_though_media_time_runs_on():
    first, second = track(result(0, 0.0, 1, 0.9), result(1, 0.5, 1, 0.6), result(2, 1.0, 1, off_s=3600.0))
    assert (first.end_s, second.start_s) == (0.5, 1.0)
    assert (first.end_utc, second.start_utc) == (START + timedelta(seconds=0.5), START + timedelta(seconds=3601))
    assert (first.peak_utc, second.peak_utc) == (START, START + timedelta(seconds=3601))


def test_a_clock_that_is_lost_after_a_gap_of_unknown_length_ends_it():
    first, second = track(result(0, 0.0, 1), replace(result(1, 0.5, 1), utc=None), replace(result(2, 1.0, 1), utc=None))
    assert (first.frames, second.frames, second.peak_utc) == (1, 2, None)


def test_the_clock_of_a_camera_may_be_set_while_it_is_seen():
    live = [replace(result(k, k * 0.5, 1, off_s=60.0 * k), captured_s=k * 0.5) for k in range(3)]
    (found,) = track(*live)
    assert found.frames == 3


def test_the_open_sighting_can_be_looked_at():
    tracker = SightingTracker()
    assert tracker.current is None
    tracker.step(result(0, 0.0, 2))
    assert tracker.current is not None
    assert tracker.current.label_index == 2
