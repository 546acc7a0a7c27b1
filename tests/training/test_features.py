"""The feature cache holds what the frozen network says of every view, and leaves nothing behind."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras")

from realtime.errors import ResultsError, WeightsError
from training import views
from training.augment import view
from training.features import FeatureCache
from training.model import build_model, build_trunk, predict
from training.progress import Silent


@pytest.fixture(scope="module")
def model():
    return build_model(2, 32, dense_units=4)


@pytest.fixture
def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 40, 40, 3), np.uint8)


def test_every_view_has_its_features_in_its_place(model, pictures, tmp_path: Path) -> None:
    with FeatureCache(tmp_path, model, ("block4_pool", "gap"), 32) as cache:
        cache.fill("train", pictures, 3, 9, 4, Silent())  # batches of 4 straddle the pictures
        pools, gap = cache["block4_pool", "train"], cache["gap", "train"]
        assert pools.shape == (5, 3, 2, 2, 512)
        assert pools.dtype == np.float16
        assert gap.shape == (5, 3, 512)
        for picture, which in ((0, 0), (1, 2), (4, 2)):
            frame = view(pictures[picture], 32, (9, picture, which))[None]
            pool, mean = build_trunk(model, ("block4_pool", "gap")).predict_on_batch(frame.astype(np.float32))
            np.testing.assert_allclose(pools[picture, which], pool[0], rtol=2e-3, atol=1e-3)
            np.testing.assert_allclose(gap[picture, which], mean[0], rtol=1e-4, atol=1e-4)
        assert list(tmp_path.glob(".features/*.npy"))
    assert not list(tmp_path.iterdir())


def test_a_head_alone_needs_the_pooled_features_only(model, pictures, tmp_path: Path) -> None:
    with FeatureCache(tmp_path, model, ("gap",), 32) as cache:
        cache.fill("validation", pictures, 1, 0, 4, Silent())
        plain = np.stack([view(picture, 32, (0, i, 0)) for i, picture in enumerate(pictures)])
        expected = predict(build_trunk(model, ("gap",)), plain, 5)
        np.testing.assert_allclose(cache["gap", "validation"][:, 0], expected, rtol=1e-4, atol=1e-4)
        assert len(list(tmp_path.glob(".features/*.npy"))) == 1


def test_features_in_bfloat16_are_others_and_are_not_taken_for_exact_ones(model, pictures, tmp_path: Path) -> None:
    exact = {}
    for mixed in (False, True):
        with FeatureCache(tmp_path, model, ("gap",), 32, mixed_precision=mixed, keep=True) as cache:
            cache.fill("train", pictures, 2, 0, 4, counted := Counting())
            assert counted.views == 10
            exact[mixed] = np.array(cache["gap", "train"])
    assert 0 < np.abs(exact[True] - exact[False]).max() < 0.03 * exact[False].max()


class Counting(Silent):
    """Counts the views computed, and breaks off after so many."""

    def __init__(self, breaks_after: int | None = None) -> None:
        self.views = 0
        self._breaks_after = breaks_after

    def advance(self, steps: int = 1, note: str = "") -> None:
        self.views += steps
        if self._breaks_after is not None and self.views >= self._breaks_after:
            raise KeyboardInterrupt


def test_the_files_go_when_the_work_fails_of_itself(model, pictures, tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="full"), FeatureCache(tmp_path, model, ("gap",), 32) as cache:  # noqa: PT012
        cache.fill("train", pictures, 1, 0, 4, Silent())
        raise ResultsError("full")
    assert not list(tmp_path.iterdir())


def test_features_that_were_computed_before_a_break_are_not_computed_again(
    model, pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "_NOTE_EVERY", 2)
    with pytest.raises(KeyboardInterrupt), FeatureCache(tmp_path, model, ("block4_pool", "gap"), 32) as cache:
        cache.fill("train", pictures, 2, 9, 2, Counting(breaks_after=6))
    with FeatureCache(tmp_path, model, ("block4_pool", "gap"), 32) as cache:
        told = Counting()
        trunk = Counting()
        monkeypatch.setattr(cache, "_trunk", Watched(cache._trunk, trunk))
        cache.fill("train", pictures, 2, 9, 2, told)
        assert (told.views, trunk.views) == (10, 6), "of 10 views 4 were noted before the break"
        resumed = {name: np.array(cache[name, "train"]) for name in ("block4_pool", "gap")}
    assert not list(tmp_path.iterdir())
    with FeatureCache(tmp_path, model, ("block4_pool", "gap"), 32) as cache:
        cache.fill("train", pictures, 2, 9, 2, Silent())
        for name, values in resumed.items():
            np.testing.assert_array_equal(values, cache[name, "train"])


class Watched:
    """A trunk that tells how many views it was given."""

    def __init__(self, trunk, counting: Counting) -> None:
        self._trunk, self._counting = trunk, counting
        self.weights = trunk.weights

    def predict_on_batch(self, batch: np.ndarray) -> object:
        self._counting.advance(len(batch))
        return self._trunk.predict_on_batch(batch)


@pytest.mark.parametrize("other", ["pictures", "views", "seed", "weights", "note"])
def test_features_of_something_else_are_computed_anew(other: str, model, pictures, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), FeatureCache(tmp_path, model, ("gap",), 32) as cache:  # noqa: PT012
        cache.fill("train", pictures, 2, 0, 4, Silent())
        raise KeyboardInterrupt
    trained = build_model(2, 32, dense_units=4, seed=1) if other == "weights" else model
    if other == "note":
        (tmp_path / ".features/train.json").write_text("{")
    changed = pictures[::-1] if other == "pictures" else pictures
    with FeatureCache(tmp_path, trained, ("gap",), 32) as cache:
        counted = Counting()
        cache._trunk = Watched(cache._trunk, counted)
        cache.fill("train", changed, 3 if other == "views" else 2, 1 if other == "seed" else 0, 4, Silent())
        assert counted.views == (15 if other == "views" else 10)


def test_a_full_disk_is_told_before_the_work(model, pictures, tmp_path: Path, monkeypatch) -> None:
    real = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: real._replace(free=1000))
    with (
        FeatureCache(tmp_path, model, ("block4_pool", "gap"), 32) as cache,
        pytest.raises(ResultsError, match=r"the features of the train pictures need 0\.0 GB for 10 views.*fewer"),
    ):
        cache.fill("train", pictures, 2, 0, 4, Silent())


def test_activations_beyond_half_precision_are_refused(pictures, tmp_path: Path) -> None:
    model = build_model(2, 32, dense_units=4)
    kernel, bias = model.get_layer("block1_conv1").get_weights()
    model.get_layer("block1_conv1").set_weights([kernel * 1e6, bias])
    with (
        FeatureCache(tmp_path, model, ("block4_pool", "gap"), 32) as cache,
        pytest.raises(WeightsError, match=r"block4_pool: activations up to .* beyond half precision"),
    ):
        cache.fill("train", pictures, 1, 0, 4, Silent())
