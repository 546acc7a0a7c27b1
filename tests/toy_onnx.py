"""A real model file of a few kilobytes that keeps the whole contract: it tells colours apart, and shows where they are.

Class j answers to the mean of colour channel j % 3 (0 red, 1 green, 2 blue), less for j >= 3, so a plain red picture is
class 0 and a black one is nothing in particular. The map of a class is how much more of its colour than of the
others a cell has: zero on grey.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from realtime.contract import CAM_STRIDE, METADATA_KEY, ModelContract, Provenance, Thresholds

LABELS = ("Fish", "Octopus", "Turtle")
GAIN = 8.0  # of the logits: a saturated colour is near 1, a dull one stays below the thresholds


def toy_contract(labels: Sequence[str] = LABELS, size: int = 32, **changes: object) -> ModelContract:
    """The contract that goes with ``write_toy_model``; ``changes`` replaces any of its fields."""
    contract = ModelContract(
        labels=tuple(labels),
        input_size=size,
        thresholds=Thresholds(show=0.5, unknown=0.6),
        provenance=Provenance(run_id="toy", data_hash="0" * 64),
    )
    return replace(contract, **changes)  # type: ignore[arg-type]


def write_toy_model(
    path: Path, labels: Sequence[str] = LABELS, size: int = 32, *, contract: ModelContract | None = None
) -> Path:
    """Writes the model to ``path`` and returns it. contract: another text to put in, to see it refused, say."""
    grid, classes = size // CAM_STRIDE, len(labels)
    weights = np.full((3, classes), -0.5, np.float32)
    for label in range(classes):
        weights[label % 3, label] = 1.0
        weights[:, label] /= 1 + label // 3
    constants = {
        "weights": weights * GAIN,
        "rows": np.ascontiguousarray(weights.T),
        "white": np.array(255.0, np.float32),
        "one": np.array(1.0, np.float32),
        "nobody": np.array(0, np.int64),
        "sides": np.array([1, 2], np.int64),
        "channels": np.array([1], np.int64),
        "as_column": np.array([0, 3, 1, 1], np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["frames"], ["raw"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["raw", "white"], ["rgb"]),
        helper.make_node("ReduceMean", ["rgb", "sides"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        helper.make_node("ReduceMax", ["probabilities", "channels"], ["highest"], keepdims=0),
        helper.make_node("Sub", ["one", "highest"], ["unknown"]),
        helper.make_node("ArgMax", ["probabilities"], ["best"], axis=1, keepdims=0),
        helper.make_node("Less", ["explain", "nobody"], ["unasked"]),
        helper.make_node("Where", ["unasked", "best", "explain"], ["chosen"]),
        helper.make_node("Gather", ["rows", "chosen"], ["row"]),
        helper.make_node("Reshape", ["row", "as_column"], ["column"]),
        helper.make_node("Transpose", ["rgb"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["planes"], ["cells"], kernel_shape=[CAM_STRIDE] * 2, strides=[CAM_STRIDE] * 2),
        helper.make_node("Mul", ["cells", "column"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "channels"], ["signed"], keepdims=0),
        helper.make_node("Relu", ["signed"], ["cam"]),
    ]
    graph = helper.make_graph(
        nodes,
        "toy",
        [
            helper.make_tensor_value_info("frames", TensorProto.UINT8, ["N", size, size, 3]),
            helper.make_tensor_value_info("explain", TensorProto.INT64, ["N"]),
        ],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", classes]),
            helper.make_tensor_value_info("unknown", TensorProto.FLOAT, ["N"]),
            helper.make_tensor_value_info("cam", TensorProto.FLOAT, ["N", grid, grid]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    text = (contract if contract is not None else toy_contract(labels, size)).to_json()
    helper.set_model_props(model, {METADATA_KEY: text})
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())
    return path


def write_fragile_model(path: Path) -> Path:
    """The toy model, but for a run with a frame that is all white in it: that fails inside ONNX Runtime."""
    model = onnx.load(write_toy_model(path))
    graph = model.graph
    (last,) = [node for node in graph.node if "unknown" in node.output]
    last.output[0] = "foreign"
    nothing = np.zeros(1, np.float32)
    graph.initializer.append(numpy_helper.from_array(nothing, "nothing"))
    graph.node.extend(
        [
            helper.make_node("ReduceMin", ["mean", "channels"], ["darkest"], keepdims=0),
            helper.make_node("Floor", ["darkest"], ["white_or_not"]),
            helper.make_node("Cast", ["white_or_not"], ["place"], to=TensorProto.INT64),
            helper.make_node("Gather", ["nothing", "place"], ["added"], name="beyond_the_end"),  # there is no place 1
            helper.make_node("Add", ["foreign", "added"], ["unknown"]),
        ]
    )
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())
    return path
