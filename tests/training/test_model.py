"""The network is VGG16 as published, flat, and knows its own preprocessing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from training.model import (  # noqa: E402
    BLOCKS,
    CONVOLUTIONS,
    build_model,
    build_tail,
    build_trunk,
    centred,
    copy_weights,
    layer_before,
    predict,
)
from training.options import UNFREEZE  # noqa: E402


@pytest.fixture(scope="module")
def model():
    return build_model(3, 32, dense_units=8, seed=1)


@pytest.fixture
def frames() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)


def test_layers_stand_flat_under_their_standard_names(model) -> None:
    names = [layer.name for layer in model.layers]
    published = keras.applications.VGG16(include_top=False, weights=None, input_shape=(32, 32, 3))
    assert [n for n in names if n.startswith("block")] == [la.name for la in published.layers[1:]]
    assert names[-4:] == ["gap", "hidden", "dropout", "logits"]
    assert names[0] == "rgb"
    assert model.output.shape == (None, 3)


def test_it_computes_what_kerass_own_vgg16_computes(model, frames) -> None:
    published = keras.applications.VGG16(include_top=False, weights=None, input_shape=(32, 32, 3))
    copy_weights(model, published)
    prepared = keras.applications.vgg16.preprocess_input(frames.astype(np.float32))
    expected = keras.ops.convert_to_numpy(published.predict_on_batch(prepared)).mean(axis=(1, 2))
    found = predict(build_trunk(model, ("gap",)), frames, 2)
    assert expected.max() > 0.1
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_it_loads_in_safe_mode_and_says_the_same(model, frames, tmp_path: Path) -> None:
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True, compile=False)
    np.testing.assert_array_equal(predict(again, frames, 4), predict(model, frames, 4))


def test_random_activations_neither_vanish_nor_explode(model, frames) -> None:
    for name in CONVOLUTIONS[::4]:
        values = predict(build_trunk(model, (name,)), frames, 4)
        assert 0.2 < values.std() < 20, name
    assert np.abs(predict(model, frames, 4)).max() > 0.05


def test_the_seed_decides_the_weights() -> None:
    kernels = [build_model(2, 32, dense_units=4, seed=s).get_layer("block1_conv1").get_weights()[0] for s in (5, 5, 6)]
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert not np.array_equal(kernels[0], kernels[2])


@pytest.mark.parametrize("unfreeze", UNFREEZE)
def test_trunk_and_tail_together_are_the_whole(model, frames, unfreeze: str) -> None:
    cut = layer_before(unfreeze)
    features = predict(build_trunk(model, (cut,)), frames, 4)
    tail = build_tail(model, cut)
    np.testing.assert_allclose(predict(tail, features, 4), predict(model, frames, 4), rtol=1e-4, atol=1e-4)
    trained = {layer.name for layer in tail.layers if layer.weights}
    assert {name for name in trained if name.startswith("block")} == {
        name for name in CONVOLUTIONS if unfreeze != "none" and name[:6] >= unfreeze
    }


def test_a_tail_has_weights_of_its_own_until_they_are_copied_back(model) -> None:
    whole = build_model(3, 32, dense_units=8, seed=1)
    tail = build_tail(whole, "gap")
    kernel, bias = tail.get_layer("logits").get_weights()
    tail.get_layer("logits").set_weights([kernel + 1, bias])
    np.testing.assert_array_equal(whole.get_layer("logits").get_weights()[0], kernel)
    copy_weights(tail, whole)
    np.testing.assert_array_equal(whole.get_layer("logits").get_weights()[0], kernel + 1)


def test_only_what_stands_behind_a_layer_learns_when_the_whole_is_given(model, frames) -> None:
    whole = build_tail(model, "minus_mean", learns="block4_pool")
    trained = {weight.path.split("/")[0] for weight in whole.trainable_weights}
    assert trained == {"block5_conv1", "block5_conv2", "block5_conv3", "hidden", "logits"}
    np.testing.assert_allclose(predict(whole, centred(frames), 4), predict(model, frames, 4), rtol=1e-4, atol=1e-4)


def test_mixed_precision_keeps_weights_and_logits_whole_and_says_nearly_the_same(model, frames) -> None:
    mixed = build_tail(model, "minus_mean", mixed_precision=True)
    assert {str(weight.dtype) for weight in mixed.trainable_weights} == {"float32"}
    exact = predict(model, frames, 4)
    np.testing.assert_allclose(predict(mixed, centred(frames), 4), exact, atol=0.03 * np.abs(exact).max())


def test_a_trunk_in_mixed_precision_says_nearly_the_same_and_means_are_taken_whole(model, frames) -> None:
    cuts = ("minus_mean", "block3_pool", "gap")
    mixed = build_trunk(model, cuts, mixed_precision=True)
    assert {str(weight.dtype) for weight in mixed.weights} == {"float32"}
    coarse = {layer.name for layer in mixed.layers if layer.compute_dtype == "bfloat16"}
    assert coarse == {*CONVOLUTIONS, *(f"{name}_pool" for name, *_ in BLOCKS)}
    exact = build_trunk(model, cuts).predict_on_batch(frames.astype(np.float32))
    found = mixed.predict_on_batch(frames.astype(np.float32))
    np.testing.assert_array_equal(found[0], exact[0])
    for mine, theirs in zip(found[1:], exact[1:], strict=True):
        assert 0 < np.abs(np.asarray(mine, np.float32) - theirs).max() < 0.03 * np.abs(theirs).max()
