"""Where VGG16 starts from: Keras' ImageNet weights, a file of ours, or nothing."""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import h5py  # type: ignore[import-untyped]
import keras
import numpy as np
from numpy.typing import NDArray

from realtime.errors import WeightsError
from training.model import BLOCKS, CONVOLUTIONS

STALL_S = 20.0  # a download that brings nothing for so long has failed; Keras itself would wait for ever
_OTHERS = "give a VGG16 weight file with --weights FILE, or start from nothing with --weights none"

Kernels = Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]]


def load_kernels(weights: str) -> Kernels | None:
    """The starting weights that are asked for: "imagenet", a file, or None for "none". Needs no model yet, so that a
    run without weights fails before the photographs are read.

    Raises WeightsError when they cannot be downloaded or read, or are not those of VGG16.
    """
    if weights == "none":
        return None
    kernels = _imagenet() if weights == "imagenet" else read_weight_file(Path(weights))
    for name, shape in _kernel_shapes().items():
        kernel, bias = kernels[name]
        if (kernel.shape, bias.shape) != (shape, shape[-1:]):
            raise WeightsError(f"{weights}: {name} has shape {kernel.shape}, VGG16 has {shape}")
        if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
            raise WeightsError(f"{weights}: {name} holds values that are not finite")
    return kernels


def set_kernels(model: keras.Model, kernels: Kernels) -> None:
    """Gives the convolutions of ``model`` (``build_model``) these weights."""
    for name in CONVOLUTIONS:
        model.get_layer(name).set_weights(list(kernels[name]))


def read_weight_file(path: Path) -> Kernels:
    """Kernel [3, 3, in, out] and bias [out] of VGG16's 13 convolutions from a Keras HDF5 file, float32.

    Reads the layout of Keras 3 (``.weights.h5``) and that of Keras 2 (the published ``..._notop.h5``, or a whole
    model); further layers are ignored. Raises WeightsError naming the layers that are missing.
    """
    try:
        with h5py.File(path, "r") as file:
            found = _keras3(file["layers"]) if "layers" in file else _keras2(file)
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: no such weight file; {_OTHERS}") from error
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise WeightsError(f"{path}: not a Keras weight file in HDF5 ({error})") from error
    if missing := [name for name in CONVOLUTIONS if name not in found]:
        raise WeightsError(f"{path}: not VGG16, {len(missing)} of 13 convolutions are missing: {', '.join(missing)}")
    return found


def _keras3(layers: Any) -> dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]:
    found = {}
    unnamed = []
    for key in layers:
        values = layers[key].get("vars")
        if values is None or "0" not in values or "1" not in values:
            continue
        pair = (np.asarray(values["0"], np.float32), np.asarray(values["1"], np.float32))
        name = values.attrs.get("name", key)
        if name in CONVOLUTIONS:
            found[str(name)] = pair
        elif numbered := re.fullmatch(r"conv2d(?:_(\d+))?", key):
            unnamed.append((int(numbered[1] or 0), pair))
    if not found:  # early Keras 3 kept no names, but the order: conv2d, conv2d_1, …
        unnamed.sort(key=lambda entry: entry[0])
        found = {name: pair for name, (_, pair) in zip(CONVOLUTIONS, unnamed, strict=False)}
    return found


def _keras2(file: Any) -> dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]:
    root = file.get("model_weights", file)
    found = {}
    for name in CONVOLUTIONS:
        if name in root and len(stored := [_text(n) for n in root[name].attrs.get("weight_names", ())]) == 2:
            # kernel before bias, as Keras 2 always wrote them; the names themselves changed over the years
            kernel, bias = (np.asarray(root[name][entry], np.float32) for entry in stored)
            found[name] = (kernel, bias)
    return found


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name


def _kernel_shapes() -> dict[str, tuple[int, ...]]:
    outputs = [filters for _, count, filters in BLOCKS for _ in range(count)]
    return {name: (3, 3, i, o) for name, i, o in zip(CONVOLUTIONS, (3, *outputs), outputs, strict=False)}


def _imagenet() -> Kernels:
    try:
        # Keras prints what it downloads; stdout is for results.
        with _impatient_sockets(STALL_S), redirect_stdout(sys.stderr):
            vgg = keras.applications.VGG16(include_top=False, weights="imagenet")
    except Exception as error:  # Keras raises a bare Exception for a failed download, ValueError for a wrong checksum
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise WeightsError(f"the ImageNet weights cannot be downloaded ({reason}); {_OTHERS}") from error
    return {name: tuple(vgg.get_layer(name).get_weights()) for name in CONVOLUTIONS}


@contextmanager
def _impatient_sockets(seconds: float) -> Iterator[None]:
    """urlretrieve, which Keras downloads with, takes no time-out; the default for new sockets is the only handle."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
