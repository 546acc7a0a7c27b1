"""Trains in a process of its own that kills itself at a given moment, as a power cut would.

python dying.py OPTIONS.json TASK STEPS              killed while the task TASK is STEPS steps far
python dying.py OPTIONS.json TASK STEPS TRIALS       the same with a search of so many trials
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from training.options import TrainOptions
from training.progress import Silent
from training.run import train


class Fatal(Silent):
    """A reporter that does not survive the moment."""

    def __init__(self, task: str, steps: int) -> None:
        self._fatal, self._left = task, steps
        self._task = ""

    def begin(self, task: str, total: int) -> None:
        self._task = task

    def advance(self, steps: int = 1, note: str = "") -> None:
        if self._task == self._fatal:
            self._left -= steps
            if self._left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    options = TrainOptions.from_dict(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    fatal = Fatal(sys.argv[2], int(sys.argv[3]))
    if len(sys.argv) > 4:
        from training.space import SearchOptions
        from training.tune import tune

        tune(options, SearchOptions(trials=int(sys.argv[4])), fatal, resume=True)
    else:
        train(options, fatal, resume=True)
