"""Trains one part of the network: a stage of epochs.

A stage that was cut off goes on exactly where it was: what an epoch shows depends on its number alone, and everything
else is kept after every epoch (``training.checkpoint``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

from training.batches import Batches
from training.callbacks import EpochRow, StageProgress
from training.checkpoint import Checkpoint
from training.options import TrainOptions
from training.progress import Reporter
from training.stages import Stage

FINAL_RATE = 0.01  # share of the first learning rate that is left at the end of the cosine


def fit_stage(
    stage: Stage,
    tail: keras.Model,
    train: Batches,
    validation: keras.utils.PyDataset,
    options: TrainOptions,
    reporter: Reporter,
    kept: Path | None = None,
    *,
    until: int | None = None,
) -> list[EpochRow]:
    """Trains ``tail`` in place and leaves it with the weights of its best epoch by validation accuracy.

    kept: the file that holds the state after every epoch; when it holds one of this stage already, training goes on
    from there. until: stop behind this epoch of the stage though more are planned; with ``kept`` a later call goes on
    as if there had been no stop. Returns the epochs as they were. Raises ResultsError for that file.
    """
    checkpoint = Checkpoint(stage.name, tail, kept, options.patience)
    schedule = keras.optimizers.schedules.CosineDecay(stage.rate, stage.epochs * len(train), alpha=FINAL_RATE)
    tail.compile(
        optimizer=make_optimizer(options.optimizer, schedule, options.ema),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),  # the targets are smoothed where they are made
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
        jit_compile=False,  # XLA's and torch.compile's start-up outlast what they save on this short chain
    )
    checkpoint.restore()
    done = len(checkpoint.rows)
    if done:
        reporter.say(f"{stage.name}: going on after epoch {done}")
    last = stage.epochs if until is None else min(until, stage.epochs)
    if done < last and not checkpoint.patience_is_over:
        train.show(stage.begins + done)  # Keras looks at the first batch before the first epoch begins
        tail.fit(
            train,
            validation_data=validation,
            initial_epoch=done,
            epochs=last,
            verbose=0,
            shuffle=False,  # the batches shuffle pictures; Keras would only shuffle whole batches
            callbacks=[
                keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: train.show(stage.begins + epoch)),
                StageProgress(stage.name, reporter, checkpoint.rows),
                checkpoint,
            ],
        )
    checkpoint.take_best()
    return checkpoint.rows


def make_optimizer(
    name: str, rate: keras.optimizers.schedules.LearningRateSchedule, ema: float = 0.0
) -> keras.optimizers.Optimizer:
    """One of ``OPTIMIZERS`` in the setting that fine-tuning knows it by; with ``ema`` it averages the weights, too."""
    averaging: dict[str, Any] = {"use_ema": True, "ema_momentum": ema} if ema else {}
    if name == "sgd":
        return keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, **averaging)
    if name == "adamw":
        optimizer = keras.optimizers.AdamW(rate, weight_decay=0.01, **averaging)
        optimizer.exclude_from_weight_decay(var_names=["bias"])
        return optimizer
    return keras.optimizers.Adam(rate, **averaging)
