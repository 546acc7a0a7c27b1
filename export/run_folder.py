"""Reads a finished training run, or says in one sentence what is wrong with it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime.contract import UNKNOWN_SCORE, ModelContract
from realtime.errors import ContractError, ExportError
from realtime.unknown import UnknownScore

FILES = ("model.keras", "contract.json", "calibration.npz", "state.json")


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """model: the Keras model, computing in float32. frames: its calibration pictures, uint8 [M, S, S, 3] RGB.

    unknown: the constants of the score that the contract names.
    """

    path: Path
    model: Any
    contract: ModelContract
    unknown: UnknownScore
    frames: NDArray[np.uint8]


def open_run(path: Path) -> Run:
    """Raises ExportError when a file is missing or unreadable, ContractError when the contract contradicts itself."""
    if not path.is_dir():
        raise ExportError(f"{path}: no such run folder; make one with `reeflens train`")
    if missing := [name for name in FILES if not (path / name).is_file()]:
        raise ExportError(f"{path}: {missing[0]} is missing; is this the folder of a finished `reeflens train`?")
    if _stage(path / "state.json") != "done":
        raise ExportError(f"{path}: this run is not finished; go on with `reeflens train --out {path} --resume`")
    contract = _contract(path / "contract.json")
    if contract.unknown_score != UNKNOWN_SCORE or not (path / "unknown.npz").is_file():
        raise ExportError(
            f"{path}: was calibrated by an earlier version of Reeflens; calibrate it anew, which takes minutes, with "
            f"`reeflens train --out {path} --resume`"
        )
    unknown = UnknownScore.load(path / "unknown.npz")
    frames = _frames(path / "calibration.npz", contract.input_size)
    return Run(path, _model(path / "model.keras"), contract, unknown, frames)


def _stage(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8")).get("stage")
    except (OSError, ValueError, AttributeError) as error:
        raise ExportError(f"{path}: cannot be read ({_first_line(error)})") from error


def _contract(path: Path) -> ModelContract:
    try:
        return ModelContract.from_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ExportError(f"{path}: cannot be read ({error})") from error
    except ContractError as error:
        raise ContractError(f"{path}: {error}") from error


def _frames(path: Path, size: int) -> NDArray[np.uint8]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            frames: NDArray[np.uint8] = stored["frames"]
    except Exception as error:  # zipfile, zlib and numpy raise unrelated classes for a damaged archive
        raise ExportError(f"{path}: cannot be read ({_first_line(error)})") from error
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[1:] != (size, size, 3) or not len(frames):
        raise ExportError(
            f"{path}: expected frames as uint8 [M, {size}, {size}, 3], found {frames.dtype} {list(frames.shape)}"
        )
    return frames


def _model(path: Path) -> Any:
    keras = _keras_on_tensorflow()
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # keras raises a dozen unrelated classes for a file it cannot use
        raise ExportError(f"{path}: not a Keras model that can be loaded ({_first_line(error)})") from error
    for layer in model.layers:
        # A model trained in mixed precision keeps its weights in float32; the graph and its oracle compute in it too.
        layer.dtype_policy = "float32"
    return model


def _keras_on_tensorflow() -> Any:
    backend = os.environ.get("KERAS_BACKEND") or "tensorflow"
    if backend == "tensorflow":
        try:
            import keras
            import tensorflow  # noqa: F401  its absence is reported like that of keras
            import tf2onnx  # noqa: F401
        except ImportError as error:
            raise ExportError(f"export needs {error.name}; install it with `pip install reeflens[train]`") from error
        backend = keras.backend.backend()  # keras.json may say otherwise
    if backend != "tensorflow":
        raise ExportError(
            f"export needs Keras on TensorFlow, but Keras is set to {backend!r}; set KERAS_BACKEND=tensorflow"
        )
    return keras


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__
