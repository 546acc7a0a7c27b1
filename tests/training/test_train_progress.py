"""Progress is told to people on a terminal and to log files, each in its way."""

from __future__ import annotations

import io

from rich.console import Console

from training.progress import PlainLines, Silent, TerminalDisplay


def test_a_log_file_gets_the_lines_that_stay_and_a_sign_of_life_now_and_then() -> None:
    now = 0.0
    stream = io.StringIO()
    lines = PlainLines(stream, every_s=30.0, clock=lambda: now)
    lines.begin("reading", 100)
    lines.advance(10)
    now = 31.0
    lines.advance(10, "all is well")
    lines.advance(10)
    lines.say("read")
    assert stream.getvalue().splitlines() == ["reading: 20 of 100  all is well  0:04:08 left", "read"]


def test_a_log_file_is_told_the_time_left_reckoned_without_what_was_done_before() -> None:
    now = 0.0
    stream = io.StringIO()
    lines = PlainLines(stream, every_s=30.0, clock=lambda: now)
    lines.begin("classifying", 10_000)
    lines.advance(5_000, "resumed")
    now = 40.0
    lines.advance(100, "2.5/s")
    lines.begin("reading", 0)  # nobody knows how many
    lines.advance(1)
    now = 80.0
    lines.advance(1)
    assert stream.getvalue().splitlines() == ["classifying: 5100 of 10000  2.5/s  0:32:40 left", "reading: 2"]


def test_a_terminal_shows_a_bar_and_keeps_lines_above_it() -> None:
    stream = io.StringIO()
    with TerminalDisplay(Console(file=stream, force_terminal=True, width=100)) as display:
        display.begin("reading", 4)
        display.advance(3, "nearly [done]")
        display.say("a [line] that stays")
        display.begin("training", 2)
        display.advance()
    shown = stream.getvalue()
    assert "a [line] that stays" in shown
    assert "training" in shown
    assert "1/2" in shown


def test_silence_is_silent(capsys) -> None:
    silent = Silent()
    silent.begin("reading", 1)
    silent.advance()
    silent.say("read")
    assert capsys.readouterr() == ("", "")
