"""Ties Keras' training loop to our progress display and to the history that a run keeps."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import keras

from training.progress import Reporter


@dataclass(frozen=True, slots=True)
class EpochRow:
    """One line of history.csv: means over the epoch; ``epoch`` counts from 1 within its stage."""

    stage: str
    epoch: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    learning_rate: float
    seconds: float


class StageProgress(keras.callbacks.Callback):
    """Reports every batch, says one line per epoch, and appends the epoch to ``rows``."""

    def __init__(
        self,
        stage: str,
        reporter: Reporter,
        rows: list[EpochRow],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._stage, self._reporter, self._rows, self._clock = stage, reporter, rows, clock
        self._epoch_began_s = 0.0
        self._best = max((row.val_accuracy for row in rows), default=None)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._epoch_began_s = self._clock()
        self._reporter.begin(f"{self._stage} {epoch + 1}/{self.params['epochs']}", self.params["steps"])

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        logs = logs or {}
        loss, accuracy = float(logs.get("loss", 0.0)), float(logs.get("accuracy", 0.0))
        best = f"  best {self._best:.1%}" if self._best is not None else ""  # of validation, in this stage
        self._reporter.advance(1, f"loss {loss:.2f}  {accuracy:.1%}{best}")  # short: beside a bar, in 80 columns

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        logs = logs or {}
        row = EpochRow(
            stage=self._stage,
            epoch=epoch + 1,
            loss=float(logs["loss"]),
            accuracy=float(logs["accuracy"]),
            val_loss=float(logs["val_loss"]),
            val_accuracy=float(logs["val_accuracy"]),
            learning_rate=float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)),
            seconds=self._clock() - self._epoch_began_s,
        )
        self._rows.append(row)
        self._best = max(self._best or 0.0, row.val_accuracy)
        self._reporter.say(
            f"{row.stage} {row.epoch:>3}  loss {row.loss:.3f}  accuracy {row.accuracy:.1%}  "
            f"validation loss {row.val_loss:.3f}  accuracy {row.val_accuracy:.1%}  {row.seconds:.1f} s"
        )
