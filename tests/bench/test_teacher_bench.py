"""bench/teacher.py makes a teacher of a network that knows nothing of our classes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

pytest.importorskip("tf2onnx")

from realtime.engine import Engine
from training.photographs import find_photographs, load_photographs

SCRIPT = Path(__file__).parents[2] / "bench" / "teacher.py"


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """Its features are the mean of every colour."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["features"]),
    ]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, "h", "w"])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", 3])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "n.onnx")
    return tmp_path / "n.onnx"


def make(network: Path, photographs: Path, held: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), str(network), str(photographs), str(held), "--input-size", "32", *options]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=200)


@pytest.mark.parametrize("scale", [(), ("--mean", "0.5", "0.4", "0.3", "--std", "0.5", "0.2", "0.1")])
def test_it_names_what_its_head_was_fitted_to(
    network: Path, toy_photographs: Path, tmp_path: Path, scale: tuple[str, ...]
) -> None:
    out = tmp_path / "teacher.onnx"
    made = make(network, toy_photographs, toy_photographs, "--out", str(out), *scale)
    assert made.returncode == 0, made.stderr[-2000:]
    found = find_photographs([toy_photographs])
    photographs, _ = load_photographs(found.files, 32)
    with Engine.open(out, provider="cpu") as engine:
        assert engine.contract.labels == found.labels
        right = np.mean(engine.run(photographs.pixels).probabilities.argmax(axis=1) == photographs.labels)
    assert right > 0.9
    assert f"{out}: {right:.1%} of {len(photographs.labels)} pictures of VAL" in made.stdout


def test_photographs_that_are_not_there_are_named(network: Path, toy_photographs: Path, tmp_path: Path) -> None:
    made = make(network, toy_photographs, tmp_path / "gone", "--out", str(tmp_path / "teacher.onnx"))
    assert made.returncode == 1
    assert f"error: {tmp_path / 'gone'}: expected a folder" in made.stderr
    assert not (tmp_path / "teacher.onnx").exists()
