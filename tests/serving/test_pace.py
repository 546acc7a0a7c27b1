"""serving/pace.py: what is quick is let through, what is too quick is not."""

from __future__ import annotations

from serving.pace import BURST, MESSAGES_PER_S, Pace


def test_a_burst_passes_and_then_only_as_many_as_time_allows() -> None:
    now = [0.0]
    pace = Pace(lambda: now[0])
    assert all(pace.take() for _ in range(int(BURST)))
    assert not pace.take()
    now[0] += 3.0 / MESSAGES_PER_S
    assert [pace.take() for _ in range(5)] == [True, True, True, False, False]
    now[0] += 3600.0
    assert sum(pace.take() for _ in range(2 * int(BURST))) == BURST


def test_the_fastest_camera_is_never_too_fast() -> None:
    now = [0.0]
    pace = Pace(lambda: now[0])
    for _ in range(10_000):
        now[0] += 1.0 / 240.0
        assert pace.take()
