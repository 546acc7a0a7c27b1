"""Fewer bits in the convolutions, float32 everywhere else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from narrow import blotches, narrow_contract, narrow_model, narrow_unknown

pytest.importorskip("tensorflow")

import onnx

from export.graph import deployed, take_apart
from export.onnx_file import convert, save
from export.precision import RECIPES, Recipe, backbone, evenly, to_fp16, to_int8
from realtime.engine import Engine


@pytest.fixture(scope="module")
def fp32() -> onnx.ModelProto:
    contract = narrow_contract()
    return convert(deployed(take_apart(narrow_model(), contract), contract, narrow_unknown()))


def weights(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """The kernels of the convolutions."""
    return (tensor for tensor in model.graph.initializer if len(tensor.dims) == 4 and tensor.dims[2] == 3)


def predict(model: onnx.ModelProto, folder: Path, precision: str) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and maps of the same frames, through the engine."""
    save(model, narrow_contract(precision=precision), folder / "m.onnx")
    with Engine.open(folder / "m.onnx", provider="cpu") as engine:
        result = engine.run(blotches(8, seed=5), np.arange(8) % 3)
    return result.probabilities, result.cam


def test_the_backbone_is_the_convolutions_and_what_follows_them(fp32: onnx.ModelProto) -> None:
    kinds = [node.op_type for node in fp32.graph.node if node.name in set(backbone(fp32))]
    assert [kinds.count(kind) for kind in ("Conv", "Relu", "MaxPool")] == [13, 13, 5]
    assert len(kinds) == 31


def test_half_precision_halves_the_kernels_and_keeps_the_answers(fp32: onnx.ModelProto, tmp_path: Path) -> None:
    half = to_fp16(fp32)
    assert {tensor.data_type for tensor in weights(half)} == {onnx.TensorProto.FLOAT16}
    assert {tensor.data_type for tensor in weights(fp32)} == {onnx.TensorProto.FLOAT}
    assert (
        sum(node.op_type == "Cast" for node in half.graph.node)
        - sum(node.op_type == "Cast" for node in fp32.graph.node)
        == 3
    )  # into the backbone, and out of it to the average and to the map
    (probabilities, cam), (truth, true_cam) = predict(half, tmp_path, "fp16"), predict(fp32, tmp_path, "fp32")
    np.testing.assert_allclose(probabilities, truth, atol=5e-3)
    np.testing.assert_allclose(cam, true_cam, atol=1e-2 * true_cam.max())


def test_int8_quantises_the_kernels_to_seven_bits_and_nothing_of_the_head(
    fp32: onnx.ModelProto, tmp_path: Path
) -> None:
    small = to_int8(fp32, blotches(16))
    kernels = [onnx.numpy_helper.to_array(tensor) for tensor in weights(small)]
    assert len(kernels) == 13
    assert {kernel.dtype for kernel in kernels} == {np.dtype(np.int8)}
    assert max(int(np.abs(kernel.astype(int)).max()) for kernel in kernels) <= 64
    quantised = {node.input[0] for node in small.graph.node if node.op_type == "QuantizeLinear"}
    head = [node for node in small.graph.node if node.op_type in ("MatMul", "Softmax", "Gather", "Sign")]
    assert head
    assert not quantised & {name for node in head for name in node.output if node.op_type != "Gather"}
    (probabilities, cam), (truth, true_cam) = predict(small, tmp_path, "int8"), predict(fp32, tmp_path, "fp32")
    np.testing.assert_allclose(probabilities, truth, atol=0.1)
    assert np.corrcoef(cam.ravel(), true_cam.ravel())[0, 1] > 0.95


@pytest.mark.parametrize("recipe", RECIPES[1:], ids=str)
def test_other_ranges_and_ends_in_float_keep_the_answers_too(
    fp32: onnx.ModelProto, tmp_path: Path, capsys: pytest.CaptureFixture[str], recipe: Recipe
) -> None:
    small = to_int8(fp32, blotches(16), recipe)
    assert capsys.readouterr().out == ""  # stdout belongs to --json
    kinds = [onnx.numpy_helper.to_array(tensor).dtype.name for tensor in weights(small)]
    assert (kinds.count("int8"), kinds.count("float32")) == ((11, 2) if recipe.float_ends else (13, 0))
    (probabilities, _), (truth, _) = predict(small, tmp_path, "int8"), predict(fp32, tmp_path, "fp32")
    np.testing.assert_allclose(probabilities, truth, atol=0.15)


def test_an_even_selection_reaches_from_the_first_to_the_last() -> None:
    frames = np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1)
    assert evenly(frames, 4).ravel().tolist() == [0, 3, 6, 9]
    assert evenly(frames, 10) is frames
