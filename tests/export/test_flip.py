"""Colours that are turned in the weights: the same answers, and no graph is changed that begins in another way."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.flip import flip_in_weights

CONSTANTS = {
    "backwards": np.array([2, 1, 0], np.int64),
    "scale": np.array(1 / 64, np.float32),
    "mean": np.array([10.0, 20.0, 40.0], np.float32),
    "planes": np.array([3.0, 5.0, 7.0], np.float32).reshape(3, 1, 1),
    "weights": np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32),
}
SHAPES = {"features": ["N", 4, 8, 8], "other": [3], "bgr": ["N", 8, 8, 3], "seen": ["N", 8, 8, 3]}
FLIP = helper.make_node("Gather", ["frames", "backwards"], ["bgr"], axis=3)
USUAL = [
    helper.make_node("Mul", ["bgr", "scale"], ["scaled"]),
    helper.make_node("Sub", ["scaled", "mean"], ["centred"]),
    helper.make_node("Transpose", ["centred"], ["first"], perm=[0, 3, 1, 2]),
    helper.make_node("Div", ["first", "planes"], ["divided"]),
    helper.make_node("Conv", ["divided", "weights"], ["features"], pads=[1, 1, 1, 1]),
]


def model(*nodes: onnx.NodeProto, outputs: tuple[str, ...] = ("features",)) -> onnx.ModelProto:
    graph = helper.make_graph(
        [*nodes],
        "colours",
        [helper.make_tensor_value_info("frames", TensorProto.FLOAT, ["N", 8, 8, 3])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, SHAPES[name]) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in CONSTANTS.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)


def answers(of: onnx.ModelProto) -> list[np.ndarray]:
    frames = np.random.default_rng(1).integers(0, 256, (2, 8, 8, 3)).astype(np.float32)
    session = ort.InferenceSession(of.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(None, {"frames": frames}))


@pytest.mark.parametrize("also", [[], [helper.make_node("Identity", ["mean"], ["other"])]])
def test_the_answers_stay_and_the_flip_is_gone_also_where_a_constant_has_another_use(also):
    outputs = ("features", "other") if also else ("features",)
    before = model(FLIP, *USUAL, *also, outputs=outputs)
    after = onnx.ModelProto.FromString(before.SerializeToString())
    assert flip_in_weights(after)
    onnx.checker.check_model(after, full_check=True)
    assert "Gather" not in {node.op_type for node in after.graph.node}
    assert len(after.graph.initializer) == len(CONSTANTS) - 1 + len(also)  # nothing is left that nobody uses
    for ours, truth in zip(answers(after), answers(before), strict=True):
        np.testing.assert_allclose(ours, truth, atol=1e-4)
    assert not flip_in_weights(after)


@pytest.mark.parametrize(
    "other",
    [
        model(helper.make_node("Identity", ["frames"], ["bgr"]), *USUAL),
        model(FLIP, *USUAL, outputs=("features", "bgr")),
        model(FLIP, *USUAL, helper.make_node("Relu", ["centred"], ["seen"]), outputs=("features", "seen")),
        model(FLIP, helper.make_node("Softmax", ["bgr"], ["scaled"], axis=3), *USUAL[1:]),
        model(FLIP, helper.make_node("Mul", ["bgr", "bgr"], ["scaled"]), *USUAL[1:]),
        model(FLIP, helper.make_node("Mul", ["bgr", "frames"], ["scaled"]), *USUAL[1:]),
        model(FLIP, helper.make_node("Transpose", ["bgr"], ["centred"], perm=[0, 1, 3, 2]), *USUAL[2:3], *USUAL[4:]),
    ],
    ids=["no flip", "flip is an answer", "two users", "softmax", "by itself", "by the picture", "turned"],
)
def test_a_graph_that_begins_otherwise_stays_as_it_is(other):
    before = other.SerializeToString()
    assert not flip_in_weights(other)
    assert other.SerializeToString() == before
