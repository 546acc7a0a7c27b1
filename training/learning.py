"""Puts together what one stage learns with: the part of the network that changes, and the batches it sees."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor

import keras
import numpy as np
from numpy.typing import NDArray

from training.batches import Batches, FreshBatches, ViewBatches, class_weights
from training.callbacks import EpochRow
from training.dataset import Dataset
from training.features import FeatureCache
from training.model import build_tail, layer_before
from training.options import TrainOptions
from training.stages import HEAD, Stage

PIXELS = "minus_mean"  # the layer behind which the network is made of what `build_tail` can copy


def cuts_of(stages: Sequence[Stage], options: TrainOptions) -> tuple[str, ...]:
    """The layers whose features these stages learn from, the first of the network first; none of fresh views."""
    cached = [stage for stage in stages if stage.name == HEAD or not options.fresh_views]
    cuts = [layer_before(stage.unfreeze) for stage in reversed(cached)]
    return tuple(dict.fromkeys(cuts))


def learning_part(
    stage: Stage,
    model: keras.Model,
    cache: FeatureCache,
    data: Dataset,
    options: TrainOptions,
    pool: Executor,
    answers: NDArray[np.float32] | None = None,
) -> tuple[keras.Model, Batches, keras.utils.PyDataset]:
    """The part of ``model`` that learns in this stage, a copy; its training batches, and those of validation.

    With ``fresh_views`` the frozen layers are part of it, for they see new pixels in every epoch. answers: of a
    teacher to the cached training views (``training.teacher``).
    """
    cut = layer_before(stage.unfreeze)
    weights = class_weights(data.train.labels, len(data.labels), options.balance)
    even = np.ones_like(weights)
    train = (data.train.labels, weights, options.batch_size, options.seed)
    validation = (data.validation.labels, even, options.batch_size, None)
    smoothing, mixup = options.label_smoothing, options.mixup
    if stage.name == HEAD or not options.fresh_views:
        return (
            build_tail(model, cut, mixed_precision=options.mixed_precision),
            ViewBatches(
                cache[cut, "train"], *train, options.augment, smoothing=smoothing, answers=answers, mixup=mixup
            ),
            ViewBatches(cache[cut, "validation"], *validation, smoothing=smoothing),
        )
    size = options.image_size
    return (
        build_tail(model, PIXELS, learns=cut, mixed_precision=options.mixed_precision),
        FreshBatches(
            data.train.pixels, size, *train, pool, options.augment, options.water, smoothing=smoothing, mixup=mixup
        ),
        FreshBatches(data.validation.pixels, size, *validation, pool, smoothing=smoothing),
    )


def best(epochs: Sequence[EpochRow]) -> float:
    """The best validation accuracy of these epochs."""
    return max(row.val_accuracy for row in epochs)
