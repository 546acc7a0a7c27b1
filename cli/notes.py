"""What the command prints while it works: notes and progress, on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from training.progress import Reporter

notes = Console(stderr=True)


@contextmanager
def reporter_on_stderr() -> Iterator[Reporter]:
    """Progress on stderr: a live display on a terminal, plain lines elsewhere."""
    from training.progress import PlainLines, TerminalDisplay

    if not sys.stderr.isatty():
        yield PlainLines()
        return
    with TerminalDisplay(notes) as display:
        yield display
