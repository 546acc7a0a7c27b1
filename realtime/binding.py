"""Runs a session on memory that stays, by ONNX Runtime's IO binding, instead of on new arrays for every run.

On a GPU the frames then go to a place there that is taken once, and the answers to memory of the host that the GPU
writes to by itself where such is to be had. On a CPU the same code computes the same, which is how it is tested.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from realtime.contract import ModelContract

log = logging.getLogger(__name__)

MOST = 64  # frames; memory for larger runs is not kept


class BoundRuns:
    """Runs of one session, from any number of threads: each takes memory that no other uses, and leaves it for others.

    device: "cpu" or "cuda", where the session computes.
    """

    def __init__(self, session: Any, contract: ModelContract, device: str) -> None:
        self._session = session
        self._contract = contract
        self._device = device
        self._lock = threading.Lock()
        self._idle: dict[int, list[_Memory]] = {}  # by frames in a run

    def run(self, feed: Mapping[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
        """As ``session.run`` of the contract's three outputs; feed: its two inputs. The answers are the caller's."""
        count = len(feed["frames"])
        with self._lock:
            idle = self._idle.setdefault(count, []) if count <= MOST else []
            memory = idle.pop() if idle else None
        memory = memory or _Memory(self._session, self._contract, self._device, count)
        answers = memory.run(feed)
        with self._lock:
            idle.append(memory)
        return answers


class _Memory:
    """Inputs where the session computes, outputs on the host, for runs of ``count`` frames."""

    def __init__(self, session: Any, contract: ModelContract, device: str, count: int) -> None:
        side, grid, classes = contract.input_size, contract.cam_size, len(contract.labels)
        self._session = session
        self._binding = session.io_binding()
        self._inputs = {
            "frames": ort.OrtValue.ortvalue_from_shape_and_type([count, side, side, 3], np.uint8, device),
            "explain": ort.OrtValue.ortvalue_from_shape_and_type([count], np.int64, device),
        }
        shapes = {"probabilities": [count, classes], "unknown": [count], "cam": [count, grid, grid]}
        pinned = _pinned() if device != "cpu" else None
        self._outputs = [
            ort.OrtValue.ortvalue_from_shape_and_type(shape, np.float32, memory_info=pinned)
            for shape in shapes.values()
        ]
        for name, value in self._inputs.items():
            self._binding.bind_ortvalue_input(name, value)
        for name, value in zip(shapes, self._outputs, strict=True):
            self._binding.bind_ortvalue_output(name, value)

    def run(self, feed: Mapping[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
        for name, value in self._inputs.items():
            value.update_inplace(feed[name])
        self._session.run_with_iobinding(self._binding)
        self._binding.synchronize_outputs()
        return [value.numpy().copy() for value in self._outputs]


def _pinned() -> Any:
    """The kind of host memory that a GPU reaches by itself; None, for ordinary memory, where ONNX Runtime has none."""
    for device in ort.get_ep_devices():
        if device.ep_name == "CUDAExecutionProvider":
            return device.memory_info(ort.OrtDeviceMemoryType.HOST_ACCESSIBLE)
    return None
