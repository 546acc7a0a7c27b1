"""What is installed, which provider really runs, what the model says of itself: the facts for a report of trouble."""

from __future__ import annotations

import importlib.metadata
import platform
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from realtime.engine import Engine

PACKAGES = (
    "reeflens",
    "numpy",
    "opencv-python-headless",
    "av",
    "onnxruntime-gpu",
    "onnxruntime",
    "fastapi",
    "uvicorn",
    "websockets",
    "tensorflow",
    "tensorflow-cpu",
    "keras",
    "keras-tuner",
    "tf2onnx",
    "onnx",
)


def system() -> dict[str, Any]:
    """This machine as JSON: Python, platform, and the version of each of PACKAGES that is installed."""
    return {"python": platform.python_version(), "platform": platform.platform(), "packages": _installed()}


def _installed() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def examine(model: Path, provider: str = "auto") -> dict[str, Any]:
    """Opens the model, runs it, and returns a JSON-ready report. Raises what Engine.open raises.

    ``milliseconds_per_frame`` is the median of ten single frames, label and Grad-CAM, after the probe frame.
    """
    started_s = time.perf_counter()
    with Engine.open(model, provider=provider) as engine:
        ready_s = time.perf_counter() - started_s
        size = engine.contract.input_size
        frame = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), np.uint8)
        spent_ms = []
        for _ in range(10):
            began_s = time.perf_counter()
            engine.run(frame)
            spent_ms.append((time.perf_counter() - began_s) * 1e3)
        return {
            "provider": asdict(engine.provider),
            "seconds_to_ready": round(ready_s, 3),
            "milliseconds_per_frame": round(float(np.median(spent_ms)), 2),
            "model": {"file": engine.path.name, "sha256": engine.sha256, "contract": asdict(engine.contract)},
        }
