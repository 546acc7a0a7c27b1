"""Ways to run one model file, for `realtime.timing`: by our engine, and by OpenVINO."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realtime.engine import Engine, read_contract
from realtime.timing import Job, Way

CPU_BATCHES = (1, 4, 8)
GPU_BATCHES = (1, 8, 64)
COLD = """
import time
begun = time.perf_counter()
from realtime.engine import Engine
import numpy as np
with Engine.open({model!r}, provider={provider!r}) as engine:
    size = engine.contract.input_size
    engine.run(np.zeros((1, size, size, 3), np.uint8))
print(time.perf_counter() - begun)
"""


def frames_of(size: int, count: int) -> NDArray[np.uint8]:
    """uint8 [count, size, size, 3]: noise, the same every time; a network takes as long over it as over anything."""
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)


def engine_way(model: Path, provider: str, batch: int) -> Way:
    """Label and map by our engine, one run at a time."""
    return Way(f"{model.stem}, {batch} at a time", _engine, (model, provider, batch), batch)


def recorded_way(model: Path, provider: str, batch: int, at_once: int) -> Way:
    """The same by an engine for recorded frames, ``at_once`` runs of so many frames side by side."""
    return Way(f"{model.stem}, {at_once} x {batch} at a time", _recorded, (model, provider, batch), at_once * batch)


def openvino_way(model: Path) -> Way:
    """Label and map of the same file by OpenVINO, on the CPU."""
    return Way(f"{model.stem} in OpenVINO", _openvino, (model,))


def _engine(model: Path, provider: str, batch: int) -> Job:
    engine = Engine.open(model, provider=provider)
    frames = frames_of(engine.contract.input_size, batch)
    return lambda: engine.run(frames)


def _recorded(model: Path, provider: str, batch: int) -> Job:
    engine = Engine.open(model, provider=provider, recorded=True)
    frames = frames_of(engine.contract.input_size, batch)
    pool = ThreadPoolExecutor(engine.at_once)
    return lambda: list(pool.map(engine.run, [frames] * engine.at_once))


def _openvino(model: Path) -> Job:
    import openvino

    compiled = openvino.compile_model(str(model), "CPU", {"PERFORMANCE_HINT": "LATENCY"})
    feed = {"frames": frames_of(read_contract(model).input_size, 1), "explain": np.array([-1], np.int64)}
    return lambda: compiled(feed)


def cold_start_s(model: Path, provider: str, times: int = 3) -> list[float]:
    """Seconds from nothing imported to the first label, each in a fresh Python; that of the interpreter not counted."""
    code = COLD.format(model=str(model), provider=provider)
    return [float(_printed([sys.executable, "-c", code])) for _ in range(times)]


def _printed(command: Sequence[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
