"""serving/attempts.py: guessing gets slow, and its memory stays small."""

from __future__ import annotations

from serving.attempts import FORGOTTEN_S, FREE, LONGEST_WAIT_S, MOST, Attempts


def test_a_few_mistakes_are_free_and_then_each_costs_twice_the_wait() -> None:
    now = [100.0]
    attempts = Attempts(lambda: now[0])
    waits = []
    for _ in range(FREE + 8):
        attempts.wrong("10.0.0.7")
        waits.append(attempts.wait_s("10.0.0.7"))
        now[0] += waits[-1]
        assert attempts.wait_s("10.0.0.7") == 0.0
    assert waits == [0.0] * (FREE - 1) + [
        1.0,
        2.0,
        4.0,
        8.0,
        16.0,
        32.0,
        LONGEST_WAIT_S,
        LONGEST_WAIT_S,
        LONGEST_WAIT_S,
    ]
    now[0] += FORGOTTEN_S + 1
    attempts.wrong("10.0.0.7")
    assert attempts.wait_s("10.0.0.7") == 0.0


def test_each_address_waits_for_itself_and_a_network_of_ipv6_is_one() -> None:
    attempts = Attempts(lambda: 0.0)
    for last in range(FREE):
        attempts.wrong(f"2001:db8::{last + 1}")
    assert attempts.wait_s("2001:db8::ffff:1") > 0.0
    assert attempts.wait_s("2001:db8:0:1::1") == attempts.wait_s("10.0.0.7") == 0.0
    for _ in range(FREE):
        attempts.wrong("::ffff:10.0.0.7")
    assert attempts.wait_s("10.0.0.7") > 0.0


def test_ten_thousand_addresses_are_not_all_remembered_and_the_latest_are() -> None:
    attempts = Attempts(lambda: 0.0)
    for number in range(10_000):
        for _ in range(FREE if number == 9_999 else 1):
            attempts.wrong(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(attempts) == MOST
    assert attempts.wait_s("10.0.39.15") > 0.0


def test_an_address_that_is_none_is_one_like_any_other() -> None:
    attempts = Attempts(lambda: 0.0)
    for text in ("", "unix:/run/x", "testclient", "fe80::1%eth0", "fe80::2%eth0"):
        attempts.wrong(text)
    assert len(attempts) == 2
