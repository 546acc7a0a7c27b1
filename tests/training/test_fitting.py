"""A stage ends with its best weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from training.batches import ViewBatches  # noqa: E402
from training.fitting import fit_stage  # noqa: E402
from training.options import OPTIMIZERS, TrainOptions  # noqa: E402
from training.progress import Silent  # noqa: E402
from training.stages import Stage  # noqa: E402

OPTIONS = TrainOptions(data=(Path("d"),), out=Path("o"), patience=4)
HEAD = Stage("head", 0, 12, 0.05)


def linear_problem() -> tuple[ViewBatches, ViewBatches]:
    rng = np.random.default_rng(0)
    labels = np.tile([0, 1], 40)
    features = rng.normal(0, 1, (80, 2, 4)).astype(np.float32)
    features[..., 0] += np.where(labels, 2.5, -2.5)[:, None]
    even = np.ones(2, np.float32)
    return (
        ViewBatches(features[:60], labels[:60], even, 16, seed=0),
        ViewBatches(features[60:], labels[60:], even, 16, seed=None),
    )


def small_tail() -> object:
    return keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(2, kernel_initializer=keras.initializers.GlorotUniform(seed=1))]
    )


def test_a_stage_learns_stops_early_and_keeps_its_best_weights() -> None:
    train, validation = linear_problem()
    tail = small_tail()
    rows = fit_stage(HEAD, tail, train, validation, OPTIONS, Silent())
    best = max(row.val_accuracy for row in rows)
    assert best >= 0.95
    assert len(rows) < HEAD.epochs, "patience ends a stage that gets no better"
    assert [row.epoch for row in rows] == list(range(1, len(rows) + 1))
    assert {row.stage for row in rows} == {"head"}
    shown = np.concatenate([validation[i][0] for i in range(len(validation))])
    found = keras.ops.convert_to_numpy(tail.predict_on_batch(shown)).argmax(axis=1)
    truth = np.concatenate([validation[i][1] for i in range(len(validation))]).argmax(axis=1)
    assert (found == truth).mean() == pytest.approx(best)


def test_the_learning_rate_falls_along_a_cosine_from_the_rate_of_its_stage() -> None:
    train, validation = linear_problem()
    options, stage = replace(OPTIONS, patience=99), Stage("block5", 12, 3, 0.01)
    rates = [row.learning_rate for row in fit_stage(stage, small_tail(), train, validation, options, Silent())]
    assert len(rates) == 3
    assert 0.01 > rates[0] > rates[1] > rates[2]
    assert rates[2] == pytest.approx(0.0001, rel=0.05)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_averaged_weights_are_what_is_validated_and_kept_and_training_goes_on_from_the_others(optimizer: str) -> None:
    """The oracle averages by hand, over the weights of a training that averages nothing."""
    train, validation = linear_problem()
    steps: list[np.ndarray] = []

    class Steps(Silent):
        def advance(self, count: int = 1, note: str = "") -> None:
            steps.append(keras.ops.convert_to_numpy(plain.weights[0]).copy())

    stage, options = replace(HEAD, epochs=1), replace(OPTIONS, optimizer=optimizer)
    plain, averaged = small_tail(), small_tail()
    (alone,) = fit_stage(stage, plain, train, validation, options, Steps())
    (row,) = fit_stage(stage, averaged, train, validation, replace(options, ema=0.5), Silent())
    assert row.loss == pytest.approx(alone.loss), "the training itself is the same"
    expected = steps[0]
    for step in steps[1:]:
        expected = 0.5 * expected + 0.5 * step
    found = keras.ops.convert_to_numpy(averaged.weights[0])
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert np.abs(found - steps[-1]).max() > 1e-3
    shown = np.concatenate([validation[i][0] for i in range(len(validation))])
    truth = np.concatenate([validation[i][1] for i in range(len(validation))]).argmax(axis=1)
    answers = keras.ops.convert_to_numpy(averaged.predict_on_batch(shown)).argmax(axis=1)
    assert (answers == truth).mean() == pytest.approx(row.val_accuracy)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_learns(optimizer: str) -> None:
    options = replace(OPTIONS, optimizer=optimizer)
    rows = fit_stage(HEAD, small_tail(), *linear_problem(), options, Silent())
    assert max(row.val_accuracy for row in rows) >= 0.9
