"""A network of another kind is measured and teaches once it is wrapped in our contract."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

pytest.importorskip("tf2onnx")

from export.wrap import MEAN, STD, wrap
from realtime.engine import Engine, read_contract
from realtime.errors import ExportError
from training.calibrate import softmax

ROOT = Path(__file__).parents[2]
WEIGHTS = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)


def write_network(path: Path, classes: int = 4, outputs: int = 1, opset: int = 17) -> Path:
    """As PyTorch writes one: normalised planes in, logits out; its tensors have the names of ours."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["frames"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["rgb"]),
        helper.make_node("MatMul", ["rgb", "one"], ["probabilities"]),
        helper.make_node("Identity", ["rgb"], ["unknown"]),
    ]
    graph = helper.make_graph(
        nodes[: 2 + outputs],
        "network",
        [helper.make_tensor_value_info("frames", TensorProto.FLOAT, ["batch", 3, "h", "w"])],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", classes]),
            helper.make_tensor_value_info("unknown", TensorProto.FLOAT, ["batch", 3]),
        ][:outputs],
        [numpy_helper.from_array(WEIGHTS[:, :classes], "one")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), path)
    return path


@pytest.mark.parametrize("opset", [13, 17, 20])
def test_the_engine_runs_it_and_its_probabilities_are_those_of_the_network(opset: int, tmp_path: Path) -> None:
    network, out = write_network(tmp_path / "resnet.onnx", opset=opset), tmp_path / "teacher.onnx"
    contract = wrap(network, out, ("a", "b", "c", "d"), 64)
    assert read_contract(out) == contract
    assert contract.provenance.run_id == "resnet"
    frames = np.random.default_rng(1).integers(0, 256, (5, 64, 64, 3), np.uint8)
    with Engine.open(out, provider="cpu") as engine:
        found = engine.run(frames)
    expected = softmax(((frames / 255 - MEAN) / STD).mean(axis=(1, 2)) @ WEIGHTS)
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-5)
    np.testing.assert_allclose(found.unknown, 1 - expected.max(axis=1), atol=1e-5)
    assert found.cam.shape == (5, 4, 4)
    assert not found.cam.any(), "an empty map looks empty"


def test_the_lines_of_the_documentation_wrap_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/training.md").read_text(encoding="utf-8"), re.DOTALL)
    write_network(tmp_path / "convnext.onnx", classes=3)
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    with Engine.open(tmp_path / "teacher.onnx", provider="cpu") as engine:
        assert len(engine.contract.labels) == 3


def test_what_is_no_such_network_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("no model")
    for network, labels, told in (
        (tmp_path / "text.onnx", "abcd", r"text\.onnx: not an ONNX model that can be read"),
        (write_network(tmp_path / "two.onnx", outputs=2), "abcd", "expected one input and one output, found 1 and 2"),
        (write_network(tmp_path / "few.onnx"), "abc", "not valid ONNX"),
    ):
        with pytest.raises(ExportError, match=told):
            wrap(network, tmp_path / "teacher.onnx", tuple(labels), 64)
    assert not (tmp_path / "teacher.onnx").exists()
