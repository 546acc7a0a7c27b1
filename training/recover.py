"""Trains a narrower network to answer as the full one does: a short training that makes good what pruning lost.

Its targets are the true labels and the full network's answers (``training.batches.targets``), and the full network's
last feature map, from which label and Grad-CAM are made (as in FitNets, Romero et al., ICLR 2015). Both networks see
the same views, each at its own input size; a larger map is brought to the size of the smaller one.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from training.batches import targets
from training.calibrate import softmax
from training.callbacks import EpochRow, StageProgress
from training.checkpoint import Checkpoint
from training.dataset import Dataset, working_size
from training.features import FeatureCache
from training.model import CONVOLUTIONS, build_tail, copy_weights, layer_before, predict
from training.progress import Reporter
from training.slim_options import SlimOptions

LAST_MAP = CONVOLUTIONS[-1]
STAGE = "recover"
MAP_WEIGHT = 1.0  # of the map's relative squared error, beside the cross-entropy
FINAL_RATE = 0.01  # share of the learning rate that is left at the end of the cosine
FEATURE_BATCH = 32


class MapDistance(keras.layers.Layer):
    """Hands on the logits; while training adds to the loss how far the two maps are apart, in units of ``power``."""

    def __init__(self, power: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.power = power

    def call(self, inputs: tuple[Any, Any, Any], training: bool = False) -> Any:
        """inputs: logits [N, C], our map [N, H, W, K] and theirs, which may be larger."""
        logits, ours, theirs = inputs
        if training:
            if theirs.shape[1:3] != ours.shape[1:3]:
                theirs = keras.ops.image.resize(
                    theirs, ours.shape[1:3], interpolation="bilinear", antialias=True, data_format="channels_last"
                )
            self.add_loss(MAP_WEIGHT * keras.ops.mean(keras.ops.square(ours - theirs)) / self.power)
        return logits


class TaughtBatches(keras.utils.PyDataset):
    """Batches ((features, full network's map), targets), all float32; epochs as in ``training.fitting``.

    features, maps: [N, K, ...] of the same K views. answers: float32 [N, K, C], the full network's probabilities; None
    for validation, whose targets are the true labels, in the order of the pictures and by the plain view, and whose
    maps do not count.
    """

    def __init__(
        self,
        features: NDArray[np.floating],
        maps: NDArray[np.floating],
        answers: NDArray[np.float32] | None,
        labels: NDArray[np.int64],
        classes: int,
        batch_size: int,
        seed: int,
    ) -> None:
        super().__init__()
        self._features, self._maps, self._answers = features, maps, answers
        self._labels, self._classes = labels, classes
        self._batch_size, self._seed = batch_size, seed
        self._rows = np.arange(len(labels))
        self._views = np.zeros(len(labels), np.int64)
        self.show(0)

    @property
    def map_shape(self) -> tuple[int, ...]:
        """H, W, K of the full network's maps."""
        return tuple(self._maps.shape[2:])

    def __len__(self) -> int:
        return math.ceil(len(self._rows) / self._batch_size)

    def __getitem__(self, number: int) -> tuple[tuple[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]]:
        part = slice(number * self._batch_size, (number + 1) * self._batch_size)
        rows, views = self._rows[part], self._views[part]
        x = tuple(np.asarray(found[rows, views], np.float32) for found in (self._features, self._maps))
        answers = None if self._answers is None else self._answers[rows, views]
        return (x[0], x[1]), targets(self._labels[rows], self._classes, answers=answers)

    def show(self, epoch: int) -> None:
        """Draws the epoch of this number, from 0."""
        if self._answers is not None:
            rng = np.random.default_rng([self._seed, 13, epoch])
            self._rows = rng.permutation(len(self._rows))
            self._views = rng.integers(self._features.shape[1], size=len(self._rows))


def recover(
    full: keras.Model,
    slim: keras.Model,
    data: Dataset,
    options: SlimOptions,
    run: Path,
    kept: Path,
    reporter: Reporter,
    *,
    shown: NDArray[np.uint8],
    water: float = 0.0,
    mixed_precision: bool = False,
) -> list[EpochRow]:
    """Trains ``slim`` in place from ``options.unfreeze`` on; it ends with its best epoch by validation accuracy.

    shown: the training pictures of ``data`` at the working size of the full network's input, which may be larger: it
    then sees the same part of each picture, in the same light. kept: the file that holds the state after every epoch;
    when there is one, training goes on from there. Features of both networks are kept below ``run`` meanwhile. water,
    mixed_precision: as in ``TrainOptions``. Returns the epochs as they were. Raises ResultsError when the disk has no
    room for the features, or for that file.
    """
    size, own_size, classes = slim.input.shape[1], full.input.shape[1], slim.output.shape[-1]
    cut = layer_before(options.unfreeze)
    with (
        FeatureCache(run, full, (LAST_MAP,), own_size, mixed_precision=mixed_precision) as theirs,
        FeatureCache(run, slim, (cut,), size, mixed_precision=mixed_precision) as ours,
    ):
        drawn_for = None if own_size == size else working_size(size)
        asked = (options.views, options.seed, FEATURE_BATCH, reporter)
        theirs.fill("full-train", shown, *asked, water=water, drawn_for=drawn_for)
        ours.fill("train", data.train.pixels, *asked, water=water)
        ours.fill("validation", data.validation.pixels, 1, options.seed, FEATURE_BATCH, reporter)
        maps = theirs[LAST_MAP, "full-train"]
        answers = softmax(predict(build_tail(full, LAST_MAP), maps.reshape(-1, *maps.shape[2:]), FEATURE_BATCH))
        train = TaughtBatches(
            ours[cut, "train"],
            maps,
            answers.astype(np.float32).reshape(*maps.shape[:2], classes),
            data.train.labels,
            classes,
            options.batch_size,
            options.seed,
        )
        validation = TaughtBatches(
            ours[cut, "validation"],
            np.broadcast_to(np.float32(0.0), (len(data.validation), 1, *maps.shape[2:])),
            None,
            data.validation.labels,
            classes,
            options.batch_size,
            options.seed,
        )
        few = np.asarray(maps[:: max(1, len(maps) // 256), 0], np.float32)
        tail = build_tail(slim, cut, mixed_precision=mixed_precision)
        rows = _fit(tail, float(np.mean(np.square(few))), train, validation, options, kept, reporter)
        copy_weights(tail, slim)
    return rows


def _fit(
    tail: keras.Model,
    power: float,
    train: TaughtBatches,
    validation: TaughtBatches,
    options: SlimOptions,
    kept: Path,
    reporter: Reporter,
) -> list[EpochRow]:
    ours = tail.get_layer(LAST_MAP).output
    theirs = keras.Input(train.map_shape, name="theirs", dtype="float32")
    # Some pictures without any activation would divide by zero.
    logits = MapDistance(max(power, 1e-6), name="distance")((tail.output, ours, theirs))
    taught = keras.Model([tail.input, theirs], logits, name="taught")
    checkpoint = Checkpoint(STAGE, taught, kept, options.patience)
    schedule = keras.optimizers.schedules.CosineDecay(options.rate, options.epochs * len(train), alpha=FINAL_RATE)
    taught.compile(
        optimizer=keras.optimizers.Adam(schedule),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
        jit_compile=False,
    )
    checkpoint.restore()
    done = len(checkpoint.rows)
    if done:
        reporter.say(f"{STAGE}: going on after epoch {done}")
    if done < options.epochs and not checkpoint.patience_is_over:
        train.show(done)
        taught.fit(
            train,
            validation_data=validation,
            initial_epoch=done,
            epochs=options.epochs,
            verbose=0,
            shuffle=False,
            callbacks=[
                keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: train.show(epoch)),
                StageProgress(STAGE, reporter, checkpoint.rows),
                checkpoint,
            ],
        )
    checkpoint.take_best()
    return checkpoint.rows
