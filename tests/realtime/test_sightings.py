"""Stable labels become intervals with a best frame."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from realtime.frames import FrameResult, StableLabel
from realtime.sightings import SightingTracker

START = datetime(2026, 5, 1, 9, 0, tzinfo=UTC)


def result(index: int, media_s: float, label: int | None, probability: float = 0.8) -> FrameResult:
    probabilities = np.full(3, (1 - probability) / 2, np.float32)
    probabilities[label if label is not None else 0] = probability
    return FrameResult(
        source="clip",
        index=index,
        media_s=media_s,
        utc=START + timedelta(seconds=media_s),
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


def test_the_open_sighting_can_be_looked_at():
    tracker = SightingTracker()
    assert tracker.current is None
    tracker.step(result(0, 0.0, 2))
    assert tracker.current is not None
    assert tracker.current.label_index == 2
