"""serving/share.py: so many at a time, and nobody takes all of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from serving.access import is_loopback
from serving.share import Share

PEOPLE = [f"10.0.0.{number}" for number in range(4)]


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(PEOPLE)), max_size=60))
def test_there_are_never_more_than_the_most_in_all_and_of_one(steps: list[tuple[bool, str]]) -> None:
    share, held = Share(5, 3), dict.fromkeys(PEOPLE, 0)
    for takes, who in steps:
        if takes:
            fits = sum(held.values()) < 5 and held[who] < 3
            assert share.take(who) is fits
            held[who] += fits
        elif held[who]:
            share.give(who)
            held[who] -= 1
        assert share.now == sum(held.values())


def test_one_address_may_have_all_where_nothing_else_is_said_and_a_network_of_ipv6_is_one() -> None:
    share = Share(3)
    assert [share.take("10.0.0.7") for _ in range(4)] == [True, True, True, False]
    network = Share(4, 2)
    assert [network.take(f"2001:db8::{last}") for last in range(3)] == [True, True, False]
    assert network.take("2001:db8:0:1::1")


def test_a_proxy_has_as_many_as_there_are_and_who_comes_past_it_does_not() -> None:
    share = Share(4, 2, for_many=is_loopback)
    assert [share.take("192.0.2.7") for _ in range(3)] == [True, True, False]
    assert [share.take("127.0.0.1") for _ in range(3)] == [True, True, False]
    share.give("127.0.0.1")
    assert not share.take("192.0.2.7")
    assert share.take("192.0.2.8")
    share.give("192.0.2.7")
    assert share.take("192.0.2.7")
