"""Trains in a process of its own that kills itself at a given moment, as a power cut would.

python dying.py OPTIONS.json TASK STEPS [TASK STEPS ...]     killed while the task TASK is STEPS steps far; with more of
                                                             them each process goes on with what the last left behind
--few-filters                                                the network is that of ``few_filters``
--trials N                                                   not a training but a search of so many trials

All but the last are forked off while tensorflow is imported, which takes longer than these trainings, and not yet used.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from few_filters import few_filters

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


def asked() -> argparse.Namespace:
    """The command line. options: what is in the file. moments: (task, steps) each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--few-filters", action="store_true")
    parser.add_argument("--trials", type=int)
    parser.add_argument("options", type=lambda path: json.loads(Path(path).read_text(encoding="utf-8")))
    parser.add_argument("moments", nargs="+")
    given = parser.parse_args()
    given.moments = list(zip(given.moments[::2], map(int, given.moments[1::2]), strict=True))
    return given


def die_at_each(moments: list[tuple[str, int]], work: Callable[[Fatal], object]) -> None:
    """Does ``work`` until it dies, at every moment once. Exits with a sentence where one is outlived."""
    *earlier, last = moments
    for task, steps in earlier:
        child = os.fork()
        if child == 0:
            work(Fatal(task, steps))
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code != -signal.SIGKILL:
            sys.exit(f"{task}: expected to be killed, ended with {code}")
    work(Fatal(*last))


if __name__ == "__main__":
    given = asked()
    options = TrainOptions.from_dict(given.options)
    with few_filters() if given.few_filters else nullcontext():
        if given.trials:
            from training.space import SearchOptions
            from training.tune import tune

            search = SearchOptions(trials=given.trials)
            die_at_each(given.moments, lambda fatal: tune(options, search, fatal, resume=True))
        else:
            die_at_each(given.moments, lambda fatal: train(options, fatal, resume=True))
