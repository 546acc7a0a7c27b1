"""The real network with few filters, and run folders made of it: all that a trained run has but the time it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime.contract import UNKNOWN_SCORE, ModelContract, Provenance, Thresholds
from realtime.unknown import UnknownScore, unit

BLOCKS = ((2, 8), (2, 12), (3, 16), (3, 24), (3, 32))


def narrow_model(
    size: int = 64, classes: int = 3, *, hidden: int = 12, seed: int = 1, preprocessing: str = "flip"
) -> Any:
    """VGG16's layers by name with 8 to 32 filters and random weights. preprocessing: "flip" or "normalization"."""
    import keras

    keras.utils.set_random_seed(seed)
    rgb = keras.Input((size, size, 3), name="rgb")
    if preprocessing == "flip":
        x = keras.layers.Rescaling(1 / 64, offset=[-1.6, -1.8, -1.9])(keras.ops.flip(rgb, axis=-1))
    else:
        x = keras.layers.Normalization(mean=[124.0, 117.0, 104.0], variance=[4096.0] * 3)(rgb)
    for block, (count, filters) in enumerate(BLOCKS, start=1):
        for i in range(count):
            name = f"block{block}_conv{i + 1}"
            x = keras.layers.Conv2D(
                filters, 3, padding="same", activation="relu", kernel_initializer="he_normal", name=name
            )(x)
        x = keras.layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    x = keras.layers.GlobalAveragePooling2D(name="gap")(x)
    x = keras.layers.Dense(hidden, activation="relu", kernel_initializer="he_normal", name="hidden")(x)
    x = keras.layers.Dropout(0.5, name="dropout")(x)
    logits = keras.layers.Dense(classes, kernel_initializer="he_normal", dtype="float32", name="logits")(x)
    model = keras.Model(rgb, logits)
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if hasattr(layer, "bias"):
            layer.bias.assign(rng.normal(0, 0.1, layer.bias.shape))
    return model


def narrow_contract(size: int = 64, classes: int = 3, **changes: Any) -> ModelContract:
    """The contract that a run of ``narrow_model`` would have."""
    fields: dict[str, Any] = {
        "labels": tuple(f"Class {i}" for i in range(classes)),
        "input_size": size,
        "thresholds": Thresholds(show=0.5, unknown=0.6),
        "provenance": Provenance(run_id="narrow", data_hash="0" * 64, packages={"keras": "3.0"}),
        "temperature": 1.3,
        "unknown_score": UNKNOWN_SCORE,
    }
    return ModelContract(**{**fields, **changes})


def narrow_unknown(features: int = 32, seed: int = 2) -> UnknownScore:
    """Constants of the unknown score as a run of ``narrow_model`` would have: both terms count."""
    rows = unit(np.abs(np.random.default_rng(seed).normal(0, 1, (5, features))))
    return UnknownScore(rows.astype(np.float32), energy_weight=0.4, distance_weight=6.0, offset=-1.0)


def blotches(count: int, size: int = 64, seed: int = 0) -> NDArray[np.uint8]:
    """uint8 [count, size, size, 3]: coarse coloured blotches, no two alike."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 6, 6, 3))
    index = np.arange(size) * 6 // size
    fine = rng.integers(-20, 21, (count, size, size, 3))
    return np.clip(coarse[:, index][:, :, index] + fine, 0, 255).astype(np.uint8)


def write_run(folder: Path, model: Any, contract: ModelContract, frames: NDArray[np.uint8]) -> Path:
    """A run folder with what export reads."""
    folder.mkdir()
    model.save(folder / "model.keras")
    (folder / "contract.json").write_text(contract.to_json(), encoding="utf-8")
    narrow_unknown().save(folder / "unknown.npz")
    (folder / "state.json").write_text('{"stage": "done"}', encoding="utf-8")
    np.savez(folder / "calibration.npz", frames=frames, labels=np.zeros(len(frames), np.int64))
    return folder
