"""The same function with weights that lose less in eight bits: cross-layer equalisation.

Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019: what a convolution's
output channel is divided by, the next convolution's input channel can be multiplied with, since ReLU and max-pooling
between them hand a positive factor on. With r1 and r2 the largest weights of the channel on either side, the factor
sqrt(r1 / r2) makes them alike (eq. 11), so that no channel drowns in the rounding of a louder one.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

PASSES = 50  # a pair changes its neighbours' ranges; 13 layers settle after some 20
SETTLED = 1e-3  # of a factor
KEEP_A_FACTOR = ("Relu", "MaxPool")


def equalised(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy with other weights, which computes the same up to float32's rounding.

    Only pairs of convolutions are touched with nothing but ReLU and max-pooling between them that anybody else reads:
    what the map and the averages are made of keeps its scale. Channels without any weight stay as they are.
    """
    same = onnx.ModelProto()
    same.CopyFrom(model)
    tensors = {tensor.name: tensor for tensor in same.graph.initializer}
    values = {name: numpy_helper.to_array(tensor).copy() for name, tensor in tensors.items()}
    pairs = convolution_pairs(same.graph)
    for _ in range(PASSES):
        moved = max((_equalise(values, first, second) for first, second in pairs), default=0.0)
        if moved < SETTLED:
            break
    for name in {name for pair in pairs for node in pair for name in node.input[1:]}:
        tensors[name].CopyFrom(numpy_helper.from_array(values[name], name))
    return same


def convolution_pairs(graph: onnx.GraphProto) -> list[tuple[onnx.NodeProto, onnx.NodeProto]]:
    """Each convolution with the one behind it, where a factor between them changes nothing else."""
    constant = {tensor.name for tensor in graph.initializer}
    readers: dict[str, list[onnx.NodeProto]] = {output.name: [] for output in graph.output}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    given = {output.name for output in graph.output}

    def only_reader(node: onnx.NodeProto) -> onnx.NodeProto | None:
        found = readers.get(node.output[0], [])
        return found[0] if len(found) == 1 and node.output[0] not in given else None

    def free(node: onnx.NodeProto) -> bool:
        """Whether its weights and offsets are constants of its own, and its channels are not divided into groups."""
        grouped = any(attribute.name == "group" and attribute.i != 1 for attribute in node.attribute)
        own = all(name in constant and len(readers[name]) == 1 for name in node.input[1:])
        return node.op_type == "Conv" and own and not grouped

    pairs = []
    for node in filter(free, graph.node):
        behind = only_reader(node)
        while behind is not None and behind.op_type in KEEP_A_FACTOR:
            behind = only_reader(behind)
        if behind is not None and free(behind):
            pairs.append((node, behind))
    return pairs


def _equalise(values: dict[str, np.ndarray], first: onnx.NodeProto, second: onnx.NodeProto) -> float:
    """Makes one pair alike; returns by how much the factors differ from 1 at most."""
    before, after = values[first.input[1]], values[second.input[1]]  # [out, in, height, width]
    loud, heard = np.abs(before).max(axis=(1, 2, 3)), np.abs(after).max(axis=(0, 2, 3))
    alive = (loud > 0) & (heard > 0)
    factors = np.ones_like(loud)
    factors[alive] = np.sqrt(loud[alive] / heard[alive])
    for name in first.input[1:]:
        values[name] /= factors.reshape(-1, *([1] * (values[name].ndim - 1)))
    values[second.input[1]] *= factors.reshape(1, -1, 1, 1)
    return float(np.abs(factors - 1).max())
