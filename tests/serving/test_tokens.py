"""serving/tokens.py: what is a token, whose it is, and what a cookie is worth."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.errors import SettingsError
from serving.roles import Role
from serving.tokens import LIFE_S, Tokens, new_token

OPERATE, VIEW = "operate-0123456789", "view-0123456789abc"
TOKENS = Tokens(OPERATE, VIEW)
NOW_S = 1_800_000_000.0


def test_each_token_has_its_role_and_nothing_else_has_one() -> None:
    assert (TOKENS.role_of(OPERATE), TOKENS.role_of(VIEW)) == (Role.OPERATE, Role.VIEW)
    for wrong in ("", OPERATE[:-1], OPERATE + " ", OPERATE.upper(), "None", "şifre", "\ud800", "\0" * 18):
        assert TOKENS.role_of(wrong) is Role.NOBODY
    assert Tokens(OPERATE).role_of("") is Role.NOBODY


def test_a_cookie_is_good_for_its_role_and_its_time() -> None:
    for role in (Role.VIEW, Role.OPERATE):
        cookie = TOKENS.cookie(role, NOW_S)
        assert TOKENS.role_of_cookie(cookie, NOW_S + 5.0) == (role, LIFE_S - 5.0)
        assert TOKENS.role_of_cookie(cookie, NOW_S + LIFE_S)[0] is Role.NOBODY
        assert OPERATE not in cookie
        assert VIEW not in cookie


def test_a_cookie_that_was_changed_or_is_of_another_token_is_worth_nothing() -> None:
    mine = TOKENS.cookie(Role.VIEW, NOW_S)
    _, until, signature = mine.split(".")
    for forged in (
        f"operate.{until}.{signature}",
        f"view.{int(until) + 1}.{signature}",
        f"view.{until}.{signature[:-1]}",
        f"view.{until}.",
        f"view.٣.{signature}",
        f"view.{until}.{signature}é",
        Tokens("another-0123456789", VIEW).cookie(Role.OPERATE, NOW_S),
    ):
        assert TOKENS.role_of_cookie(forged, NOW_S) == (Role.NOBODY, 0.0)
    assert Tokens(OPERATE).role_of_cookie(mine, NOW_S)[0] is Role.NOBODY  # there is no view token any more


@given(st.text(max_size=60))
def test_any_cookie_is_read_or_refused(text: str) -> None:
    assert TOKENS.role_of_cookie(text, NOW_S) == (Role.NOBODY, 0.0)


@pytest.mark.parametrize(
    "bad", ["", "short", "x" * 129, "with spaces in it 123", "şifreşifreşifreşifre", "a" * 20 + "\n"]
)
def test_what_is_no_token_is_refused_without_repeating_it(bad: str) -> None:
    with pytest.raises(SettingsError, match=r"^--token: expected 16 to 128 letters") as caught:
        Tokens(bad)
    assert not bad or bad not in str(caught.value)
    with pytest.raises(SettingsError, match=r"^--view-token: expected"):
        Tokens(OPERATE, bad)


def test_two_tokens_must_differ_and_neither_is_shown() -> None:
    with pytest.raises(SettingsError, match="two that differ"):
        Tokens(OPERATE, OPERATE)
    assert OPERATE not in repr(TOKENS)
    assert VIEW not in repr(TOKENS)


def test_a_made_token_is_a_token_and_never_the_same() -> None:
    made = {new_token() for _ in range(100)}
    assert len(made) == 100
    assert all(Tokens(token).operate == token for token in made)
