"""Opens an exported model at the two places where its answers are made, which it does not return by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from realtime.engine import read_contract
from realtime.errors import ExportError

BATCH = 16
# What stands between the averages of the last block and the logits, backwards.
_HEAD = ("Add", "MatMul", "Relu", "Add", "MatMul")


class Opened:
    """The model at ``path``, on the CPU in its own precision. Raises ContractError, or ExportError for another head."""

    def __init__(self, path: Path) -> None:
        self.contract = read_contract(path)
        model = onnx.load(path)
        self._names = list(answers_made_of(model.graph))
        model.graph.output.extend(onnx.helper.make_tensor_value_info(name, 1, None) for name in self._names)
        self._session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])

    def __call__(
        self, frames: NDArray[np.uint8], advance: Callable[[int], object] = lambda count: None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Averages [N, K] and logits [N, C] of at least one of uint8 [N, S, S, 3] RGB; tells how many are done."""
        parts = []
        for start in range(0, len(frames), BATCH):
            part = frames[start : start + BATCH]
            parts.append(self._session.run(self._names, {"frames": part, "explain": np.full(len(part), -1, np.int64)}))
            advance(len(part))
        averages, logits = (np.concatenate(each).astype(np.float32) for each in zip(*parts, strict=True))
        return averages, logits


def answers_made_of(graph: onnx.GraphProto) -> tuple[str, str]:
    """The names of the averages of the last block and of the logits. Raises ExportError for a graph not of ours."""
    maker = {output: node for node in graph.node for output in node.output}
    choices = [node.input[0] for node in graph.node if node.op_type == "ArgMax"]
    averages = choices[0] if len(choices) == 1 else ""
    for kind in _HEAD:
        if averages not in maker or maker[averages].op_type != kind:
            raise ExportError(
                "expected a hidden layer and logits in float32, as `reeflens export` writes them; export the model anew"
            )
        averages = maker[averages].input[0]
    return averages, choices[0]
