"""What may run a model, and how it is set up there: the CPU, CUDA, and TensorRT where it is installed."""

from __future__ import annotations

import ctypes
import logging
import os
import sys
from pathlib import Path

import onnxruntime as ort

from realtime.contract import ModelContract

log = logging.getLogger(__name__)

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
REQUESTS: dict[str, tuple[str, ...]] = {"auto": (CUDA,), "cuda": (CUDA,), "tensorrt": (TENSORRT, CUDA), "cpu": ()}
TENSORRT_BATCHES = (1, 16, 64)  # the fewest, the usual and the most frames a run; another batch is compiled anew


def usable(wanted: tuple[str, ...]) -> tuple[list[str], str]:
    """Of the GPU providers wanted, those worth trying here, and a sentence when there are none."""
    if not wanted:
        return [], ""
    compiled = ort.get_available_providers()
    found = [name for name in wanted if name in compiled]
    if not found:
        return [], f"this onnxruntime is built without {wanted[0]}; install onnxruntime-gpu"
    try:
        # Trying CUDA without a driver works but prints pages of warnings, so look for the driver first.
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return [], "no NVIDIA driver on this machine"
    ort.preload_dlls()  # finds the CUDA and cuDNN wheels of the `cuda` extra
    return found, ""


def provider_options(name: str, contract: ModelContract, sha256: str) -> dict[str, str]:
    """How ``name`` runs the model of this contract; sha256: of its file. Makes the folder that TensorRT keeps it in."""
    if name == CUDA:
        # The default tries every algorithm at each new batch size, while a live picture stands still.
        return {"cudnn_conv_algo_search": "HEURISTIC"}
    if name != TENSORRT:
        return {}
    folder = cache_folder() / "tensorrt" / sha256[:16]
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.glob("*.engine")):
        log.warning("TensorRT compiles the model for this GPU, which takes minutes; it is kept in %s", folder)
    side = contract.input_size
    fewest, usual, most = (f"frames:{n}x{side}x{side}x3,explain:{n}" for n in TENSORRT_BATCHES)
    return {
        # Compiling takes minutes; what came of it is kept, for this model and this GPU (which is in its name).
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(folder),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(folder),
        # A file in float32 promises float32: half precision is computed where the file says so.
        "trt_fp16_enable": "1" if contract.precision == "fp16" else "0",
        "trt_profile_min_shapes": fewest,
        "trt_profile_opt_shapes": usual,
        "trt_profile_max_shapes": most,
    }


def cache_folder() -> Path:
    """Where this user's programs keep what can be made anew."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "reeflens"
