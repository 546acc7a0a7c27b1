"""serving/hush.py: the log is not others' to fill."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from running import running, text, turned_away

from serving.connections import log as uvicorns
from serving.hush import OF_EVERY_S, THEIRS, Hush


def test_others_mistakes_are_told_once_a_minute_and_our_own_always(caplog: pytest.LogCaptureFixture) -> None:
    now_s = 100.0
    log, hush = logging.getLogger("hushed"), Hush(lambda: now_s)
    log.addFilter(hush)
    for _ in range(3):
        for theirs in sorted(THEIRS):
            try:
                raise ValueError
            except ValueError:
                log.exception(theirs)
        log.error("ours")
    assert [record.message for record in caplog.records] == [*sorted(THEIRS), "ours", "ours", "ours"]
    assert {(record.levelname, record.exc_info) for record in caplog.records[:2]} == {("WARNING", None)}
    now_s += OF_EVERY_S
    log.error("Invalid HTTP request received.")
    assert caplog.messages[-1] == "Invalid HTTP request received."
    log.removeFilter(hush)


def test_a_viewer_who_is_turned_away_is_no_error(toy_model: Path, caplog: pytest.LogCaptureFixture) -> None:
    with running(toy_model, max_viewers=1) as server, server.watch() as first:
        assert text(first)["type"] == "hello"
        assert turned_away(server, "ws/live/scene")[0] == 503
    assert not [record for record in caplog.records if record.name == uvicorns.name and record.levelno >= logging.ERROR]
