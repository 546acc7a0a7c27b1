"""What an epoch shows: every picture once, in an order and in views drawn from the seed and the epoch's number alone.

A training that was killed goes on exactly for this reason, whether the views lie in a cache or are made as they are
needed.
"""

from __future__ import annotations

import math
from concurrent.futures import Executor, Future
from typing import Protocol

import keras
import numpy as np
from numpy.typing import NDArray

from training.augment import view
from training.model import centred

HARD = 0.5  # share of the true label in a target that a stronger model has answered, too
_AHEAD = 2  # batches made while one is learnt from: the next, and one for when a step is quick


def targets(
    labels: NDArray[np.int64], classes: int, smoothing: float = 0.0, answers: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """What a network is to say, float32 [N, classes]: the true labels, of which ``smoothing`` is given to all alike.

    answers: float32 [N, classes], a stronger model's probabilities; then the target is half one and half the other
    (Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015).
    """
    truth = (1.0 - smoothing) * np.eye(classes, dtype=np.float32)[labels] + np.float32(smoothing / classes)
    mixed: NDArray[np.float32] = truth if answers is None else HARD * truth + (1.0 - HARD) * answers
    return mixed


Batch = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]  # inputs, targets, weights


def mixed_up(batch: Batch, alpha: float, rng: np.random.Generator) -> Batch:
    """Every row blended with another one of the batch, inputs, targets and weights alike, by a share from Beta(alpha,
    alpha), of which the larger part stays.

    mixup of pictures (Zhang et al., ICLR 2018), and of what a layer says of them (Verma et al., "Manifold Mixup", ICML
    2019).
    """
    x, wanted, weights = batch
    share = rng.beta(alpha, alpha, len(x))
    own = np.maximum(share, 1.0 - share).astype(np.float32)
    other = rng.permutation(len(x))

    def blend(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        kept = own.reshape(-1, *[1] * (rows.ndim - 1))
        return kept * rows + (1.0 - kept) * rows[other]

    return blend(x), blend(wanted), blend(weights)


class Batches(Protocol):
    """A ``keras.utils.PyDataset`` of (inputs float32, targets float32, weights float32)."""

    def __len__(self) -> int:
        """How many batches an epoch has."""

    def show(self, epoch: int) -> None:
        """Draws the epoch of this number, from 0."""


class ViewBatches(keras.utils.PyDataset):
    """Batches (features float32, ``targets``, weights float32) out of features [N, K, ...].

    Epoch ``show(n)`` has each picture once, in an order and by views drawn from the seed and n: by an augmented one
    with probability ``augment``, by the plain one otherwise. With ``seed`` None the order stays and the plain view is
    shown: for validation. answers: float32 [N, K, C], what a stronger model says of these views. mixup: with what
    ``mixed_up`` blends training batches, 0 for not at all.
    """

    def __init__(
        self,
        features: NDArray[np.floating],
        labels: NDArray[np.int64],
        class_weights: NDArray[np.float32],
        batch_size: int,
        seed: int | None,
        augment: float = 0.75,
        *,
        smoothing: float = 0.0,
        answers: NDArray[np.float32] | None = None,
        mixup: float = 0.0,
    ) -> None:
        super().__init__()
        self._features, self._labels, self._weights = features, labels, class_weights
        self._smoothing, self._answers, self._mixup = smoothing, answers, mixup
        self._batch_size = batch_size
        self._seed, self._augment = seed, augment
        self._rows = np.arange(len(labels))
        self._views = np.zeros(len(labels), np.int64)
        self._epoch = 0
        self.show(0)

    def __len__(self) -> int:
        return math.ceil(len(self._labels) / self._batch_size)

    def __getitem__(self, number: int) -> Batch:
        rows = self._rows[number * self._batch_size : (number + 1) * self._batch_size]
        labels, views = self._labels[rows], self._views[rows]
        x = np.asarray(self._features[rows, views], np.float32)
        answers = None if self._answers is None else self._answers[rows, views]
        batch = x, targets(labels, len(self._weights), self._smoothing, answers), self._weights[labels]
        return _mixed(batch, self._mixup, self._seed, self._epoch, number)

    def show(self, epoch: int) -> None:
        """Draws the epoch of this number, from 0."""
        self._epoch = epoch
        if self._seed is None:
            return
        views = self._features.shape[1]
        self._rows, varied, rng = _draw(len(self._labels), self._augment if views > 1 else 0.0, self._seed, epoch)
        self._views = np.where(varied, rng.integers(1, max(views, 2), size=len(varied)), 0)


class FreshBatches(keras.utils.PyDataset):
    """Batches as ``ViewBatches`` gives them, but of pictures (``centred``), every view made for its epoch.

    pictures: uint8 [N, W, W, 3]. pool: makes the views, some batches ahead of the step that learns from them.
    """

    def __init__(
        self,
        pictures: NDArray[np.uint8],
        size: int,
        labels: NDArray[np.int64],
        class_weights: NDArray[np.float32],
        batch_size: int,
        seed: int | None,
        pool: Executor,
        augment: float = 0.75,
        water: float = 0.0,
        *,
        smoothing: float = 0.0,
        mixup: float = 0.0,
    ) -> None:
        super().__init__()
        self._pictures, self._size, self._labels, self._weights = pictures, size, labels, class_weights
        self._batch_size = batch_size
        self._seed, self._augment, self._water, self._pool = seed, augment, water, pool
        self._smoothing, self._mixup = smoothing, mixup
        self._rows = np.arange(len(labels))
        self._varied = np.zeros(len(labels), bool)
        self._epoch = 0
        self._coming: dict[tuple[int, int], list[Future[NDArray[np.uint8]]]] = {}
        self.show(0)

    def __len__(self) -> int:
        return math.ceil(len(self._labels) / self._batch_size)

    def __getitem__(self, number: int) -> Batch:
        epoch = self._epoch
        for coming in range(number, min(number + _AHEAD + 1, len(self))):
            if (epoch, coming) not in self._coming:
                self._coming[epoch, coming] = [self._pool.submit(self._view, int(row)) for row in self._of(coming)]
        x = centred(np.stack([future.result() for future in self._coming.pop((epoch, number))]))
        labels = self._labels[self._of(number)]
        batch = x, targets(labels, len(self._weights), self._smoothing), self._weights[labels]
        return _mixed(batch, self._mixup, self._seed, epoch, number)

    def show(self, epoch: int) -> None:
        """Draws the epoch of this number, from 0; what was made ahead of another is forgotten."""
        for futures in self._coming.values():
            for future in futures:
                future.cancel()
        self._coming = {}
        self._epoch = epoch
        if self._seed is not None:
            self._rows, self._varied, _ = _draw(len(self._labels), self._augment, self._seed, epoch)

    def _of(self, number: int) -> NDArray[np.int64]:
        return self._rows[number * self._batch_size : (number + 1) * self._batch_size]

    def _view(self, row: int) -> NDArray[np.uint8]:
        number = self._epoch + 1 if self._varied[row] else 0
        return view(self._pictures[row], self._size, (self._seed or 0, row, number), self._water)


def _mixed(batch: Batch, alpha: float, seed: int | None, epoch: int, number: int) -> Batch:
    if not alpha or seed is None:
        return batch
    return mixed_up(batch, alpha, np.random.default_rng([seed, 19, epoch, number]))


def _draw(
    pictures: int, augment: float, seed: int, epoch: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_], np.random.Generator]:
    """The order of an epoch, which pictures it shows in an augmented view, and what further draws come from."""
    rng = np.random.default_rng([seed, 5, epoch])
    return rng.permutation(pictures), rng.random(pictures) < augment, rng


def class_weights(labels: NDArray[np.int64], classes: int, balance: float) -> NDArray[np.float32]:
    """float32 [classes]: inverse class frequency to the power ``balance``; the mean over all pictures is 1."""
    count = np.maximum(np.bincount(labels, minlength=classes), 1)
    weights = (1.0 / count) ** balance
    scaled: NDArray[np.float32] = (weights * len(labels) / (weights * count).sum()).astype(np.float32)
    return scaled
