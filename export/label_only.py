"""What the map costs: the same model cut down to its label, and the nodes that only the map needs.

ONNX Runtime computes an output also when it is not asked for, so that leaving it out of a run shows nothing.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import onnx
import onnxruntime as ort

from realtime.engine import read_contract
from realtime.timing import Way
from realtime.ways import frames_of

LABEL = ("probabilities", "unknown")
SILENT = 4


def label_way(model: Path) -> Way:
    """The label alone, by ONNX Runtime on the CPU as it comes."""
    return Way(f"{model.stem}, label only", _label_only, (model,))


def _label_only(model: Path) -> Callable[[], object]:
    cut = onnx.load(model)
    needed = needed_nodes(cut.graph, LABEL)
    nodes = [node for node in cut.graph.node if needed(node)]
    outputs = [output for output in cut.graph.output if output.name in LABEL]
    read = {name for node in nodes for name in node.input}
    inputs = [value for value in cut.graph.input if value.name in read]
    for field, kept in ((cut.graph.node, nodes), (cut.graph.output, outputs), (cut.graph.input, inputs)):
        del field[:]
        field.extend(kept)
    session = ort.InferenceSession(cut.SerializeToString(), _options(), providers=["CPUExecutionProvider"])
    feed = {"frames": frames_of(read_contract(model).input_size, 1)}
    return lambda: session.run(list(LABEL), feed)


def cam_share(model: Path, runs: int = 20) -> float:
    """The part of a frame's time, 0..1, that goes into nodes which the label does not need.

    By ONNX Runtime's own clock around each node on the CPU, so that no difference of two noisy times is taken.
    """
    size = read_contract(model).input_size
    with tempfile.TemporaryDirectory(prefix="reeflens-bench-") as folder:
        options = _options()
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        options.optimized_model_filepath = str(Path(folder) / "as-it-runs.onnx")
        session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        feed = {"frames": frames_of(size, 1), "explain": [-1]}
        for _ in range(runs):
            session.run(None, feed)
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
        graph = onnx.load(options.optimized_model_filepath).graph
    needed = needed_nodes(graph, LABEL)
    by_label = {node.name for node in graph.node if needed(node)}
    total = alone = 0.0
    for event in events:
        name, found, _ = event["name"].rpartition("_kernel_time")
        if event.get("cat") == "Node" and found:
            total += event["dur"]
            alone += 0.0 if name in by_label else event["dur"]
    return alone / (total or 1.0)


def needed_nodes(graph: onnx.GraphProto, outputs: tuple[str, ...]) -> Callable[[onnx.NodeProto], bool]:
    """Whether a node is needed for any of these outputs."""
    wanted = set(outputs)
    for node in reversed(graph.node):  # in topological order, as ONNX demands
        if wanted.intersection(node.output):
            wanted.update(node.input)
    return lambda node: not wanted.isdisjoint(node.output)


def _options() -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.log_severity_level = SILENT
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # as the engine has it
    return options
