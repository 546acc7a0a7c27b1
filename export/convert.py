"""From a finished run to one ONNX file that is proven to say what the trained model says; reads from top to bottom."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from export.parity import BATCH, LossyParity, compare_with_fp32, compare_with_keras
from export.pictures import read_labelled, read_pictures
from export.record import record_metrics
from export.report import ExportReport, refuse_drift, refuse_loss, refuse_overflow
from export.run_folder import open_run
from realtime.contract import PRECISIONS, ModelContract
from realtime.engine import Engine
from realtime.errors import ContractError, ExportError, SettingsError

KERAS_PICTURES = 64  # compared with the trained model, which takes about half a second for each at 224 px
MOST_PICTURES = 256  # read of a folder that the user names for calibration; a run keeps as many
MOST_HELD_OUT = 4096  # a whole test split; they stay in memory, 150 kB each at 224 px
# Half of the photographs reach full colour somewhere. With the 99th the maps of real footage, whose peaks are weaker
# than those of close-up photographs, stayed below a quarter of the scale and could not be seen.
CAM_PERCENTILE = 50.0


def export(
    run: Path,
    out: Path,
    *,
    precision: Literal["fp32", "fp16", "int8"] = "fp32",
    calibration: Path | None = None,
    held_out: Path | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> ExportReport:
    """Writes the model of a run folder to ``out``, and a report to RUN/export-<precision>.json.

    calibration: pictures for the ranges of int8 instead of the run's own. held_out: more pictures on which fewer bits
    are compared with float32, and may cost at most a point of accuracy where folders are named after classes; what was
    found goes into the file. Both are
    a folder of pictures or a tree with a folder per class. int8 that is not good enough is made in another way, in the
    order of ``precision.RECIPES``, before it is given up. progress: told in a line what goes on. ``out`` is replaced
    only when the new file opens in the engine and agrees with the trained model; otherwise nothing is left behind.

    Raises ExportError, with the figures, when it does not agree, and when the run cannot be read or ``out`` not be
    written; ContractError when the run's contract contradicts its model; DataError and SettingsError for the arguments.
    """
    if precision not in PRECISIONS:
        raise SettingsError(f"precision: expected one of {', '.join(PRECISIONS)}, received {precision!r}")
    if calibration is not None and precision != "int8":
        raise SettingsError(f"calibration: pictures are needed for int8 only, not for {precision}")
    if out.is_dir():
        raise ExportError(f"{out}: is a folder; name the .onnx file to write")
    progress(f"reading {run}")
    source = open_run(run)
    # These import tensorflow and keras, which open_run found to be there and set up as needed.
    from export.graph import deployed, take_apart
    from export.onnx_file import convert, save
    from export.oracle import Oracle
    from export.precision import RECIPES, evenly, to_fp16, to_int8

    size = source.contract.input_size
    ranges = source.frames if calibration is None else read_pictures(calibration, size, MOST_PICTURES)
    compared = {"run": (source.frames, np.full(len(source.frames), -1, np.int64))}
    if held_out is not None:
        compared["held-out"] = read_labelled(held_out, size, MOST_HELD_OUT, source.contract.labels)
    parts = take_apart(source.model, source.contract)
    with _workshop(out) as folder:
        progress(f"scaling the maps on {len(source.frames)} pictures")
        unscaled = replace(source.contract, cam_scale=1.0)
        contract = _complete(unscaled, measure_cam_scale(deployed(parts, unscaled, source.unknown), source.frames))

        progress("converting to ONNX")
        function = deployed(parts, contract, source.unknown)
        model = convert(function)
        finished = folder / "fp32.onnx"
        save(model, contract, finished)
        with _open(finished) as fp32:
            frames = evenly(source.frames, KERAS_PICTURES)
            progress(f"comparing with the trained model on {len(frames)} pictures")
            oracle = Oracle(source.model, contract, source.unknown)
            keras = compare_with_keras(fp32, function, oracle, frames)
            refuse_drift(keras)
            if precision == "fp16":
                refuse_overflow(oracle.largest_activation(frames))

            lossy: dict[str, LossyParity] = {}
            refused: dict[str, str] = {}
            recipe = ""
            if precision != "fp32":
                ways = {str(it): partial(to_int8, model, ranges, it) for it in RECIPES}
                for recipe, make in ways.items() if precision == "int8" else [("", partial(to_fp16, model))]:
                    progress(f"converting to {precision}{f', {recipe}' if recipe else ''}")
                    finished = folder / f"{precision}.onnx"
                    try:
                        save(make(), replace(contract, precision=precision), finished)
                        with _open(finished) as engine:
                            lossy = _compared(engine, fp32, compared, progress)
                        break
                    except ExportError as error:
                        refused[recipe] = str(error)
                        progress(str(error))
                else:
                    raise ExportError(next(iter(refused.values())) + _tried(refused))
        if "held-out" in lossy:
            contract = record_metrics(finished, lossy["held-out"].metrics())
        report = ExportReport(
            run, out, precision, finished.stat().st_size, contract.cam_scale, keras, lossy, recipe, refused
        )
        finished.replace(out)
    _save(report, progress)
    return report


def _compared(
    engine: Engine,
    fp32: Engine,
    sets: Mapping[str, tuple[NDArray[np.uint8], NDArray[np.int64]]],
    progress: Callable[[str], None],
) -> dict[str, LossyParity]:
    """By set of pictures and their classes. Raises ExportError at the first that shows too much of a loss."""
    precision = engine.contract.precision
    found = {}
    for name, (frames, classes) in sets.items():
        progress(f"comparing {precision} with float32 on {len(frames)} pictures ({name})")
        found[name] = compare_with_fp32(engine, fp32, frames, classes)
        refuse_loss(precision, name, found[name])
    return found


def _tried(refused: Mapping[str, str]) -> str:
    others = list(refused)[1:]
    return f"; {len(others)} other ways did no better ({'; '.join(others)})" if others else ""


def measure_cam_scale(function: Any, frames: NDArray[np.uint8]) -> float:
    """The CAM_PERCENTILE-th percentile, over pictures, of the highest cell of the most probable class's map.

    function: ``graph.deployed`` with a cam_scale of 1. frames: uint8 [M, S, S, 3] RGB. When even that is zero the
    highest cell of all pictures is taken, and 1 when all maps are empty: nothing then needs a scale. Raises ExportError
    when a map is not finite.
    """
    highest = []
    for start in range(0, len(frames), BATCH):
        part = frames[start : start + BATCH]
        highest.append(function(part, np.full(len(part), -1, np.int64))["cam"].numpy().max(axis=(1, 2)))
    maxima = np.concatenate(highest)
    if not np.isfinite(maxima).all():
        raise ExportError("the model's maps are not finite; its weights are damaged or its training diverged")
    for scale in (float(np.percentile(maxima, CAM_PERCENTILE)), float(maxima.max())):
        if scale > np.finfo(np.float32).tiny:
            return scale
    return 1.0


def _complete(contract: ModelContract, cam_scale: float) -> ModelContract:
    """What is known only now. A package that took part in training keeps the version it had there."""
    found = {}
    for name in ("keras", "tensorflow", "tensorflow-cpu", "tf2onnx", "onnx", "onnxruntime", "onnxruntime-gpu"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # two of them go by one of two names
    provenance = replace(contract.provenance, packages={**found, **contract.provenance.packages})
    return replace(contract, cam_scale=cam_scale, precision="fp32", provenance=provenance)


@contextmanager
def _workshop(out: Path) -> Iterator[Path]:
    """A folder beside ``out``, so that a finished file moves to its name in one step; it goes with all that is left."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".export-", dir=out.parent) as folder:
            yield Path(folder)
    except OSError as error:
        raise ExportError(f"{out}: cannot be written ({error.strerror or error})") from error


def _open(path: Path) -> Engine:
    try:
        return Engine.open(path, provider="cpu")
    except ContractError as error:
        raise ExportError(f"the exported graph cannot be used: {error}; nothing was written") from error


def _save(report: ExportReport, progress: Callable[[str], None]) -> None:
    path = report.run / f"export-{report.precision}.json"
    beside = path.with_name(f".{path.name}.partial")
    try:
        beside.write_text(report.to_json() + "\n", encoding="utf-8")
        beside.replace(path)
    except OSError as error:  # the model is good and in its place; a run folder may well be read-only
        progress(f"{path}: the report cannot be written ({error.strerror})")
