"""Runs the trials of a search: Keras Tuner's loop outside, the stages of a training inside."""

from __future__ import annotations

import gc
import io
import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import keras_tuner
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.trial import Trial

from realtime.errors import ReeflensError, ResultsError, SettingsError
from training.checkpoint import stage_of
from training.dataset import Dataset
from training.features import FeatureCache
from training.files import write
from training.fitting import fit_stage
from training.learning import best, learning_part
from training.model import build_model, copy_weights
from training.options import TrainOptions
from training.oracles import CHECKPOINT, OBJECTIVE
from training.progress import Reporter, Silent
from training.space import chosen
from training.stages import HEAD, plan
from training.weights import Kernels, set_kernels

FAILURES_IN_A_ROW = 5  # then it is not the options that are at fault
_REASON = "reason.txt"
_IDLE_S = 1.0  # between two questions to a chief that waits for other workers


@dataclass(frozen=True, slots=True)
class Role:
    """What this process is in a search that several share, by Keras Tuner's own variables. name: its tuner's."""

    name: str
    chief: bool
    worker: bool


def role_of(environment: Mapping[str, str]) -> Role:
    """The role that the variables give to this process. Raises SettingsError for one without the others."""
    names = ("KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT", "KERASTUNER_TUNER_ID")
    if missing := [name for name in names if not environment.get(name)]:
        if "KERASTUNER_ORACLE_IP" in environment:
            raise SettingsError(f"{missing[0]}: not set; a shared search needs {', '.join(names)}")
        return Role("tuner0", chief=False, worker=False)
    name = environment["KERASTUNER_TUNER_ID"]
    return Role(name, chief="chief" in name, worker="chief" not in name)


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """How a trial is run; everything that trials share. Safe for one trial at a time."""

    options: TrainOptions
    data: Dataset
    cache: FeatureCache
    kernels: Kernels | None
    pool: Executor
    reporter: Reporter
    planned: int

    def __call__(self, trial: str, values: dict[str, Any], kept: Path, before: float) -> dict[str, float]:
        """Trains by ``values`` as far as their budget goes, from the state in ``kept`` where there is one.

        before: the accuracy of the trial that this one continues, or 0.
        """
        began_s = time.monotonic()
        keras.utils.clear_session(free_memory=False)
        gc.collect()  # a model and its optimizer are tied in circles
        options = replace(self.options, **chosen(values))
        model = build_model(
            len(self.data.labels),
            options.image_size,
            dense_units=options.dense_units,
            dropout=options.dropout,
            seed=options.seed,
        )
        if self.kernels is not None:
            set_kernels(model, self.kernels)
        stages = plan(options)
        names = [stage.name for stage in stages]
        reached = stage_of(kept)
        first = names.index(reached) if reached in names else 0
        budget = stages[0].epochs + int(values.get("tuner/epochs", options.epochs))
        reached_before = kept.with_name(f"{CHECKPOINT}.accuracy")  # by the stages before that in ``kept``
        accuracy = max(before, float(reached_before.read_text()) if first and reached_before.is_file() else 0.0)
        told = _OfTrial(self.reporter, f"trial {int(trial) + 1}/{self.planned} ")
        for stage in stages[first:]:
            if stage.begins >= budget:
                break
            tail, batches, validation = learning_part(stage, model, self.cache, self.data, options, self.pool)
            until = None if stage.name == HEAD else budget - stage.begins
            epochs = fit_stage(stage, tail, batches, validation, options, told, kept, until=until)
            # Taken even if they are no better, unlike in a run: a later trial may have nothing but these to go on from.
            copy_weights(tail, model)
            accuracy = max(accuracy, best(epochs))
            write(reached_before, repr(accuracy).encode())
        return {OBJECTIVE: accuracy, "seconds": time.monotonic() - began_s}


class Tuner(BaseTuner):
    """Keras Tuner's loop around ``Trials``, with its files in ``project``.

    trials: None for a chief, which runs none itself. after: called when a trial has ended, but for a worker.
    """

    def __init__(
        self, oracle: keras_tuner.Oracle, project: Path, trials: Trials | None, after: Callable[[], object]
    ) -> None:
        self._project, self._trials, self._after = project, trials, after
        self._idle, self._failures = False, 0
        with redirect_stdout(io.StringIO()):
            super().__init__(oracle, directory=str(project.parent), project_name=project.name)
        if not self._is_worker() and (project / "oracle.json").is_file():
            self.reload()

    def save(self) -> None:
        """The state is the oracle's."""
        if not self._is_worker():
            self.oracle.save()

    def reload(self) -> None:
        """The state is the oracle's."""
        try:
            self.oracle.reload()
        except Exception as error:  # json, and whatever a foreign file makes Keras Tuner trip over
            told = f"{self._project}: cannot be read ({error!r}); begin another search with --out"
            raise ResultsError(told) from error

    def pre_create_trial(self) -> None:
        """Keras Tuner asks again at once when all that is left waits for other workers."""
        if self._idle:
            time.sleep(_IDLE_S)
        self._idle = True

    def run_trial(self, trial: Trial, *_: object, **__: object) -> dict[str, float]:
        assert self._trials is not None
        self._idle = False
        folder = Path(self.get_trial_dir(trial.trial_id))
        kept, values = folder / CHECKPOINT, trial.hyperparameters.values
        before = 0.0
        if parent := values.get("tuner/trial_id"):
            before = max(self.oracle.get_trial(parent).score or 0.0, 0.0)
            theirs = Path(self.get_trial_dir(parent)) / CHECKPOINT
            if not kept.is_file() and theirs.is_file():
                shutil.copyfile(theirs, beside := folder / f"{CHECKPOINT}.partial")
                beside.replace(kept)
        try:
            return self._trials(trial.trial_id, dict(values), kept, before)
        except Exception as error:
            reason = " ".join(str(error).split())[:300] or type(error).__name__
            (folder / _REASON).write_text(reason + "\n", encoding="utf-8")  # a message does not travel to a chief
            raise

    def on_trial_end(self, trial: Trial) -> None:
        assert self._trials is not None
        super().on_trial_end(trial)
        reporter = self._trials.reporter
        ended = self.oracle.get_trial(trial.trial_id)
        if ended.score is not None:
            self._failures = 0
            reporter.say(f"trial {int(trial.trial_id) + 1}: {ended.score:.1%}  {_told(trial.hyperparameters.values)}")
        else:
            self._failures += 1
            reason = reason_in(self._project / f"trial_{trial.trial_id}")
            reporter.say(f"trial {int(trial.trial_id) + 1}: failed ({reason})")
            if self._failures == FAILURES_IN_A_ROW:
                raise ReeflensError(f"{self._failures} trials in a row failed, the last with: {reason}")
        if not self._is_worker():
            self._after()


class _OfTrial(Silent):
    """Shows the progress of a trial's stages as that of the trial, and keeps their lines to itself."""

    def __init__(self, reporter: Reporter, prefix: str) -> None:
        self._reporter, self._prefix = reporter, prefix

    def begin(self, task: str, total: int) -> None:
        self._reporter.begin(self._prefix + task, total)

    def advance(self, steps: int = 1, note: str = "") -> None:
        self._reporter.advance(steps, note)


def reason_in(folder: Path) -> str:
    """Why the trial of this folder failed."""
    try:
        return (folder / _REASON).read_text(encoding="utf-8").strip()
    except OSError:
        return "no reason was written"


def _told(values: dict[str, Any]) -> str:
    return "  ".join(f"{name} {value}" for name, value in chosen(values).items())
