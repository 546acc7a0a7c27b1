"""Lets the network take RGB where it was trained on BGR: the weights that meet the colours change places, once.

As an operator the flip was 1.5 % of an int8 run on a CPU, because a Gather on the last axis copies number by number.
Taking away the mean was as much, because ONNX Runtime adds three numbers to all pixels three at a time: the mean is
written out for every pixel (0.2 MB at 128 px), and taken away in one go.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, numpy_helper

PER_CHANNEL = ("Add", "Sub", "Mul", "Div")


def flip_in_weights(model: ModelProto) -> bool:
    """Removes the Gather that reverses the colours and reverses what comes after it, to the first convolution.

    What comes between may be arithmetic with constants and transposes; where it is anything else the model stays as it
    is. Sums are over the same products, so that integers agree exactly and floats to rounding. Returns whether it did.
    """
    graph = model.graph
    constants = {value.name: value for value in graph.initializer}
    values = {name: numpy_helper.to_array(value) for name, value in constants.items()}
    flip = next((node for node in graph.node if _reverses(node, values)), None)
    if flip is None:
        return False
    axis = next(attribute.i for attribute in flip.attribute if attribute.name == "axis")
    frames = next(value for value in graph.input if value.name == "frames")
    picture = tuple(dim.dim_value for dim in frames.type.tensor_type.shape.dim[1:])
    turned: list[tuple[NodeProto, int, NDArray[np.float32]]] = []  # a node, which of its inputs, and what goes there
    at = flip.output[0]
    while True:
        users = [node for node in graph.node if at in node.input]
        if len(users) != 1 or any(at == value.name for value in graph.output):
            return False
        (node,) = users
        if node.op_type == "Conv" and node.input[0] == at and axis == 1 and node.input[1] in values:
            turned.append((node, 1, np.flip(values[node.input[1]], 1)))
            break
        if node.op_type == "Transpose":
            axis = list(next(attribute.ints for attribute in node.attribute if attribute.name == "perm")).index(axis)
        elif node.op_type in PER_CHANNEL:
            place = 1 - list(node.input).index(at)
            if node.input[place] not in values:
                return False
            value = values[node.input[place]]
            own = value.ndim - (4 - axis)  # of a picture [N, H, W, 3] or [N, 3, H, W], against which it is broadcast
            if own >= 0 and value.shape[own] != 1:
                value = np.flip(value, own)
                if axis == 3:
                    value = np.broadcast_to(value, np.broadcast_shapes(value.shape, picture))
                turned.append((node, place, value))
        else:
            return False
        at = node.output[0]
    for node, place, value in turned:
        node.input[place] = f"{node.output[0]}/rgb"  # a constant may have other users
        graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), node.input[place]))
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name == flip.output[0]:
                node.input[place] = flip.input[0]
    graph.node.remove(flip)
    used = {name for node in graph.node for name in node.input}
    for name, value in constants.items():
        if name not in used:
            graph.initializer.remove(value)
    return True


def _reverses(node: NodeProto, values: dict[str, NDArray[np.float32]]) -> bool:
    """Whether it reverses three colours."""
    return node.op_type == "Gather" and node.input[1] in values and values[node.input[1]].tolist() == [2, 1, 0]
