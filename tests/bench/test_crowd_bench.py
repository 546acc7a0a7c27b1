"""bench/crowd.py's comparison: a machine that slows down is not taken for what the crowd costs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))

import crowd


def line(engine: float, **more: Any) -> dict[str, Any]:
    """Of one window."""
    usual = {"rates": [1.0, 1.0, engine], "ages_ms": [90.0, 140.0, 180.0], "health_ms": [4.0, 20.0], "mb": 240.0}
    return usual | {"engine": [engine, engine], "most": 4, "thrown_out": 0, "impolite": []} | more


def test_each_minute_is_compared_with_what_was_just_before_and_after_it() -> None:
    alone = [line(10.0), line(6.0), line(4.0)]  # somebody else takes the machine meanwhile
    rounds = [[line(7.2), line(8.0)], [line(4.5)]]
    first, *others = crowd.compared(alone, rounds)
    assert first.endswith("0.90 1.00 0.90; median 0.90")
    assert others[0] == "results/s of a source: 10.0 6.0 4.0 alone; 7.2 8.0 4.5 in the crowd"


def test_what_breaks_a_promise_is_named() -> None:
    assert crowd.broken([line(5.0), line(5.0)], places=4) == []
    told = crowd.broken([line(5.0), line(5.0, most=5, thrown_out=2, impolite=["500 {} b''"], mb=261.0)], places=4)
    assert told == [
        "turned away with 500 {} b''",
        "5 were in at a time, places: 4",
        "2 were thrown out",
        "the server grew by 21 MB",
    ]
