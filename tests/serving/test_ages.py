"""serving/ages.py: a histogram per source, and no series for strangers."""

from __future__ import annotations

from dataclasses import replace

from prometheus_client import CollectorRegistry
from seen import seen

from serving.ages import FrameAges


def test_ages_are_counted_from_capture_and_only_of_known_sources() -> None:
    registry = CollectorRegistry()
    ages = FrameAges(registry, ["reef"], clock=lambda: 0.2)
    _, result = seen(0, None)  # captured at 0.0
    ages.on_result(result)
    ages.on_result(replace(result, captured_s=None))
    ages.on_result(replace(result, source="~camera-1"))
    ages.on_result(replace(result, captured_s=0.3))  # a clock that is behind is no negative age
    assert registry.get_sample_value("reeflens_frame_age_seconds_count", {"source": "reef"}) == 2
    assert registry.get_sample_value("reeflens_frame_age_seconds_sum", {"source": "reef"}) == 0.2
    assert registry.get_sample_value("reeflens_frame_age_seconds_count", {"source": "~camera-1"}) is None
