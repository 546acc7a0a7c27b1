"""serving/refusals.py: what was refused is counted, and told once a minute."""

from __future__ import annotations

import logging

import pytest

from serving.refusals import OF_EVERY_S, Refusals


def test_each_is_counted_and_the_log_has_a_line_a_minute_for_each_cause(caplog: pytest.LogCaptureFixture) -> None:
    now = [100.0]
    refusals = Refusals(lambda: now[0])
    with caplog.at_level(logging.WARNING):
        for number in range(1000):
            refusals.add("token", f"10.0.0.{number % 250}")
        refusals.add("viewers")
        assert len(caplog.messages) == 2
        assert "10.0.0.0" in caplog.messages[0]
        now[0] += OF_EVERY_S
        refusals.add("token", "10.0.0.7")
    assert caplog.messages[-1] == (
        "refused 1000 since this was last told: a token that is none of this server's, the last by 10.0.0.7"
    )
    assert refusals.counts()["token"] == 1001
    assert refusals.counts()["viewers"] == 1
    assert refusals.counts()["crowd"] == 0
