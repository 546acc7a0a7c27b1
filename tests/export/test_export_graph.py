"""The deployed graph, run by TensorFlow, against the model it is made of and against a gradient tape."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from narrow import blotches, narrow_contract, narrow_model, narrow_unknown

keras = pytest.importorskip("keras")
pytest.importorskip("tensorflow")

from export.graph import deployed, take_apart  # noqa: E402
from export.oracle import Oracle  # noqa: E402
from realtime.errors import ContractError, ExportError  # noqa: E402


@pytest.fixture(scope="module", params=[64, 144])
def size(request: pytest.FixtureRequest) -> int:
    """At 144 px block5 is 9 x 9 and its pooling drops a row and a column."""
    return request.param


@pytest.fixture(scope="module")
def model(size: int) -> Any:
    return narrow_model(size)


@pytest.fixture(scope="module")
def function(model: Any, size: int) -> Any:
    contract = narrow_contract(size, cam_scale=0.25)
    return deployed(take_apart(model, contract), contract, narrow_unknown())


@pytest.fixture(scope="module")
def frames(size: int) -> np.ndarray:
    return blotches(4, size)


def ask(function: Any, frames: np.ndarray, explain: list[int]) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in function(frames, np.array(explain, np.int64)).items()}


def test_the_map_of_every_class_is_that_of_the_gradient_tape(function, model, frames, size) -> None:
    oracle = Oracle(model, narrow_contract(size, cam_scale=0.25), narrow_unknown())
    maps = []
    for label in range(3):
        ours = ask(function, frames, [label] * 4)
        truth = oracle.ask(frames, np.full(4, label))
        assert ours["cam"].shape == (4, size // 16, size // 16)
        np.testing.assert_allclose(ours["cam"], truth.cam, rtol=0, atol=2e-6 * truth.cam.max())
        maps.append(ours["cam"])
    assert min(cam.max() for cam in maps) > 0
    assert not np.allclose(maps[0], maps[1])
    assert not np.allclose(maps[1], maps[2])


def test_minus_one_explains_the_most_probable_class(function, frames) -> None:
    ours = ask(function, frames, [-1] * 4)
    labels = ours["probabilities"].argmax(axis=1)
    np.testing.assert_array_equal(ours["cam"], ask(function, frames, labels.tolist())["cam"])


def test_probabilities_are_tempered_and_unknown_is_the_plain_arithmetic(function, model, frames) -> None:
    ours = ask(function, frames, [-1] * 4)
    logits = model(frames.astype(np.float32), training=False).numpy().astype(np.float64) / 1.3
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(ours["probabilities"], softmax, atol=1e-6)
    averages = keras.Model(model.input, model.get_layer("gap").output)(frames.astype(np.float32)).numpy()
    expected = narrow_unknown()(averages, logits * 1.3)
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(ours["unknown"], expected, atol=1e-5)


def test_prototypes_of_other_features_are_refused(model, size) -> None:
    contract = narrow_contract(size)
    with pytest.raises(ContractError, match=r"unknown\.npz: prototypes of 31 features, but the last block has 32"):
        deployed(take_apart(model, contract), contract, narrow_unknown(31))


def test_hidden_units_that_are_off_take_no_part(function, model, frames) -> None:
    ends = [model.get_layer(name).output for name in ("block5_conv3", "gap")]
    activations, pooled = (part.numpy() for part in keras.Model(model.input, ends)(frames.astype(np.float32)))
    inner, outer = model.get_layer("hidden"), model.get_layer("logits")
    on = pooled @ inner.kernel.numpy() + inner.bias.numpy() > 0
    assert 0 < on.mean() < 1
    grid = activations.shape[1]

    def cam(mask: np.ndarray) -> np.ndarray:
        alphas = (mask * outer.kernel.numpy()[:, 0]) @ inner.kernel.numpy().T / grid**2 / 0.25
        return np.maximum(np.einsum("nhwk,nk->nhw", activations, alphas), 0)

    ours = ask(function, frames, [0] * 4)["cam"]
    np.testing.assert_allclose(ours, cam(on), atol=1e-5 * ours.max())
    assert np.abs(ours - cam(np.ones_like(on))).max() > 0.01 * ours.max()


def test_a_frame_is_the_same_alone_and_among_others(function, frames) -> None:
    together = ask(function, frames[:3], [0, -1, 2])
    for i, explain in enumerate([0, -1, 2]):
        alone = ask(function, frames[i : i + 1], [explain])
        for name, value in alone.items():
            np.testing.assert_allclose(value[0], together[name][i], atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"classes": 4}, "labels: 4 in contract.json"),
        ({"size": 96}, "input_size: 96 in contract.json"),
        ({"cam_layer": "block6_conv1"}, "block6_conv1"),
    ],
)
def test_a_contract_that_contradicts_the_model_is_refused_by_field(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ContractError, match=named):
        take_apart(narrow_model(64), narrow_contract(**changes))


def test_another_layer_than_the_last_convolution_is_refused() -> None:
    with pytest.raises(ExportError, match="no closed form"):
        take_apart(narrow_model(64), narrow_contract(cam_layer="block5_conv2"))


def test_a_head_that_ends_in_softmax_is_refused() -> None:
    model = narrow_model(64)
    model.get_layer("logits").activation = keras.activations.softmax
    with pytest.raises(ExportError, match="linear logits"):
        take_apart(model, narrow_contract())


def test_a_flatten_head_is_refused() -> None:
    whole = narrow_model(64)
    flat = keras.layers.Flatten()(whole.get_layer("block5_pool").output)
    model = keras.Model(whole.inputs, keras.layers.Dense(3, name="logits")(flat))
    with pytest.raises(ExportError, match="flatten"):
        take_apart(model, narrow_contract())
