"""One training run from photographs to a finished run folder; reads from top to bottom."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, fields, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from realtime.contract import UNKNOWN_SCORE, ModelContract, Provenance
from realtime.errors import ContractError, ReeflensError, ResultsError, SettingsError
from training.augment import view
from training.calibration import calibrate
from training.callbacks import EpochRow
from training.curves import draw_curves
from training.dataset import Dataset, at_size, calibration_frames, prepare
from training.features import FeatureCache
from training.files import replacing, stage_reached, write, write_json, writing
from training.fitting import fit_stage
from training.foreign import Observed
from training.learning import PIXELS, best, cuts_of, learning_part
from training.model import WIDTHS, build_model, build_tail, centred, copy_weights, observe, predict
from training.options import TrainOptions, begun_options
from training.progress import Reporter, Silent
from training.stages import HEAD, Stage, plan
from training.taxonomy import taxonomy_of
from training.teacher import Teacher, find_teacher, same_classes, teacher_answers
from training.views import FOLDER
from training.weights import load_kernels, set_kernels

FEATURE_BATCH = 32  # views per forward pass of the frozen part; more gains nothing on a CPU
VERIFIED_PICTURES = 16
# by key of data_report.json
LEFT_OUT = {
    "skipped": "unreadable or no picture",
    "contradictory": "one photograph under two labels",
    "duplicates_of_validation": "in validation too",
}
# Of the largest logit: features kept in half precision change logits by about 0.001 of it, in bfloat16 by 0.005.
AGREEMENT, AGREEMENT_BFLOAT16 = 0.01, 0.03
CHECKPOINT = ".checkpoint.npz"
TUNING = "tuning"  # what a search leaves in the folder of the run it ends with
# A run of ``training.slim`` says so under this key of its config.json, and comes here, to be finished, in this stage.
SLIMMED = "slimmed"
RECOVERED = "recovered"
# And under it the input size, pixels, at which its photographs were compared with each other, which decides which of
# them are used: that of the network it comes from.
PICTURES_AT = "pictures_at"


def train(
    options: TrainOptions, reporter: Reporter | None = None, *, resume: bool = False, data: Dataset | None = None
) -> Path:
    """Trains by ``options`` and returns the finished run folder (``options.out``).

    data: what ``prepare(options)`` gave, where the caller has it already.

    resume: a run that was cut off goes on and ends as if it had not been, at the cost of one epoch at most; a finished
    run that an earlier version calibrated is calibrated anew; one that is complete is left alone; where there is no
    run one begins. Without it a run that was cut off is started anew. Runs of ``training.slim`` are finished here, too.

    The folder counts as finished only when state.json says "done". Raises DataError, WeightsError, SettingsError
    (resumed with other options or another teacher, a teacher of other classes), ContractError and EngineError (a
    teacher that is no model of ours, or fails), or ResultsError (the folder holds a finished run or something else,
    cannot be read or written, or the photographs have changed since).
    """
    reporter = reporter or Silent()
    run = claim(options.out, resume)
    stage = stage_reached(run / "state.json")
    began = _resumed_config(run / "config.json", options) if resume else None
    if stage == "done" and _is_calibrated(run):
        reporter.say(f"{run}: is finished; nothing is left to do")
        return run
    if began and SLIMMED in began and stage not in (RECOVERED, "done"):
        raise ResultsError(f"{run}: was begun by `reeflens slim`; go on with that and its --resume")
    stages = plan(options)
    left = _left(stages, stage)
    kernels = load_kernels(options.weights) if stage is None else None
    try:
        teacher = find_teacher(options.teacher) if options.teacher and left else None
        if teacher and began:
            _same_teacher(began, teacher)
        data = data or pictures_of(options, began or {}, reporter)
        if teacher:
            same_classes(teacher.contract.labels, data.labels)  # before anything expensive starts
    except ReeflensError:
        with suppress(OSError):  # made for nothing; a folder that holds anything stays
            run.rmdir()
        raise
    counts = f"{len(data.train)} training and {len(data.validation)} validation pictures"
    reporter.say(f"{counts} of {len(data.labels)} classes; left out: {_left_out(data)}")
    config = began or run_config(options, data, teacher)
    if (config["split_hash"], config["data_hash"]) != (data.split_hash, data.data_hash):
        raise ResultsError(f"{run}: the photographs have changed since this run began; begin another with --out")
    write_json(run / "config.json", config)
    write_json(run / "split.json", data.split_record())
    write_json(run / "data_report.json", data.report)

    model = build_model(
        len(data.labels),
        options.image_size,
        dense_units=options.dense_units,
        dropout=options.dropout,
        seed=options.seed,
        widths=config.get(SLIMMED, {}).get("widths", WIDTHS),
    )
    if stage is not None:
        _load_weights(model, run / "model.keras")
    elif kernels is not None:
        set_kernels(model, kernels)
    ahead = {part.name for part in left}
    epochs = [] if stage is None else [r for r in _read_history(run / "history.csv") if r.stage not in ahead]
    kept = run / CHECKPOINT
    cuts = cuts_of(left or stages[-1:], options)
    with (
        FeatureCache(
            run, model, cuts or ("gap",), options.image_size, mixed_precision=options.mixed_precision
        ) as cache,
        ThreadPoolExecutor() as pool,
    ):
        answers = teacher_answers(teacher, run, data, options, reporter) if teacher else None
        if cuts or not left:
            views = options.views if left else 1
            cache.fill("train", data.train.pixels, views, options.seed, FEATURE_BATCH, reporter, water=options.water)
            cache.fill("validation", data.validation.pixels, 1, options.seed, FEATURE_BATCH, reporter)
        for part in left:
            tail, batches, validation = learning_part(part, model, cache, data, options, pool, answers)
            found_epochs = fit_stage(part, tail, batches, validation, options, reporter, kept)
            if not epochs or best(found_epochs) >= best(epochs):
                copy_weights(tail, model)
            else:
                reporter.say(f"{part.name}: no better than before; its weights are not taken")
            epochs = [*epochs, *found_epochs]
            save_progress(run, model, epochs, part.name)

        if options.fresh_views and any(part.name != HEAD for part in left):
            observed = [_observe(model, side.pixels, options, reporter) for side in (data.train, data.validation)]
        else:  # the features before the first block that learnt are still those of the network
            cut = (cuts or ("gap",))[0]
            tail = build_tail(model, cut)
            observed = [observe(tail, cache[cut, side][:, 0], options.batch_size) for side in ("train", "validation")]
        seen, held = Observed(*observed[0], data.train.labels), Observed(*observed[1], data.validation.labels)
        agreement = AGREEMENT_BFLOAT16 if options.mixed_precision else AGREEMENT
        _verify(model, data.validation.pixels, held.logits, agreement)

        reporter.say("calibrating")
        found = calibrate(seen, held, data.labels, options.seed)
        contract = ModelContract(
            labels=data.labels,
            input_size=options.image_size,
            thresholds=found.thresholds,
            temperature=found.temperature,
            unknown_score=UNKNOWN_SCORE,
            taxonomy=taxonomy_of(data.labels),
            provenance=Provenance(
                run_id=f"{run.resolve().name}-{_short_hash(config)}",
                data_hash=data.data_hash,
                packages=config["packages"],
                metrics=found.metrics,
            ),
        )
        with replacing(run / "unknown.npz") as beside:
            found.unknown.save(beside)
        write(run / "contract.json", contract.to_json().encode())
        frames, labels = calibration_frames(data, options.image_size, options.seed)
        with replacing(run / "calibration.npz") as beside:
            np.savez(beside, frames=frames, labels=labels)
        title = f"{run.resolve().name}: {counts}, {options.image_size} px"
        write(run / "curves.png", draw_curves(epochs, title))
        write_json(run / "state.json", {"stage": "done", "validation": found.facts})
    with writing(kept):
        kept.unlink(missing_ok=True)
    facts = found.facts
    reporter.say(
        f"validation accuracy {facts['accuracy']:.1%}, calibration error {facts['ece']:.3f} at temperature "
        f"{found.temperature:.2f}; labels are shown from {found.thresholds.show:.2f}, "
        f"{facts['refused_share']:.1%} of the pictures are refused as unknown"
    )
    return run


def pictures_at(config: Mapping[str, Any]) -> int:
    """The input size at which the photographs of the run with this config.json were compared, pixels."""
    return int(config.get(SLIMMED, {}).get(PICTURES_AT, config["options"]["image_size"]))


def pictures_of(options: TrainOptions, config: Mapping[str, Any], reporter: Reporter) -> Dataset:
    """What ``prepare`` gives, of the same photographs as in the run with this config.json; of none yet if it is empty.

    Raises DataError.
    """
    compared = replace(options, image_size=pictures_at(config)) if config else options
    return at_size(prepare(compared, reporter), options.image_size, reporter)


def claim(run: Path, resume: bool) -> Path:
    """The folder, made if need be, and emptied of what a run that was cut off left unless that is to go on.

    Raises ResultsError when it holds a finished run that is not to be resumed, or files of something else.
    """
    state = run / "state.json"
    if stage_reached(state) == "done" and not resume:
        raise ResultsError(f"{run}: holds a finished run; name another folder with --out")
    try:
        run.mkdir(parents=True, exist_ok=True)
        others = [entry.name for entry in run.iterdir() if entry.name != TUNING and not entry.name.startswith(".")]
    except OSError as error:
        raise ResultsError(f"{run}: cannot be used as run folder ({error.strerror})") from error
    if others and not (run / "config.json").is_file():
        raise ResultsError(f"{run}: holds {others[0]!r} but no run; name a new or an empty folder with --out")
    if not resume:
        with writing(run):
            for leftover in (state, run / CHECKPOINT):
                leftover.unlink(missing_ok=True)
            for folder in run.glob(f"{FOLDER}*"):
                shutil.rmtree(folder)
    return run


def _resumed_config(path: Path, options: TrainOptions) -> dict[str, Any] | None:
    """The configuration that the run was begun with; None when it had not come that far."""
    raw = begun_options(path.parent)
    if raw is None:
        return None
    given, begun = options.to_dict(), replace(TrainOptions.from_dict(raw), out=options.out).to_dict()
    for name, value in begun.items():
        if name == "teacher" and value and given[name]:
            continue  # its file may lie elsewhere by now: ``_same_teacher`` goes by what is in it
        if given[name] != value:
            raise SettingsError(
                f"{name}: this run was begun with {value!r}, received {given[name]!r}; leave the option out, or begin "
                "another run with another --out"
            )
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _same_teacher(began: dict[str, Any], teacher: Teacher) -> None:
    record = began["teacher"]
    if record["sha256"] != teacher.sha256:
        raise SettingsError(
            f"teacher: this run was begun with {record['file']} of sha256 {record['sha256'][:8]}, received "
            f"{teacher.path} of {teacher.sha256[:8]}; name that file, or begin another run with another --out"
        )


def _is_calibrated(run: Path) -> bool:
    try:
        contract = ModelContract.from_json((run / "contract.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, ContractError):
        return False
    return contract.unknown_score == UNKNOWN_SCORE and (run / "unknown.npz").is_file()


def _load_weights(model: keras.Model, path: Path) -> None:
    try:
        model.load_weights(path)
    except Exception as error:  # keras raises a dozen unrelated classes for a file it cannot use
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise ResultsError(f"{path}: cannot be read ({reason}); begin anew without --resume") from error


def _read_history(path: Path) -> list[EpochRow]:
    """The epochs there were. The file may be ahead of the stage reached: it is written first."""
    kinds = {field.name: {"str": str, "int": int, "float": float}[str(field.type)] for field in fields(EpochRow)}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [EpochRow(**{name: kinds[name](cell) for name, cell in row.items()}) for row in csv.DictReader(file)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultsError(f"{path}: cannot be read ({error}); begin anew without --resume") from error


def run_config(options: TrainOptions, data: Dataset, teacher: Teacher | None = None) -> dict[str, Any]:
    """Content of config.json."""
    return {
        "options": options.to_dict(),
        **({"teacher": teacher.record()} if teacher else {}),
        "labels": list(data.labels),
        "counts": {
            "training": len(data.train),
            "validation": len(data.validation),
            "left_out": {reason: len(data.report[reason]) for reason in LEFT_OUT},
        },
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


def _left(stages: Sequence[Stage], reached: str | None) -> Sequence[Stage]:
    """The stages behind the one that was reached: all of them for None; none for "done", and for "fine-tune", as the
    end of the training was called while there was one stage behind the head."""
    names = [stage.name for stage in stages]
    if reached is None:
        return stages
    return stages[names.index(reached) + 1 :] if reached in names else ()


def _observe(
    model: keras.Model, pictures: NDArray[np.uint8], options: TrainOptions, reporter: Reporter
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Averages of the last block and logits of the plain pictures, through the whole network."""
    whole = build_tail(model, PIXELS)
    reporter.begin("answers of the network", len(pictures))
    parts = []
    for first in range(0, len(pictures), FEATURE_BATCH):
        rows = pictures[first : first + FEATURE_BATCH]
        plain = np.stack([view(picture, options.image_size, (0, 0, 0)) for picture in rows])
        parts.append(observe(whole, centred(plain), FEATURE_BATCH))
        reporter.advance(len(rows))
    averages, logits = (np.concatenate(part) for part in zip(*parts, strict=True))
    return averages, logits


def save_progress(run: Path, model: keras.Model, epochs: Sequence[EpochRow], stage: str) -> None:
    """The stage counts as reached with the last of these files; a kill in between costs nothing."""
    with replacing(run / "history.csv") as beside, beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(EpochRow)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in epochs)
    with replacing(run / "model.keras") as beside:
        model.save(beside)
    write_json(run / "state.json", {"stage": stage})


def _verify(model: keras.Model, frames: NDArray[np.uint8], logits: NDArray[np.float32], agreement: float) -> None:
    """The whole network, from pixels, says what the part that was trained said of the cached features."""
    few = frames[:VERIFIED_PICTURES]
    whole = predict(model, few, len(few))
    difference = float(np.abs(whole - logits[: len(few)]).max())
    allowed = agreement * max(1.0, float(np.abs(whole).max()))
    if not difference <= allowed:
        raise ReeflensError(
            f"the assembled network differs from the trained part by {difference:.3g}, expected at most {allowed:.3g}; "
            "this is a fault of Reeflens, please report it"
        )


def _left_out(data: Dataset) -> str:
    found = [f"{len(data.report[key])} ({name})" for key, name in LEFT_OUT.items() if data.report[key]]
    return ", ".join(found) or "none"


def _short_hash(config: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:8]
