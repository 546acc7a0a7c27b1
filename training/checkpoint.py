"""Keeps a stage's state after every epoch, so that a run that was killed goes on exactly where it was."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from realtime.errors import ResultsError
from training.callbacks import EpochRow


class Checkpoint(keras.callbacks.Callback):
    """The rows of a stage and its best weights; stops when patience is over, and writes all state to a file.

    Of an optimizer that averages the weights (``TrainOptions.ema``), the average is what is validated and what can be
    best; training goes on from the weights themselves.

    To be made before the model is compiled, while its variables are just weights and the seeds of its dropout, and
    to be called behind ``StageProgress``, which appends the epoch to ``rows``.
    """

    def __init__(self, stage: str, tail: keras.Model, path: Path | None, patience: int) -> None:
        super().__init__()
        self.rows: list[EpochRow] = []
        self._stage, self._path, self._patience = stage, path, patience
        self._tail = tail
        self._variables = list(tail.variables)
        self._best: list[NDArray[Any]] = []
        self._now: list[NDArray[Any]] = []
        self._judged: list[NDArray[Any]] | None = None  # what was validated, where it is not what goes on

    @property
    def patience_is_over(self) -> bool:
        """Whether the last epochs, as many as patience allows, were no better than the best before them."""
        return bool(self.rows) and len(self.rows) - 1 - self._best_row() >= self._patience

    def restore(self) -> None:
        """Takes up the state in the file, if it is of this stage. The model is compiled by now. Raises ResultsError."""
        self._tail.optimizer.build(self._tail.trainable_variables)
        if self._path is None or not self._path.is_file():
            return
        try:
            with np.load(self._path, allow_pickle=False) as stored:
                if str(stored["stage"]) != self._stage:
                    return
                rows = [EpochRow(**row) for row in json.loads(str(stored["rows"]))]
                now = _numbered(stored, "now", self._variables)
                optimizer = _numbered(stored, "optimizer", self._tail.optimizer.variables)
                best = _numbered(stored, "best", self._variables)
        except Exception as error:  # zipfile, zlib and numpy raise unrelated classes for a damaged archive
            reason = str(error).strip() or type(error).__name__
            raise ResultsError(f"{self._path}: cannot be read ({reason}); begin anew without --resume") from error
        _assign(self._variables, now)
        _assign(self._tail.optimizer.variables, optimizer)
        self.rows[:], self._best = rows, best

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        if self._tail.optimizer.use_ema:
            self._now = _values(self._variables)
            self._tail.optimizer.finalize_variable_values(self._tail.trainable_variables)  # Keras' name for the swap

    def on_test_end(self, logs: dict[str, float] | None = None) -> None:
        if self._tail.optimizer.use_ema:
            self._judged = _values(self._variables)
            _assign(self._variables, self._now)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        now = _values(self._variables)
        if self._best_row() == len(self.rows) - 1:
            self._best = now if self._judged is None else self._judged
        if self._path is not None:
            self._save(self._path, now)
        if self.patience_is_over:
            self.model.stop_training = True

    def take_best(self) -> None:
        """Gives the model the weights of its best epoch."""
        if self._best:
            _assign(self._variables, self._best)

    def _best_row(self) -> int:
        accuracies = [row.val_accuracy for row in self.rows]
        return accuracies.index(max(accuracies))  # the first of equals

    def _save(self, path: Path, now: Sequence[NDArray[Any]]) -> None:
        groups = {"now": now, "best": self._best, "optimizer": _values(self._tail.optimizer.variables)}
        arrays: dict[str, Any] = {
            f"{name}-{i}": value for name, values in groups.items() for i, value in enumerate(values)
        }
        beside = path.with_name(f"{path.name}.partial")
        try:
            with beside.open("wb") as file:
                np.savez(file, stage=self._stage, rows=json.dumps([asdict(row) for row in self.rows]), **arrays)
            beside.replace(path)
        except OSError as error:
            raise ResultsError(f"{path}: cannot be written ({error.strerror or error})") from error


def stage_of(path: Path) -> str | None:
    """The stage whose state the file holds; None where there is no such file. Raises ResultsError."""
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            return str(stored["stage"])
    except Exception as error:  # as in ``restore``
        raise ResultsError(f"{path}: cannot be read ({str(error).strip() or type(error).__name__})") from error


def _values(variables: Sequence[Any]) -> list[NDArray[Any]]:
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def _assign(variables: Sequence[Any], values: Sequence[NDArray[Any]]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _numbered(stored: Any, name: str, variables: Sequence[Any]) -> list[NDArray[Any]]:
    found = [stored[f"{name}-{i}"] for i in range(len(variables))]
    for variable, value in zip(variables, found, strict=True):
        if tuple(variable.shape) != value.shape:
            raise ValueError(f"{name}: expected {tuple(variable.shape)}, found {value.shape}")
    return found
