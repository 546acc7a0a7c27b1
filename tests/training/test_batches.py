"""Batches show every picture once per epoch, and what an epoch shows depends on its number alone."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

pytest.importorskip("keras")

from training.augment import view
from training.batches import FreshBatches, ViewBatches, class_weights, mixed_up
from training.model import MEAN_BGR, centred


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


def test_mixup_blends_pictures_targets_and_weights_by_the_same_shares() -> None:
    count = 64
    names = np.eye(count, dtype=np.float32)  # which pictures a row is made of, and by how much
    x, y, weight = mixed_up((names[:, None], names, np.arange(count, dtype=np.float32)), 0.5, np.random.default_rng(0))
    np.testing.assert_array_equal(x[:, 0], y)
    np.testing.assert_allclose(y.sum(axis=1), 1.0, rtol=1e-6)
    np.testing.assert_allclose(weight, y @ np.arange(count), rtol=1e-5)
    own = y[np.arange(count), np.arange(count)]
    assert (own >= 0.5).all()
    assert 0.6 < own.mean() < 0.95, "some of each row comes from another"
    assert (np.count_nonzero(y, axis=1) <= 2).all()


def test_mixup_is_the_same_whenever_an_epoch_is_shown_and_leaves_validation_alone() -> None:
    labels = np.arange(50) % 2
    asked = (marked(50, 4), labels, np.ones(2, np.float32), 8)
    batches = ViewBatches(*asked, seed=0, mixup=0.4)
    first = epoch_of(batches)
    plain = epoch_of(ViewBatches(*asked, seed=0))
    assert first.shape == plain.shape
    assert 0.0 < np.abs(first - plain).mean() < np.abs(plain).mean()
    batches.show(1)
    assert not np.array_equal(epoch_of(batches), first)
    batches.show(0)
    assert np.array_equal(epoch_of(batches), first)
    assert epoch_of(ViewBatches(*asked, seed=None, mixup=0.4))[:, 0].tolist() == list(range(50))


def test_fresh_views_are_blended_in_their_pixels() -> None:
    pictures = np.repeat(np.arange(0, 240, 30, dtype=np.uint8), 40 * 40 * 3).reshape(8, 40, 40, 3)
    asked = (pictures, 32, np.arange(8), np.ones(8, np.float32), 8, 0)
    with ThreadPoolExecutor(2) as pool:
        x, y, _ = FreshBatches(*asked, pool, augment=0.0, mixup=1.0)[0]
    grey = x[:, 0, 0] + np.array(MEAN_BGR, np.float32)
    np.testing.assert_allclose(grey[:, 0], y @ (30.0 * np.arange(8)), atol=1e-3)
    assert (np.count_nonzero(y, axis=1) == 2).sum() >= 5


@pytest.mark.parametrize("balance", [0.0, 0.5, 1.0])
def test_class_weights_average_to_one_over_the_pictures(balance: float) -> None:
    labels = np.repeat([0, 1], [90, 10])
    weights = class_weights(labels, 2, balance)
    assert weights[labels].mean() == pytest.approx(1.0, rel=1e-5)
    assert weights[1] / weights[0] == pytest.approx(9.0**balance, rel=1e-5)


def test_augment_is_the_share_of_augmented_views() -> None:
    def shares(augment: float, views: int = 4) -> float:
        batches = ViewBatches(marked(400, views), np.zeros(400, int), np.ones(1, np.float32), 400, 0, augment)
        return float((epoch_of(batches)[:, 1] > 0).mean())

    assert (shares(0.0), shares(1.0), shares(1.0, views=1)) == (0.0, 1.0, 0.0)
    assert shares(0.3) == pytest.approx(0.3, abs=0.08)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def pictures(count: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, 20, 20, 3), np.uint8)


def test_fresh_views_are_new_in_every_epoch_and_the_same_for_the_same_epoch(pool: ThreadPoolExecutor) -> None:
    def fresh() -> FreshBatches:
        return FreshBatches(pictures(7), 16, np.arange(7) % 3, np.array([1, 2, 3], np.float32), 3, 5, pool, 1.0)

    batches = fresh()
    assert len(batches) == 3
    batches.show(4)
    first = [batches[i] for i in range(3)]
    batches.show(5)
    second = epoch_of(batches)
    batches.show(4)
    assert np.array_equal(epoch_of(batches), np.concatenate([x for x, _, _ in first])), "also after another epoch"
    resumed = fresh()
    resumed.show(5)
    resumed[0]  # as a look at the first batch does
    assert np.array_equal(epoch_of(resumed), second), "a run that goes on sees what the other would have seen"
    order = np.concatenate([y for _, y, _ in first]).argmax(axis=1)
    assert sorted(order.tolist()) == [0, 0, 0, 1, 1, 2, 2]
    assert np.concatenate([weight for _, _, weight in first]).tolist() == (order + 1).tolist()
    plain = {centred(view(p, 16, (5, i, 0))).tobytes() for i, p in enumerate(pictures(7))}
    assert not plain & {x.tobytes() for x in second}


def test_without_a_seed_fresh_batches_are_the_plain_pictures_in_order(pool: ThreadPoolExecutor) -> None:
    few = pictures(4)
    batches = FreshBatches(few, 20, np.zeros(4, int), np.ones(1, np.float32), 3, None, pool)
    batches.show(2)
    np.testing.assert_allclose(epoch_of(batches), few[..., ::-1] - np.array(MEAN_BGR, np.float32))
