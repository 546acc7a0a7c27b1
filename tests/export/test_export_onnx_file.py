"""The converted file: the tensors of the contract, one layout, nothing unsupported."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from narrow import blotches, narrow_contract, narrow_model, narrow_unknown

pytest.importorskip("tensorflow")

import onnx
import tensorflow as tf

from export.graph import deployed, take_apart
from export.onnx_file import convert, save
from realtime.engine import Engine, read_contract
from realtime.errors import ExportError


@pytest.fixture(scope="module", params=["flip", "normalization"])
def function(request: pytest.FixtureRequest) -> Any:
    """With both ways to preprocess: Normalization keeps eager constants, which must not become inputs."""
    contract = narrow_contract()
    return deployed(take_apart(narrow_model(preprocessing=request.param), contract), contract, narrow_unknown())


@pytest.fixture(scope="module")
def converted(function: Any) -> onnx.ModelProto:
    return convert(function)


def test_the_graph_has_the_contracts_tensors_and_any_batch(converted: onnx.ModelProto) -> None:
    tensors = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*converted.graph.input, *converted.graph.output)
    }
    assert tensors == {
        "frames": ["N", 64, 64, 3],
        "explain": ["N"],
        "probabilities": ["N", 3],
        "unknown": ["N"],
        "cam": ["N", 4, 4],
    }


def test_the_layout_changes_once_at_the_input(converted: onnx.ModelProto) -> None:
    kinds = Counter(node.op_type for node in converted.graph.node)
    assert kinds["Transpose"] == 1
    assert kinds["Conv"] == 13
    assert kinds["MaxPool"] == 5
    assert kinds["Gather"] == 1  # the row of the class; the colours are flipped in the weights
    assert not kinds.keys() & {"ReverseSequence", "Loop", "If", "Shape"}


def test_onnx_runtime_agrees_with_tensorflow_for_one_and_three_frames(function, converted, tmp_path: Path) -> None:
    save(converted, narrow_contract(), tmp_path / "m.onnx")
    frames, explain = blotches(3), np.array([-1, 0, 2])
    with Engine.open(tmp_path / "m.onnx", provider="cpu") as engine:
        for count in (1, 3):
            ours = engine.run(frames[:count], explain[:count])
            truth = {name: value.numpy() for name, value in function(frames[:count], explain[:count]).items()}
            np.testing.assert_allclose(ours.probabilities, truth["probabilities"], atol=1e-6)
            np.testing.assert_allclose(ours.unknown, truth["unknown"], atol=1e-6)
            np.testing.assert_allclose(ours.cam, truth["cam"], atol=1e-5 * truth["cam"].max())


def test_the_contract_comes_back_unchanged_and_alone(converted: onnx.ModelProto, tmp_path: Path) -> None:
    contract = narrow_contract(labels=("Fish", "Méduse", "海龟"), taxonomy={"Fish": "Actinopterygii"}, cam_scale=0.37)
    save(converted, contract, tmp_path / "m.onnx")
    save(converted, contract, tmp_path / "m.onnx")
    assert read_contract(tmp_path / "m.onnx") == contract
    assert len(onnx.load(tmp_path / "m.onnx").metadata_props) == 1


def test_an_operator_that_onnx_lacks_is_an_error_not_a_broken_file() -> None:
    @tf.function(
        input_signature=[tf.TensorSpec((None, 8), tf.uint8, "frames"), tf.TensorSpec((None,), tf.int64, "explain")]
    )
    def function(frames: tf.Tensor, explain: tf.Tensor) -> dict[str, tf.Tensor]:
        values = tf.cast(frames, tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(values)
            loss = tf.reduce_sum(tf.nn.relu(values - 100.0) ** 2)
        return {"cam": tape.gradient(loss, values), "probabilities": values, "unknown": tf.cast(explain, tf.float32)}

    with pytest.raises(ExportError, match="ReluGrad"):
        convert(function)


def test_an_invalid_graph_is_refused_before_it_is_written(converted: onnx.ModelProto, tmp_path: Path) -> None:
    broken = onnx.ModelProto()
    broken.CopyFrom(converted)
    del broken.graph.node[3]
    with pytest.raises(ExportError, match="not valid ONNX"):
        save(broken, narrow_contract(), tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())
