"""Batches show every picture once per epoch, and a stage ends with its best weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from training.fitting import ViewBatches, class_weights, fit_stage  # noqa: E402
from training.options import TrainOptions  # noqa: E402
from training.progress import Silent  # noqa: E402

OPTIONS = TrainOptions(data=(Path("d"),), out=Path("o"), head_epochs=12, epochs=3, patience=4, learning_rate=0.05)


def marked(pictures: int, views: int) -> np.ndarray:
    """Features [N, K, 2] that say which picture and which view they are."""
    return np.stack(np.meshgrid(np.arange(pictures), np.arange(views), indexing="ij"), axis=-1).astype(np.float16)


def epoch_of(batches: ViewBatches) -> np.ndarray:
    return np.concatenate([batches[i][0] for i in range(len(batches))])


def test_an_epoch_shows_every_picture_once_by_some_view_in_another_order() -> None:
    batches = ViewBatches(marked(50, 4), np.zeros(50, int), np.ones(2, np.float32), 8, seed=0)
    assert len(batches) == 7
    first = epoch_of(batches)
    batches.show(1)
    second = epoch_of(batches)
    for epoch in (first, second):
        assert sorted(epoch[:, 0]) == list(range(50))
        assert set(epoch[:, 1]) == {0, 1, 2, 3}
        assert epoch.dtype == np.float32
    assert not np.array_equal(first, second)
    batches.show(0)
    assert np.array_equal(epoch_of(batches), first), "an epoch depends on its number alone"


def test_validation_shows_the_plain_view_in_order() -> None:
    batches = ViewBatches(marked(5, 3), np.zeros(5, int), np.ones(2, np.float32), 2, seed=None)
    batches.show(3)
    assert epoch_of(batches).tolist() == [[i, 0] for i in range(5)]


def test_labels_and_weights_go_with_their_picture() -> None:
    labels = np.array([0, 1, 2, 1])
    batches = ViewBatches(marked(4, 1), labels, np.array([1, 2, 3], np.float32), 4, seed=1)
    x, y, weight = batches[0]
    rows = x[:, 0].astype(int)
    assert y.argmax(axis=1).tolist() == labels[rows].tolist()
    assert weight.tolist() == (labels[rows] + 1).tolist()


@pytest.mark.parametrize("balance", [0.0, 0.5, 1.0])
def test_class_weights_average_to_one_over_the_pictures(balance: float) -> None:
    labels = np.repeat([0, 1], [90, 10])
    weights = class_weights(labels, 2, balance)
    assert weights[labels].mean() == pytest.approx(1.0, rel=1e-5)
    assert weights[1] / weights[0] == pytest.approx(9.0**balance, rel=1e-5)


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
    rows = fit_stage("head", tail, train, validation, OPTIONS, Silent())
    best = max(row.val_accuracy for row in rows)
    assert best >= 0.95
    assert len(rows) < OPTIONS.head_epochs, "patience ends a stage that gets no better"
    assert [row.epoch for row in rows] == list(range(1, len(rows) + 1))
    assert {row.stage for row in rows} == {"head"}
    found = keras.ops.convert_to_numpy(tail.predict_on_batch(epoch_of(validation))).argmax(axis=1)
    truth = np.concatenate([validation[i][1] for i in range(len(validation))]).argmax(axis=1)
    assert (found == truth).mean() == pytest.approx(best)


def test_the_learning_rate_falls_along_a_cosine_from_the_rate_of_its_stage() -> None:
    train, validation = linear_problem()
    options = replace(OPTIONS, fine_tune_rate=0.01, patience=99)
    rates = [row.learning_rate for row in fit_stage("fine-tune", small_tail(), train, validation, options, Silent())]
    assert len(rates) == 3
    assert 0.01 > rates[0] > rates[1] > rates[2]
    assert rates[2] == pytest.approx(0.0001, rel=0.05)
