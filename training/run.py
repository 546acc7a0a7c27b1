"""One training run from photographs to a finished run folder; reads from top to bottom."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, fields
from importlib import metadata
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from realtime.contract import ModelContract, Provenance, Thresholds
from realtime.errors import ReeflensError, ResultsError
from training.calibrate import (
    choose_thresholds,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    softmax,
)
from training.callbacks import EpochRow
from training.curves import draw_curves
from training.dataset import Dataset, calibration_frames, prepare
from training.features import FOLDER_PREFIX, FeatureCache
from training.fitting import ViewBatches, class_weights, fit_stage
from training.model import build_model, build_tail, copy_weights, layer_before, predict
from training.options import TrainOptions
from training.progress import Reporter, Silent
from training.taxonomy import taxonomy_of
from training.weights import load_kernels, set_kernels

FEATURE_BATCH = 32  # views per forward pass of the frozen part; more gains nothing on a CPU
VERIFIED_PICTURES = 16
AGREEMENT = 0.01  # of the largest logit: features kept in half precision change logits by about 0.001 of it


def train(options: TrainOptions, reporter: Reporter | None = None) -> Path:
    """Trains by ``options`` and returns the finished run folder (``options.out``).

    Raises DataError, WeightsError, or ResultsError (the folder holds a finished run or something else, or cannot be
    written). A run that was cut off is started anew; the folder counts as finished only when state.json says "done".
    """
    reporter = reporter or Silent()
    run = _claim(options.out)
    kernels = load_kernels(options.weights)
    try:
        data = prepare(options, reporter)
    except ReeflensError:
        with suppress(OSError):  # made for nothing; a folder that holds anything stays
            run.rmdir()
        raise
    counts = f"{len(data.train)} training and {len(data.validation)} validation pictures"
    reporter.say(f"{counts} of {len(data.labels)} classes; left out: {_left_out(data)}")
    config = _config(options, data)
    _write_json(run / "config.json", config)
    _write_json(run / "split.json", data.split_record())
    _write_json(run / "data_report.json", data.report)

    model = build_model(
        len(data.labels),
        options.image_size,
        dense_units=options.dense_units,
        dropout=options.dropout,
        seed=options.seed,
    )
    if kernels is not None:
        set_kernels(model, kernels)
    cut = layer_before(options.unfreeze) if options.fine_tunes else "gap"
    with FeatureCache(run, model, cut, options.image_size) as cache:
        cache.fill("train", data.train.pixels, options.views, options.seed, FEATURE_BATCH, reporter)
        cache.fill("validation", data.validation.pixels, 1, options.seed, FEATURE_BATCH, reporter)

        tail = build_tail(model, "gap")
        epochs = fit_stage("head", tail, *_batches(cache, "gap", data, options), options, reporter)
        copy_weights(tail, model)
        logits = predict(tail, cache["gap", "validation"][:, 0], options.batch_size)
        _save_progress(run, model, epochs, "head")

        if options.fine_tunes:
            tail = build_tail(model, cut)
            tuned = fit_stage("fine-tune", tail, *_batches(cache, cut, data, options), options, reporter)
            if _best(tuned) >= _best(epochs):
                copy_weights(tail, model)
                logits = predict(tail, cache[cut, "validation"][:, 0], options.batch_size)
            else:
                reporter.say("fine-tuning did not improve on the head alone; its weights are not taken")
            epochs += tuned
            _save_progress(run, model, epochs, "fine-tune")
    _verify(model, data.validation.pixels, logits)

    temperature, thresholds, facts = _calibrate(logits, data.validation.labels)
    contract = ModelContract(
        labels=data.labels,
        input_size=options.image_size,
        thresholds=thresholds,
        temperature=temperature,
        taxonomy=taxonomy_of(data.labels),
        provenance=Provenance(
            run_id=f"{run.resolve().name}-{_short_hash(config)}",
            data_hash=data.data_hash,
            packages=config["packages"],
        ),
    )
    _write(run / "contract.json", contract.to_json().encode())
    frames, labels = calibration_frames(data, options.image_size, options.seed)
    with _writing(run / "calibration.npz"):
        np.savez(run / "calibration.npz", frames=frames, labels=labels)
    title = f"{run.resolve().name}: {counts}, {options.image_size} px"
    _write(run / "curves.png", draw_curves(epochs, title))
    _write_json(run / "state.json", {"stage": "done", "validation": facts})
    reporter.say(
        f"validation accuracy {facts['accuracy']:.1%}, calibration error {facts['ece']:.3f} at temperature "
        f"{temperature:.2f}; labels are shown from {thresholds.show:.2f}"
    )
    return run


def _claim(run: Path) -> Path:
    """The folder, made if need be. Raises ResultsError when it holds a finished run, or files of something else."""
    state = run / "state.json"
    if _stage(state) == "done":
        raise ResultsError(f"{run}: holds a finished run; name another folder with --out")
    try:
        run.mkdir(parents=True, exist_ok=True)
        others = [entry.name for entry in run.iterdir() if not entry.name.startswith(".")]
    except OSError as error:
        raise ResultsError(f"{run}: cannot be used as run folder ({error.strerror})") from error
    if others and not (run / "config.json").is_file():
        raise ResultsError(f"{run}: holds {others[0]!r} but no run; name a new or an empty folder with --out")
    with _writing(run):
        state.unlink(missing_ok=True)
        for leftover in run.glob(f"{FOLDER_PREFIX}*"):  # of a run that was killed
            shutil.rmtree(leftover)
    return run


def _stage(state: Path) -> str | None:
    try:
        found = json.loads(state.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found.get("stage") if isinstance(found, dict) else None


def _config(options: TrainOptions, data: Dataset) -> dict[str, Any]:
    return {
        "options": options.to_dict(),
        "labels": list(data.labels),
        "counts": {"training": len(data.train), "validation": len(data.validation)},
        "split_hash": data.split_hash,
        "data_hash": data.data_hash,
        "backend": keras.backend.backend(),
        "packages": _packages(),
    }


def _packages() -> dict[str, str]:
    backend = {"tensorflow": ("tensorflow", "tensorflow-cpu")}.get(keras.backend.backend(), (keras.backend.backend(),))
    found = {}
    for name in ("reeflens", "keras", *backend, "numpy", "opencv-python-headless", "pillow"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # tensorflow has two names, and a checkout need not be installed
    return found


def _batches(cache: FeatureCache, layer: str, data: Dataset, options: TrainOptions) -> tuple[ViewBatches, ViewBatches]:
    weights = class_weights(data.train.labels, len(data.labels), options.balance)
    even = np.ones_like(weights)
    size = options.batch_size
    return (
        ViewBatches(cache[layer, "train"], data.train.labels, weights, size, options.seed),
        ViewBatches(cache[layer, "validation"], data.validation.labels, even, size, None),
    )


def _best(epochs: Sequence[EpochRow]) -> float:
    return max(row.val_accuracy for row in epochs)


def _save_progress(run: Path, model: keras.Model, epochs: Sequence[EpochRow], stage: str) -> None:
    with _writing(run / "history.csv"), (run / "history.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(EpochRow)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in epochs)
    with _writing(run / "model.keras"):
        model.save(run / "model.keras")
    _write_json(run / "state.json", {"stage": stage})


def _verify(model: keras.Model, frames: NDArray[np.uint8], logits: NDArray[np.float32]) -> None:
    """The whole network, from pixels, says what the part that was trained said of the cached features."""
    few = frames[:VERIFIED_PICTURES]
    whole = predict(model, few, len(few))
    difference = float(np.abs(whole - logits[: len(few)]).max())
    allowed = AGREEMENT * max(1.0, float(np.abs(whole).max()))
    if not difference <= allowed:
        raise ReeflensError(
            f"the assembled network differs from the trained part by {difference:.3g}, expected at most {allowed:.3g}; "
            "this is a fault of Reeflens, please report it"
        )


def _calibrate(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[float, Thresholds, dict[str, float]]:
    temperature = fit_temperature(logits, labels)
    probabilities = softmax(logits, temperature)
    thresholds = choose_thresholds(probabilities, labels)
    correct = logits.argmax(axis=1) == labels
    confidence = probabilities.max(axis=1)
    shown = confidence >= thresholds.show
    return (
        temperature,
        thresholds,
        {
            "accuracy": float(correct.mean()),
            "nll_uncalibrated": negative_log_likelihood(logits, labels),
            "nll": negative_log_likelihood(logits, labels, temperature),
            "ece_uncalibrated": expected_calibration_error(softmax(logits).max(axis=1), correct),
            "ece": expected_calibration_error(confidence, correct),
            "shown_share": float(shown.mean()),
            "shown_precision": float(correct[shown].mean()) if shown.any() else 0.0,
        },
    )


def _left_out(data: Dataset) -> str:
    names = {
        "skipped": "unreadable or no picture",
        "contradictory": "one picture with two labels",
        "duplicates_of_validation": "in validation too",
    }
    found = [f"{len(data.report[key])} ({name})" for key, name in names.items() if data.report[key]]
    return ", ".join(found) or "none"


def _short_hash(config: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:8]


def _write_json(path: Path, value: object) -> None:
    _write(path, (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode())


def _write(path: Path, content: bytes) -> None:
    with _writing(path):
        path.write_bytes(content)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ResultsError(f"{path}: cannot be written ({error.strerror or error})") from error
