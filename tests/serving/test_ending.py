"""serving/ending.py: one deadline for all parts of a stop, counted from its first signal."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from realtime.live import LiveRunner
from server import ServerSettings, create_app
from serving import ending
from serving.logbook import Logbook
from serving.watchdog import Watchdog

PROMISED_S = 3.0


def test_what_one_part_takes_is_not_there_for_the_next_and_a_second_signal_changes_nothing() -> None:
    now = [100.0]
    stop = ending.Ending(lambda: now[0])
    stop.begin()
    now[0] += 1.0
    stop.begin()
    assert stop.left_s(ending.VIEWERS_BY_S) == 0.0
    assert stop.left_s(ending.WRITTEN_BY_S) == pytest.approx(ending.WRITTEN_BY_S - 1.0)
    now[0] += 60.0
    assert stop.left_s(ending.OVER_BY_S) == 0.0


def test_who_hears_of_it_first_begins_it() -> None:
    now = [100.0]
    stop = ending.Ending(lambda: now[0])
    assert stop.left_s(1.0) == 1.0
    now[0] += 0.25
    assert stop.left_s(1.0) == 0.75


def test_parts_that_all_take_as_long_as_they_may_end_within_what_is_promised(
    toy_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they are given in a row is counted, not the time it takes: on a busy machine the later ones get less."""
    given: list[tuple[str, float]] = []

    def slow(part: Any, name: str) -> None:
        real = part.stop

        def stop(self: object, timeout: float) -> object:
            given.append((name, timeout))
            threading.Event().wait(timeout)  # it hangs for as long as it is waited for
            return real(self, timeout)

        monkeypatch.setattr(part, "stop", stop)

    for part, name in ((LiveRunner, "runner"), (Logbook, "logbook"), (Watchdog, "watchdog")):
        slow(part, name)

    async def run() -> None:
        app = create_app(ServerSettings(model=toy_model, provider="cpu"))
        async with app.router.lifespan_context(app):
            app.state.ending.begin()

    asyncio.run(run())
    assert [name for name, _ in given] == ["runner", "logbook", "watchdog"]
    assert sum(seconds for _, seconds in given) < PROMISED_S
    assert max(ending.VIEWERS_BY_S, ending.PARTS_BY_S, ending.ANSWERS_BY_S) < ending.WRITTEN_BY_S < ending.OVER_BY_S
    assert ending.OVER_BY_S < PROMISED_S
