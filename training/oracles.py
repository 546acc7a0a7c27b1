"""Keras Tuner's search algorithms, made to survive a kill at any moment and trials that fail.

What is changed, and why:

- Keras Tuner writes its state in place, so that a kill leaves half a file and the search cannot be opened again.
- A kill between its two writes leaves a trial that the search does not know, or one that ended and is run again.
- Hyperband waits for every trial of a round, so that a failed one ends its bracket; here it is the worst of its round.
- A seed of 0 means a random one to it.
"""

from __future__ import annotations

import json
import math
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial
from keras_tuner.oracles import BayesianOptimizationOracle, HyperbandOracle, RandomSearchOracle

from training.space import SearchOptions

OBJECTIVE = "val_accuracy"
CHECKPOINT = ".checkpoint.npz"
_RUNNING, _COMPLETED, _FAILED = "RUNNING", "COMPLETED", "FAILED"


def make_oracle(
    search: SearchOptions, space: keras_tuner.HyperParameters, max_epochs: int, seed: int
) -> keras_tuner.Oracle:
    """The oracle of the algorithm asked for, without limit to the trials that may fail."""
    common = {
        "objective": keras_tuner.Objective(OBJECTIVE, "max"),
        "hyperparameters": space,
        "seed": seed + 1,
        "max_consecutive_failed_trials": math.inf,
    }
    if search.algorithm == "bayesian":
        return _Bayesian(max_trials=search.trials, **common)
    if search.algorithm == "random":
        return _Random(max_trials=search.trials, **common)
    oracle = _Hyperband(max_epochs=max(max_epochs, 1), factor=3, hyperband_iterations=None, **common)
    oracle.max_trials = search.trials
    return oracle


class _Durable(keras_tuner.Oracle):
    """Mixed into an oracle: its files are replaced whole, and read with doubt."""

    _retry_queue: list[str]

    def save(self) -> None:
        _replace(Path(self._get_oracle_fname()), self.get_state())

    def _save_trial(self, trial: Trial) -> None:
        _replace(Path(self._get_trial_dir(trial.trial_id)) / "trial.json", trial.get_state())

    def reload(self) -> None:
        super().reload()
        for unknown in self.trials.keys() - set(self.start_order):
            del self.trials[unknown]
        self._retry_queue = [name for name in self._retry_queue if self.trials[name].status == _RUNNING]

    def end_trial(self, trial: Trial) -> None:
        super().end_trial(trial)
        # Its worker outlived the process that the search was in, where the trial was about to be given away again.
        self._retry_queue = [name for name in self._retry_queue if name != trial.trial_id]
        needed = self._may_go_on()
        for folder in Path(self._project_dir).glob("trial_*"):
            name = folder.name.removeprefix("trial_")
            if name in self.trials and self.trials[name].status != _RUNNING and name not in needed:
                (folder / CHECKPOINT).unlink(missing_ok=True)

    def _may_go_on(self) -> set[str]:
        """The ended trials whose state another trial may take up; that of the others is 0.1 GB of disk each."""
        return set()


class _Random(_Durable, RandomSearchOracle):
    """Random search."""


class _Bayesian(_Durable, BayesianOptimizationOracle):
    """A Gaussian process over the trials so far."""


class _Hyperband(_Durable, HyperbandOracle):
    """Hyperband in which a failed trial is the worst of its round."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        failed = [trial for trial in self.trials.values() if trial.status == _FAILED]
        for trial in failed:
            trial.status, trial.score = _COMPLETED, -1.0
        try:
            proposed: dict[str, Any] = super().populate_space(trial_id)
            return proposed
        finally:
            for trial in failed:
                trial.status, trial.score = _FAILED, None

    def _may_go_on(self) -> set[str]:
        found = set()
        for bracket in self._brackets:
            rounds = bracket["rounds"]
            for entries, following in pairwise(rounds):
                taken_up = {entry["past_id"] for entry in following if self.trials[entry["id"]].status != _RUNNING}
                found |= {entry["id"] for entry in entries} - taken_up
        return found


def forget(project: Path) -> None:
    """Removes what trials need to go on; their results stay."""
    for kept in project.glob(f"trial_*/{CHECKPOINT}*"):
        kept.unlink(missing_ok=True)
    for folder in project.glob(".worker-*"):
        shutil.rmtree(folder, ignore_errors=True)


def _replace(path: Path, state: dict[str, Any]) -> None:
    beside = path.with_name(f".partial-{path.name}")
    beside.write_text(json.dumps(state), encoding="utf-8")
    beside.replace(path)
