"""serving/asker.py: where a request comes from, and whom to believe about it."""

from __future__ import annotations

import pytest
from starlette.types import Scope

from serving.asker import asker, place


def scope(peer: str, *forwarded: str) -> Scope:
    headers = [(b"x-forwarded-for", each.encode()) for each in forwarded]
    return {"type": "http", "client": (peer, 4711), "headers": headers}


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("127.0.0.1", ["10.0.0.7"], "10.0.0.7"),
        ("::1", ["2001:db8::7"], "2001:db8::7"),
        ("127.0.0.1", ["1.2.3.4, 10.0.0.7"], "10.0.0.7"),  # what the client said stands before what the proxy added
        ("127.0.0.1", ["1.2.3.4", "10.0.0.7"], "10.0.0.7"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["10.0.0.7, unknown"], "127.0.0.1"),
        ("127.0.0.1", ["10.0.0.7,"], "127.0.0.1"),
        ("192.168.1.9", ["10.0.0.7"], "192.168.1.9"),  # whoever comes past the proxy says what he likes
    ],
)
def test_only_a_proxy_on_this_machine_is_believed_and_only_its_own_word(
    peer: str, forwarded: list[str], found: str
) -> None:
    assert asker(scope(peer, *forwarded), behind_proxy=True) == found
    assert asker(scope(peer, *forwarded), behind_proxy=False) == peer


def test_without_an_address_there_is_none() -> None:
    assert asker({"type": "http", "client": None, "headers": []}, behind_proxy=True) == ""


def test_an_ipv6_network_is_one_place_and_what_is_no_address_is_none() -> None:
    assert place("2001:db8::1") == place("2001:db8::ffff:1%eth0") != place("2001:db8:0:1::1")
    assert place("::ffff:10.0.0.7") == place("10.0.0.7") == "10.0.0.7"
    assert place("unix:/run/x") == place("") == ""
