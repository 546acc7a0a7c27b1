"""Processes a dive in a process of its own, which is killed without a last word on the way."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
KILLED = """
    import os, signal, sys
    from pathlib import Path
    from dives.process import ProcessOptions, process
    from realtime.engine import Engine

    class Mortal(Engine):
        left = int(sys.argv[1])
        def run(self, frames, explain=None):
            Mortal.left -= 1
            if Mortal.left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().run(frames, explain)

    with Mortal.open(Path(sys.argv[2]), provider="cpu", threads=1) as engine:
        process([Path(name) for name in sys.argv[4:]], Path(sys.argv[3]), engine, ProcessOptions(resume=True))
"""
CAN_KILL = hasattr(signal, "SIGKILL")


def process_until_killed(batches: int, recordings: Sequence[Path], out: Path, model: Path) -> None:
    """Goes on with ``out``, if there is something, for so many batches of 8 frames; the recording has to have more."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(batches), model, out, *recordings],
        cwd=REPOSITORY,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
