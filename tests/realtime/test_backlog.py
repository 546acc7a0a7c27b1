"""realtime/backlog.py: simulated streams, with a reader that is quick, slow, or behind a bad network."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from realtime.backlog import BEHIND_S, Backlog

RATE = 30.0


def watch(
    seconds: float, decode_s: float, network_s: Callable[[float], float] = lambda sent_s: 0.0, gop: int = 30
) -> tuple[list[float], int]:
    """Reads a simulated stream as a camera's thread does; the age of each decoded packet, and how many were let go.

    network_s: what the network adds to a packet sent at a moment. Waiting packets are read at once.
    """
    backlog, now_s, ages, dropped = Backlog(), 0.0, [], 0
    for number in range(int(seconds * RATE)):
        sent_s = number / RATE
        arrived_s = sent_s + network_s(sent_s)
        waited_s = max(0.0, arrived_s - now_s)
        now_s = max(now_s, arrived_s)
        behind = backlog.step(1000.0 + sent_s, now_s, waited_s)
        ages.append(now_s - sent_s)
        if behind and number % gop:
            dropped += 1
            now_s += 1e-4  # taken off the wire, not decoded
        else:
            now_s += decode_s
    return ages, dropped


def test_a_reader_that_keeps_up_drops_nothing() -> None:
    ages, dropped = watch(120.0, decode_s=0.02)
    assert dropped == 0
    assert max(ages) < 0.01


@pytest.mark.parametrize("decode_s", [0.036, 0.05, 0.1, 0.4])
def test_a_reader_that_is_too_slow_stays_near_the_present(decode_s: float) -> None:
    ages, dropped = watch(120.0, decode_s)
    assert dropped > 0
    # A key frame is always decoded, so what it costs comes on top.
    assert max(ages) < BEHIND_S + 3 * decode_s
    assert len(ages) - dropped > 0.5 * 120.0 / max(decode_s, 1.0 / RATE) * (1.0 if decode_s < 0.1 else 0.5)


def test_what_a_network_held_up_is_let_go_at_once() -> None:
    ages, dropped = watch(30.0, 0.02, lambda sent_s: max(0.0, 13.0 - sent_s) if sent_s > 10.0 else 0.0)
    assert 30 < dropped < 100
    assert max(ages[int(14.5 * RATE) :]) < BEHIND_S


def test_a_network_that_stays_slower_becomes_the_measure() -> None:
    ages, dropped = watch(30.0, 0.02, lambda sent_s: 2.0 if sent_s > 10.0 else 0.0)
    assert dropped < 150  # five seconds of key frames only, once
    assert max(ages) < 2.1


def test_a_burst_on_connecting_is_no_delay() -> None:
    # A camera sends what it kept since its last key frame at once, then goes on.
    _, dropped = watch(10.0, 0.02, lambda sent_s: max(0.0, 0.9 - sent_s))
    assert dropped == 0


def test_a_clock_that_drifts_or_is_set_is_no_delay() -> None:
    backlog = Backlog()
    for number in range(int(600 * RATE)):
        now_s = number / RATE
        # 200 parts in a million, and a decoder that leaves hardly any time to wait
        assert not backlog.step(now_s * 0.9998, now_s, 0.25 / RATE)
    for number in range(100):
        now_s = 600.0 + number / RATE
        assert not backlog.step(now_s - 500.0, now_s, 0.25 / RATE)


def test_packets_without_stamps_change_nothing() -> None:
    backlog = Backlog()
    assert not any(backlog.step(None, number / RATE, 0.0) for number in range(100))
