"""The same graph with its convolutions in fewer bits; everything around them stays in float32.

Colour conversion, the head, softmax and Grad-CAM are under 1 % of the work, and it is there that small errors show.
"""

from __future__ import annotations

import io
import tempfile
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from export.equalise import equalised
from realtime.errors import ExportError

BATCH = 8
INT8_PICTURES = 128  # enough: 64 and 253 gave the same agreement within its error
HISTOGRAM_PICTURES = 32  # histograms take all activations, 120 MB a picture at 224 px, not only their ends
METHODS = {
    "full": CalibrationMethod.MinMax,
    "percentile": CalibrationMethod.Percentile,
    "entropy": CalibrationMethod.Entropy,
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """How int8 is made.

    ranges: of activations, "full" (from the lowest to the highest met), "percentile" (99.999 % of them) or "entropy"
    (the cut that changes their distribution least). equalise: weights are evened out before (``export.equalise``).
    float_ends: first and last convolution stay in float32.
    """

    ranges: str = "full"
    equalise: bool = False
    float_ends: bool = False

    def __str__(self) -> str:
        equalised = ", equalised weights" if self.equalise else ""
        return f"{self.ranges} ranges{equalised}{', first and last convolution in float32' if self.float_ends else ''}"


# In the order in which they are tried: the fastest files first, by ranges and by weights, then less of it in int8.
RECIPES = (
    *(Recipe(ranges) for ranges in METHODS),
    Recipe(equalise=True),
    *(Recipe(ranges, float_ends=True) for ranges in METHODS),
)


def to_int8(model: onnx.ModelProto, frames: NDArray[np.uint8], recipe: Recipe = RECIPES[0]) -> onnx.ModelProto:
    """Static quantisation of the backbone, one scale per output channel, ranges as met on ``frames``.

    frames: uint8 [M, S, S, 3] RGB; of more than INT8_PICTURES an even selection is used, for histograms of
    HISTOGRAM_PICTURES.
    Activations are unsigned, because behind a ReLU a sign bit is wasted and because x86 multiplies U8 by S8.
    Weights take 7 of their 8 bits: without VNNI (most laptops up to 2020) pairs of products are added in 16 bits,
    which 255 * 127 * 2 overflows silently. That costs little accuracy and no time, and one file is right everywhere.
    Raises ExportError when no ranges can be found, as of pictures that show nothing.
    """
    model = equalised(model) if recipe.equalise else model
    names = backbone(model, ends=not recipe.float_ends)
    full = recipe.ranges == "full"
    with tempfile.TemporaryDirectory(prefix="reeflens-int8-") as folder, redirect_stdout(io.StringIO()):  # it prints
        shaped, target = Path(folder) / "shaped.onnx", Path(folder) / "int8.onnx"
        # Only shapes are inferred: tf2onnx has folded what ONNX Runtime's own optimisation would.
        quant_pre_process(model, shaped, skip_optimization=True, skip_symbolic_shape=True)
        try:
            quantize_static(
                shaped,
                target,
                _Feed(evenly(frames, INT8_PICTURES if full else HISTOGRAM_PICTURES)),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                nodes_to_quantize=names,
                calibrate_method=METHODS[recipe.ranges],
                # Whatever its name says: batch after batch, where the histograms would hold all of them at once.
                extra_options={} if full else {"CalibStridedMinMax": 1},
            )
        except Exception as error:  # numpy's own, of a histogram without any width
            if full:
                raise
            raise ExportError(f"int8 with {recipe} cannot be made ({error}); nothing was written") from error
        return onnx.load(target)


def to_fp16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Weights and activations of the backbone in half precision: for GPUs, and half the file. CPUs gain nothing.

    Written out here because the converter that comes with ONNX Runtime casts to half and back between any two nodes
    it is told to leave in float32, and leaves the nodes unsorted.
    """
    half = onnx.ModelProto()
    half.CopyFrom(model)
    graph = half.graph
    names = set(backbone(half))
    inside = {name for node in graph.node if node.name in names for name in node.output}
    weights = {name for node in graph.node if node.name in names for name in node.input[1:]}
    for tensor in graph.initializer:
        if tensor.name in weights:
            values = onnx.numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    nodes: list[onnx.NodeProto] = []
    casts: set[str] = set()
    for node in graph.node:
        narrow = node.name in names
        target, suffix = (onnx.TensorProto.FLOAT16, "fp16") if narrow else (onnx.TensorProto.FLOAT, "fp32")
        for index, name in enumerate(node.input):
            if name in weights or (name in inside) == narrow:
                continue
            cast = f"{name}/{suffix}"
            if cast not in casts:
                casts.add(cast)
                nodes.append(onnx.helper.make_node("Cast", [name], [cast], name=cast, to=target))
            node.input[index] = cast
        nodes.append(node)
    del graph.node[:], graph.value_info[:]
    graph.node.extend(nodes)
    return half


def backbone(model: onnx.ModelProto, *, ends: bool = True) -> list[str]:
    """Names of the nodes worth fewer bits: the convolutions with a window, and ReLU and pooling behind them.

    ends: the first and the last of these convolutions, too.
    """
    windows = [node.name for node in model.graph.node if node.op_type == "Conv" and _window(node) > 1]
    convolutions = set(windows if ends else windows[1:-1])
    names: list[str] = []
    tensors: set[str] = set()
    for node in model.graph.node:  # in topological order, as ONNX demands
        follows = node.op_type in ("Relu", "MaxPool") and node.input[0] in tensors
        if follows or node.name in convolutions:
            names.append(node.name)
            tensors.update(node.output)
    return names


def evenly(frames: NDArray[np.uint8], most: int) -> NDArray[np.uint8]:
    """At most so many of the frames, spread evenly, so that classes stored one after another all appear."""
    if len(frames) <= most:
        return frames
    chosen: NDArray[np.uint8] = frames[np.linspace(0, len(frames) - 1, most).round().astype(int)]
    return chosen


def _window(node: onnx.NodeProto) -> int:
    shape = next(attribute.ints for attribute in node.attribute if attribute.name == "kernel_shape")
    return int(np.prod(shape))


class _Feed(CalibrationDataReader):
    def __init__(self, frames: NDArray[np.uint8]) -> None:
        self._batches = [frames[start : start + BATCH] for start in range(0, len(frames), BATCH)]
        self._range = range(len(self._batches))
        self._next = 0

    def __len__(self) -> int:
        return len(self._batches)

    def set_range(self, start_index: int, end_index: int) -> None:
        """From here on only these batches are given."""
        self._next, self._range = start_index, range(end_index)

    def get_next(self) -> dict[str, NDArray[np.generic]] | None:
        if self._next not in self._range:
            return None
        batch = self._batches[self._next]
        self._next += 1
        return {"frames": batch, "explain": np.full(len(batch), -1, np.int64)}
