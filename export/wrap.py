"""Puts a network of another kind into our contract: `evaluate` measures it then, and `train --teacher` learns from it.

Its map is empty: Grad-CAM in the graph needs the network that ``export.graph`` knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper

from export.onnx_file import save
from realtime.contract import ModelContract, Provenance, Thresholds
from realtime.errors import ExportError

# Of ImageNet, in units of 0..1: what torchvision, timm and most of their fine-tuned offspring subtract and divide by.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def wrap(
    network: Path,
    out: Path,
    labels: Sequence[str],
    input_size: int,
    *,
    mean: Sequence[float] = MEAN,
    std: Sequence[float] = STD,
) -> ModelContract:
    """Writes ``out`` and returns its contract; the unknown score in it is 1 - the largest probability.

    network: an ONNX file with one input, float32 [N, 3, S, S] RGB as (0..1 - mean) / std, of any N, and one output,
    logits float32 [N, C], as PyTorch exports it. labels: C names in the order of the logits. input_size: S, a
    multiple of 16.
    Raises ExportError for a file that is nothing of the kind, and ContractError for labels or a size that cannot be.
    """
    contract = ModelContract(
        labels=tuple(labels),
        input_size=input_size,
        thresholds=Thresholds(show=0.5, unknown=0.5),
        provenance=Provenance(run_id=network.stem, data_hash=""),
        cam_layer="none",
    )
    try:
        model = compose.add_prefix(onnx.load(network), "network/")
    except Exception as error:  # protobuf and onnx raise unrelated classes for a file they cannot use
        raise ExportError(f"{network}: not an ONNX model that can be read ({error})") from error
    graph = model.graph
    stored = {value.name for value in graph.initializer}  # which older files list among the inputs
    inputs, outputs = [value.name for value in graph.input if value.name not in stored], list(graph.output)
    if len(inputs) != 1 or len(outputs) != 1:
        raise ExportError(f"{network}: expected one input and one output, found {len(inputs)} and {len(outputs)}")
    constants = {
        "mean": 255 * np.array(mean, np.float32),
        "std": 255 * np.array(std, np.float32),
        "one": np.array(1, np.float32),
        "first": np.array([1], np.int64),
        "sides": np.array([1, 2], np.int64),
        "empty": np.zeros((1, contract.cam_size, contract.cam_size), np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["frames"], ["rgb"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["rgb", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "std"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], inputs, perm=[0, 3, 1, 2]),
        *graph.node,
        helper.make_node("Softmax", [outputs[0].name], ["probabilities"], axis=1),
        helper.make_node("TopK", ["probabilities", "first"], ["largest", "predicted"]),
        helper.make_node("Squeeze", ["largest", "first"], ["confidence"]),
        helper.make_node("Sub", ["one", "confidence"], ["unknown"]),
        helper.make_node("Unsqueeze", ["unknown", "sides"], ["cell"]),
        helper.make_node("Mul", ["cell", "empty"], ["cam"]),
    ]
    size, cells = contract.input_size, contract.cam_size
    declared = {
        "frames": (TensorProto.UINT8, ["N", size, size, 3]),
        "explain": (TensorProto.INT64, ["N"]),
        "probabilities": (TensorProto.FLOAT, ["N", len(contract.labels)]),
        "unknown": (TensorProto.FLOAT, ["N"]),
        "cam": (TensorProto.FLOAT, ["N", cells, cells]),
    }
    tensors = [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in declared.items()]
    for field, kept in ((graph.node, nodes), (graph.input, tensors[:2]), (graph.output, tensors[2:])):
        del field[:]
        field.extend(kept)
    del graph.value_info[:]  # shapes of whatever batch it was exported with
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    save(model, contract, out)
    return contract
