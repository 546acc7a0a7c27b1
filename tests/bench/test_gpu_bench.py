"""`bench/gpu.py` on the CPU: its figures mean nothing there, but it gives them all, and counts cameras rightly."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from clips import write_clip
from onnx import TensorProto, helper, numpy_helper
from toy_onnx import write_toy_model

REPO = Path(__file__).parents[2]
sys.path.insert(0, str(REPO / "bench"))

import gpu  # noqa: E402


def test_all_figures_are_there_and_the_toy_carries_a_camera(tmp_path):
    model = write_toy_model(tmp_path / "toy.onnx")
    clip = write_clip(tmp_path / "clip.mp4", frames=60, rate=30)
    command = [sys.executable, str(REPO / "bench" / "gpu.py"), model, "--provider", "cpu", "--batch", "4"]
    done = subprocess.run(
        [*command, "--clip", clip, "--cameras", "1", "--seconds", "0.5", "--json"],
        env={**os.environ, "PYTHONPATH": str(REPO)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["provider"] == "CPUExecutionProvider"
    assert found["ceiling_tflops"] > 0
    assert found["tflops"] == pytest.approx(found["frames_per_s"] * found["gflop_per_frame"] / 1e3, abs=2e-3)
    assert [one["cameras"] for one in found["cameras_tried"]] == [1]


def test_without_a_gpu_it_says_so_in_a_sentence(tmp_path):
    model = write_toy_model(tmp_path / "toy.onnx")
    done = subprocess.run(
        [sys.executable, str(REPO / "bench" / "gpu.py"), model, "--provider", "cuda", "--clip", model],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(REPO)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: no GPU ran the model")


@pytest.mark.parametrize("carried", [0, 1, 2, 5, 7, 8, 23, 64])
def test_the_largest_number_of_cameras_is_found_without_trying_all(monkeypatch, carried):
    monkeypatch.setattr(gpu, "carry", lambda engine, clip, n, seconds: {"cameras": n, "carried": n <= carried})
    tried = gpu.cameras(None, Path("clip.mp4"), 64, 1.0)
    assert max((one["cameras"] for one in tried if one["carried"]), default=0) == carried
    assert len({one["cameras"] for one in tried}) == len(tried) <= 13


def test_products_are_counted_of_convolutions_and_dense_layers(tmp_path):
    rng = np.random.default_rng(0)
    weights = {"w": rng.random((4, 3, 3, 3), np.float32), "v": rng.random((64, 5), np.float32)}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], kernel_shape=[3, 3], pads=[1] * 4),
        helper.make_node("MaxPool", ["c"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("MatMul", ["f", "v"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 5])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "m.onnx")
    assert gpu.products_of(tmp_path / "m.onnx") == 4 * 8 * 8 * 27 + 64 * 5
