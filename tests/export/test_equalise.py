"""Weights that are evened out compute the same."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from narrow import blotches, narrow_contract, narrow_model, narrow_unknown

pytest.importorskip("tensorflow")

import onnx
import onnxruntime as ort
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from export.equalise import convolution_pairs, equalised
from export.graph import deployed, take_apart
from export.onnx_file import convert, save
from realtime.engine import Engine


def run(model: onnx.ModelProto, x: np.ndarray) -> list[np.ndarray]:
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, {"x": x})


def chain(
    rng: np.random.Generator, channels: list[int], *, pooled: bool = True, outputs: tuple[str, ...] = ()
) -> onnx.ModelProto:
    """Convolutions of 3 x 3 with very uneven channels, ReLU behind each, pooling behind the first."""
    nodes, constants, at = [], {}, "x"
    for i, (before, after) in enumerate(itertools.pairwise(channels)):
        uneven = np.exp(rng.normal(0, 2, (after, 1, 1, 1)))
        constants[f"w{i}"] = (rng.normal(0, 1, (after, before, 3, 3)) * uneven).astype(np.float32)
        constants[f"b{i}"] = rng.normal(0, 1, after).astype(np.float32)
        nodes.append(helper.make_node("Conv", [at, f"w{i}", f"b{i}"], [f"c{i}"], pads=[1] * 4, kernel_shape=[3, 3]))
        nodes.append(helper.make_node("Relu", [f"c{i}"], [f"r{i}"]))
        at = f"r{i}"
        if pooled and i == 0:
            nodes.append(helper.make_node("MaxPool", [at], ["p0"], kernel_shape=[2, 2], strides=[2, 2]))
            at = "p0"
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "chain",
        [value("x", TensorProto.FLOAT, [1, channels[0], 8, 8])],
        [value(name, TensorProto.FLOAT, ["N", "C", "H", "W"]) for name in (*outputs, at)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def weights(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), depth=st.integers(2, 5), pooled=st.booleans())
def test_the_function_stays_and_the_channels_of_a_pair_become_alike(seed: int, depth: int, pooled: bool) -> None:
    rng = np.random.default_rng(seed)
    model = chain(rng, [3, *rng.integers(1, 7, depth)], pooled=pooled)
    even = equalised(model)
    onnx.checker.check_model(even)
    x = rng.normal(0, 1, (1, 3, 8, 8)).astype(np.float32)
    (truth,), (ours,) = run(model, x), run(even, x)
    np.testing.assert_allclose(ours, truth, atol=1e-5 * max(1.0, np.abs(truth).max()))
    after = weights(even)
    for i in range(depth - 1):
        out = np.abs(after[f"w{i}"]).max(axis=(1, 2, 3))
        into = np.abs(after[f"w{i + 1}"]).max(axis=(0, 2, 3))
        np.testing.assert_allclose(out, into, rtol=0.02)


def test_what_is_read_elsewhere_too_keeps_its_scale() -> None:
    """The first ReLU is an output of the graph, as the explained layer's is read by the map."""
    model = chain(np.random.default_rng(1), [3, 4, 5, 4], outputs=("r0",))
    assert [(a.output[0], b.output[0]) for a, b in convolution_pairs(model.graph)] == [("c1", "c2")]
    x = np.ones((1, 3, 8, 8), np.float32)
    for ours, truth in zip(run(equalised(model), x), run(model, x), strict=True):
        np.testing.assert_allclose(ours, truth, atol=1e-5 * np.abs(truth).max())


def test_channels_without_weights_and_weights_of_two_convolutions_are_left_alone() -> None:
    model = chain(np.random.default_rng(2), [3, 4, 4, 4])
    dead = next(tensor for tensor in model.graph.initializer if tensor.name == "w0")
    values = numpy_helper.to_array(dead).copy()
    values[1] = 0
    dead.CopyFrom(numpy_helper.from_array(values, "w0"))
    even = weights(equalised(model))
    assert all(np.isfinite(array).all() for array in even.values())
    assert not even["w0"][1].any()
    model.graph.node[-2].input[1] = "w1"
    assert [(a.output[0], b.output[0]) for a, b in convolution_pairs(model.graph)] == []


def test_the_exported_network_says_the_same_and_its_map_too(tmp_path: Path) -> None:
    contract = narrow_contract()
    model = convert(deployed(take_apart(narrow_model(), contract), contract, narrow_unknown()))
    even = equalised(model)
    assert len(convolution_pairs(model.graph)) == 12  # the thirteenth is what the map is of
    found = []
    for name, one in (("plain", model), ("even", even)):
        save(one, contract, tmp_path / f"{name}.onnx")
        with Engine.open(tmp_path / f"{name}.onnx", provider="cpu") as engine:
            found.append(engine.run(blotches(8, seed=5), np.arange(8) % 3))
    for field in ("probabilities", "unknown", "cam"):
        np.testing.assert_allclose(getattr(found[1], field), getattr(found[0], field), atol=1e-5)
