from __future__ import annotations

import pytest

from dives.writers.base import score, seconds


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.000000"), (-0.0, "0.000000"), (-1e-9, "0.000000"), (-0.04, "-0.040000"), (1 / 30, "0.033333")],
)
def test_media_time_has_six_decimals_and_no_negative_zero(value, text):
    assert seconds(value) == text


def test_an_hour_is_not_written_as_a_power_of_ten():
    assert seconds(100_000.5) == "100000.500000"
    assert score(1e-7) == "0.000000"
