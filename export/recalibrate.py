"""Gives an exported model another temperature, unknown score and thresholds; its weights stay as they are.

The three constants stand at the end of the graph, in float32 whatever the precision, so what reads them is made anew
and everything before it is left alone.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from export.label_only import needed_nodes
from export.observe import answers_made_of
from export.onnx_file import save
from realtime.contract import UNKNOWN_SCORE, ModelContract, Thresholds
from realtime.engine import Engine, read_contract
from realtime.errors import ExportError
from realtime.unknown import TINY, UnknownScore

_PREFIX = "calibrated/"
ANSWERS = ("probabilities", "unknown")


def recalibrate(
    model: Path,
    out: Path,
    *,
    temperature: float,
    thresholds: Thresholds,
    unknown: UnknownScore,
    metrics: dict[str, float],
) -> ModelContract:
    """Writes ``model`` with these constants to ``out``, whole or not at all, and returns the contract that it carries.

    metrics: all that the new file says of itself; figures of the old constants would be wrong. Raises ContractError for
    a file that is not ours, ExportError when its end is not that of an export, or when it cannot be written.
    """
    contract = read_contract(model)
    contract = replace(
        contract,
        temperature=temperature,
        thresholds=thresholds,
        unknown_score=UNKNOWN_SCORE,
        provenance=replace(contract.provenance, metrics=metrics),
    )
    changed = with_constants(onnx.load(model), temperature, unknown)
    beside = out.with_name(f".{out.name}.partial")
    try:
        save(changed, contract, beside)
        with Engine.open(beside, provider="cpu"):  # classifies one frame
            pass
        beside.replace(out)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise ExportError(f"{out}: cannot be written ({(error.strerror or str(error)).lower()})") from error
    return contract


def with_constants(model: onnx.ModelProto, temperature: float, unknown: UnknownScore) -> onnx.ModelProto:
    """``model`` whose probabilities and unknown score are made with these constants, from the same averages and logits.

    Raises ExportError for another end, or when the prototypes are not of as many features.
    """
    graph = model.graph
    averages, logits = answers_made_of(graph)
    constants = {
        "cold": np.float32(1.0 / temperature),
        "prototypes": np.ascontiguousarray(unknown.prototypes.T),
        "a": np.float32(unknown.energy_weight),
        "b": np.float32(unknown.distance_weight),
        "b + c": np.float32(unknown.distance_weight + unknown.offset),
        "tiny": np.float32(TINY),
        "last": np.array([-1], np.int64),
    }
    others = [output.name for output in graph.output if output.name not in ANSWERS]
    needed = needed_nodes(graph, (*others, averages, logits))
    nodes = [node for node in graph.node if needed(node)]
    read = {name for node in nodes for name in node.input}
    tensors = [tensor for tensor in graph.initializer if tensor.name in read]
    nodes += _answers(averages, logits)
    tensors += [numpy_helper.from_array(np.asarray(value), _PREFIX + name) for name, value in constants.items()]
    for field, values in ((graph.node, nodes), (graph.initializer, tensors)):
        del field[:]
        field.extend(values)
    del graph.value_info[:]  # shapes also of what is gone; the checker works them out
    return model


def _answers(averages: str, logits: str) -> list[NodeProto]:
    """``realtime.unknown`` and the softmax, of the constants' names: a E + b D + c = b + c - (a L + b N), with L the
    logarithm of the sum of exponentials, and N the nearness of the nearest prototype.
    """
    steps: list[tuple[str, list[str], str, dict[str, object]]] = [
        ("Cast", [averages], "g", {"to": TensorProto.FLOAT}),  # of fp16; otherwise nothing is done
        ("Cast", [logits], "y", {"to": TensorProto.FLOAT}),
        ("Mul", ["y", "cold"], "scaled", {}),
        ("Softmax", ["scaled"], "probabilities", {"axis": -1}),
        ("ReduceMax", ["y"], "top", {"axes": [-1], "keepdims": 1}),
        ("Sub", ["y", "top"], "below", {}),
        ("Exp", ["below"], "powers", {}),
        ("ReduceSum", ["powers", "last"], "sum", {"keepdims": 1}),
        ("Log", ["sum"], "log", {}),
        ("Add", ["top", "log"], "L", {}),
        ("Mul", ["g", "g"], "squares", {}),
        ("ReduceSum", ["squares", "last"], "power", {"keepdims": 1}),
        ("Max", ["power", "tiny"], "some power", {}),
        ("Sqrt", ["some power"], "length", {}),
        ("Div", ["g", "length"], "unit", {}),
        ("MatMul", ["unit", "prototypes"], "nearness", {}),
        ("ReduceMax", ["nearness"], "N", {"axes": [-1], "keepdims": 1}),
        ("Mul", ["L", "a"], "a L", {}),
        ("Mul", ["N", "b"], "b N", {}),
        ("Add", ["a L", "b N"], "known", {}),
        ("Sub", ["b + c", "known"], "inner", {}),
        ("Sigmoid", ["inner"], "score", {}),
        ("Squeeze", ["score", "last"], "unknown", {}),
    ]
    outside = {averages, logits, *ANSWERS}
    return [
        helper.make_node(
            kind,
            [name if name in outside else _PREFIX + name for name in reads],
            [makes if makes in outside else _PREFIX + makes],
            name=_PREFIX + makes,
            **attributes,
        )
        for kind, reads, makes, attributes in steps
    ]
