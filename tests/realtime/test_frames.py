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


def test_a_result_can_be_turned_to_any_map_it_carries():
    probabilities, stable = np.array([0.2, 0.7, 0.1], np.float32), StableLabel(1, 0.7, 0.0)
    maps = {choice: np.full((2, 2), choice + 1, np.uint8) for choice in (-1, 0)}
    result = FrameResult("a", 0, 0.0, None, "", None, (1, 1), probabilities, 0.3, maps[-1], 1, stable, maps)
    turned = result.explaining(0)
    assert (turned.explained, int(turned.cam[0, 0])) == (0, 1)
    assert turned.top(3) == result.top(3)
    assert result.explaining(2, 0).explained == 0  # the first that there is
    assert turned.explaining(2) is turned  # nothing else to show
    assert turned.explaining(1).cam is maps[-1]  # the most probable under its own name
    assert turned.explaining(-1).cam is maps[-1]
