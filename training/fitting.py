"""Trains one part of the network from cached features: batches with random views, then a stage of epochs.

A stage that was cut off goes on exactly where it was: what an epoch shows depends on its number alone, and everything
else is kept after every epoch (``training.checkpoint``).
"""

from __future__ import annotations

import math
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from training.callbacks import EpochRow, StageProgress
from training.checkpoint import Checkpoint
from training.options import TrainOptions
from training.progress import Reporter

FINAL_RATE = 0.01  # share of the first learning rate that is left at the end of the cosine


class ViewBatches(keras.utils.PyDataset):
    """Batches (features float32, one-hot labels float32, weights float32) out of features [N, K, ...].

    Epoch ``show(n)`` has each picture once, in an order and by views drawn from the seed and n. With ``seed`` None the
    order stays and the plain view is shown: for validation.
    """

    def __init__(
        self,
        features: NDArray[np.floating],
        labels: NDArray[np.int64],
        class_weights: NDArray[np.float32],
        batch_size: int,
        seed: int | None,
    ) -> None:
        super().__init__()
        self._features, self._labels, self._weights = features, labels, class_weights
        self._batch_size = batch_size
        self._seed = seed
        self._rows = np.arange(len(labels))
        self._views = np.zeros(len(labels), np.int64)
        self.show(0)

    def __len__(self) -> int:
        return math.ceil(len(self._labels) / self._batch_size)

    def __getitem__(self, number: int) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        rows = self._rows[number * self._batch_size : (number + 1) * self._batch_size]
        labels = self._labels[rows]
        x = np.asarray(self._features[rows, self._views[rows]], np.float32)
        y = np.eye(len(self._weights), dtype=np.float32)[labels]
        return x, y, self._weights[labels]

    def show(self, epoch: int) -> None:
        """Draws the epoch of this number, from 0."""
        if self._seed is not None:
            rng = np.random.default_rng([self._seed, 5, epoch])
            self._rows = rng.permutation(len(self._labels))
            self._views = rng.integers(self._features.shape[1], size=len(self._labels))


def class_weights(labels: NDArray[np.int64], classes: int, balance: float) -> NDArray[np.float32]:
    """float32 [classes]: inverse class frequency to the power ``balance``; the mean over all pictures is 1."""
    count = np.maximum(np.bincount(labels, minlength=classes), 1)
    weights = (1.0 / count) ** balance
    scaled: NDArray[np.float32] = (weights * len(labels) / (weights * count).sum()).astype(np.float32)
    return scaled


def fit_stage(
    stage: str,
    tail: keras.Model,
    train: ViewBatches,
    validation: ViewBatches,
    options: TrainOptions,
    reporter: Reporter,
    kept: Path | None = None,
) -> list[EpochRow]:
    """Trains ``tail`` in place and leaves it with the weights of its best epoch by validation accuracy.

    stage: "head" or "fine-tune". kept: the file that holds the state after every epoch; when it holds one of this
    stage already, training goes on from there. Returns the epochs as they were. Raises ResultsError for that file.
    """
    epochs = options.head_epochs if stage == "head" else options.epochs
    rate = options.learning_rate if stage == "head" else options.fine_tune_rate
    checkpoint = Checkpoint(stage, tail, kept, options.patience)
    schedule = keras.optimizers.schedules.CosineDecay(rate, epochs * len(train), alpha=FINAL_RATE)
    tail.compile(
        optimizer=keras.optimizers.Adam(schedule),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=options.label_smoothing),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
        jit_compile=False,  # XLA's and torch.compile's start-up outlast what they save on this short chain
    )
    checkpoint.restore()
    done = len(checkpoint.rows)
    if done:
        reporter.say(f"{stage}: going on after epoch {done}")
    if done < epochs and not checkpoint.patience_is_over:
        tail.fit(
            train,
            validation_data=validation,
            initial_epoch=done,
            epochs=epochs,
            verbose=0,
            shuffle=False,  # ViewBatches shuffles pictures; Keras would only shuffle whole batches
            callbacks=[
                keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: train.show(epoch)),
                StageProgress(stage, reporter, checkpoint.rows),
                checkpoint,
            ],
        )
    checkpoint.take_best()
    return checkpoint.rows
