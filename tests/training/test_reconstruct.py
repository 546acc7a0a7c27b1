"""The layers of a narrower network say what those of the full one say, as far as their channels allow."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from realtime.errors import WeightsError  # noqa: E402
from training.model import build_model, predict  # noqa: E402
from training.progress import Silent  # noqa: E402
from training.reconstruct import reconstruct  # noqa: E402
from training.survey import patches, survey  # noqa: E402

WIDTHS = (8, 8, 16, 16, 16, 16, 16, 24, 24, 24, 24, 24, 24)


@pytest.fixture(scope="module")
def full() -> keras.Model:
    return build_model(3, 48, dense_units=8, widths=WIDTHS)


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (24, 48, 48, 3), np.uint8)


def test_with_every_channel_kept_the_network_is_the_full_one(full: keras.Model, pictures: np.ndarray) -> None:
    found = survey(full, pictures, 0, Silent())
    other = build_model(3, 48, dense_units=8, widths=WIDTHS, seed=9)
    reconstruct(full, other, [np.arange(width) for width in WIDTHS], found, pictures, Silent())
    truth = predict(full, pictures, 8)
    assert np.abs(predict(other, pictures, 8) - truth).max() < 0.01 * np.abs(truth).max()


def test_fitting_makes_good_most_of_what_taking_channels_away_costs(full: keras.Model, pictures: np.ndarray) -> None:
    found = survey(full, pictures, 0, Silent())
    kept = [e.kept(int(e.widths[len(e.widths) // 4])) for e in found.eliminations] + [np.arange(WIDTHS[-1])]
    fitted, cut = (build_model(3, 48, dense_units=8, widths=[len(k) for k in kept]) for _ in range(2))
    reconstruct(full, fitted, kept, found, pictures, Silent())
    before = np.arange(3)
    for name, channels in zip([layer.name for layer in full.layers if "conv" in layer.name], kept, strict=True):
        kernel, bias = full.get_layer(name).get_weights()
        cut.get_layer(name).set_weights([kernel[:, :, before][..., channels], bias[channels]])
        before = channels
    for name in ("hidden", "logits"):
        cut.get_layer(name).set_weights(full.get_layer(name).get_weights())
    truth = predict(full, pictures, 8)
    losses = [float(np.square(predict(model, pictures, 8) - truth).mean()) for model in (fitted, cut)]
    assert losses[0] < 0.5 * losses[1]


def test_activations_beyond_half_precision_are_refused(full: keras.Model, pictures: np.ndarray) -> None:
    found = survey(full, pictures, 0, Silent())
    loud = build_model(3, 48, dense_units=8, widths=WIDTHS)
    loud.set_weights(full.get_weights())
    kernel, bias = loud.get_layer("block1_conv1").get_weights()
    loud.get_layer("block1_conv1").set_weights([kernel, bias + 1e6])
    other = build_model(3, 48, dense_units=8, widths=WIDTHS)
    with pytest.raises(WeightsError, match="beyond half precision"):
        reconstruct(loud, other, [np.arange(width) for width in WIDTHS], found, pictures, Silent())


def test_a_patch_is_the_window_that_a_convolution_sees() -> None:
    rng = np.random.default_rng(3)
    maps = rng.normal(size=(2, 5, 7, 3)).astype(np.float32)
    kernel = rng.normal(size=(3, 3, 3, 4)).astype(np.float32)
    positions = np.stack([rng.integers(5, size=(2, 6)), rng.integers(7, size=(2, 6))], axis=-1)
    truth = keras.ops.convert_to_numpy(keras.ops.conv(maps, kernel, padding="same", data_format="channels_last"))
    found = patches(maps, positions) @ kernel.reshape(27, 4)
    expected = np.concatenate([truth[i, positions[i, :, 0], positions[i, :, 1]] for i in range(2)])
    np.testing.assert_allclose(found, expected, atol=1e-4)
