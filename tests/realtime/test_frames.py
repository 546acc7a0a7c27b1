"""The values that cross boundaries."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from realtime.frames import FrameResult, StableLabel, cam_to_uint8, iso_utc


def test_a_map_becomes_bytes_and_what_is_beyond_the_scale_is_full():
    cam = np.array([[0.0, 0.5], [1.0, 7.0], [np.nan, -1.0], [np.inf, 0.002]], np.float32)
    assert cam_to_uint8(cam).tolist() == [[0, 128], [255, 255], [0, 0], [255, 1]]


def test_utc_is_written_with_z_and_a_naive_time_is_refused():
    assert iso_utc(None) == ""
    assert iso_utc(datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)) == "2026-01-02T03:04:05.678Z"
    assert iso_utc(datetime(2026, 1, 2, 3, 0, tzinfo=timezone(timedelta(hours=3)))) == "2026-01-02T00:00:00.000Z"
    with pytest.raises(ValueError, match="zone"):
        iso_utc(datetime(2026, 1, 2))  # noqa: DTZ001 - the point of the test


def test_top_orders_by_probability_and_ties_by_class():
    probabilities = np.array([0.2, 0.3, 0.2, 0.3], np.float32)
    stable = StableLabel(None, 0.3, 0.0)
    result = FrameResult("a", 0, 0.0, None, "", None, (1, 1), probabilities, 0.7, np.zeros((2, 2), np.uint8), 1, stable)
    assert [index for index, _ in result.top(3)] == [1, 3, 0]
    assert len(result.top(9)) == 4
