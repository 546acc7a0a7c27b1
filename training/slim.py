"""From a finished run to a run of a smaller network that costs a share of it; reads from top to bottom."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from realtime.errors import DataError, ReeflensError, ResultsError, SettingsError
from realtime.preprocess import resize_rgb
from training.calibrate import negative_log_likelihood
from training.callbacks import EpochRow
from training.dataset import Dataset, at_size
from training.files import stage_reached, write_json
from training.model import CONVOLUTIONS, build_model, copy_weights, predict
from training.options import TrainOptions
from training.progress import Reporter, Silent
from training.pruning import unit_of
from training.reconstruct import reconstruct
from training.recover import FEATURE_BATCH, recover
from training.run import (
    CHECKPOINT,
    PICTURES_AT,
    RECOVERED,
    SLIMMED,
    claim,
    pictures_at,
    pictures_of,
    run_config,
    save_progress,
    train,
)
from training.slim_options import SlimOptions, begun_slimming
from training.survey import survey
from training.widths import Costs, choose_widths, multiply_adds, widths_of

PRUNED = "pruned"
SURVEYED = 512  # training pictures that the layers are fitted on


def slim(options: SlimOptions, reporter: Reporter | None = None, *, resume: bool = False) -> Path:
    """Makes the network of ``options.run`` smaller and returns the finished run folder (``options.out``).

    A smaller input, when asked for, saves first, and the filters make up the rest of the ratio.

    The new folder holds what a run of ``training.run`` holds, calibrated anew; its config.json says what it was slimmed
    from. resume: a slimming that was cut off goes on: pruning, which takes minutes, is done anew unless it was
    complete, and of the recovery one epoch is lost at most.

    Raises ResultsError (no such run, not finished, not of ours; ``out`` holds something else or cannot be written),
    SettingsError (a ratio that cannot be reached, a larger input, resumed with other options), DataError (pictures that
    are gone, or others than the run was trained on, or of other classes).
    """
    reporter = reporter or Silent()
    source = _source_config(options.run)
    full = _read_model(options.run / "model.keras")
    trained_by = _train_options(source, options, full.input.shape[1])
    before, run_id = multiply_adds(full), _run_id(options.run)
    resized = full if trained_by.image_size == full.input.shape[1] else _copy(full, trained_by, widths_of(full))
    _refuse_unreachable(resized, options.ratio, before)
    out = claim(options.out, resume)
    begun = begun_slimming(out) if resume else None
    if begun is not None:
        _refuse_others(begun, options)
    stage = stage_reached(out / "state.json") if begun is not None else None
    if stage in (RECOVERED, "done"):
        return train(trained_by, reporter, resume=True)

    try:
        shown = _pictures(replace(trained_by, image_size=full.input.shape[1]), options, source, reporter)
        data = at_size(shown, trained_by.image_size, reporter)
    except ReeflensError:
        with suppress(OSError):  # made for nothing; a folder that holds anything stays
            out.rmdir()
        raise
    if stage == PRUNED:
        narrow = _read_model(out / "model.keras")
        after = multiply_adds(narrow)
    else:
        narrow = _narrowed(resized, data, trained_by, options.seed, options.ratio * before, reporter)
        after = multiply_adds(narrow)
        note = {
            "run": str(options.run),
            "run_id": run_id,
            "options": options.to_dict(),
            "widths": list(widths_of(narrow)),
            PICTURES_AT: pictures_at(source),
            "multiply_adds": {"full": before, "slim": after, "asked": options.ratio, "reached": after / before},
        }
        write_json(out / "config.json", {**run_config(trained_by, data), SLIMMED: note})
        save_progress(out, narrow, [], PRUNED)
    reporter.say(
        f"{after / 1e6:.0f} of {before / 1e6:.0f} million multiply-adds ({after / before:.1%}) at "
        f"{trained_by.image_size} px, filters {', '.join(map(str, widths_of(narrow)))}"
    )
    pruned, loss = _judge(narrow, data)
    reporter.say(f"validation accuracy {pruned:.1%} pruned and fitted")
    epochs = [EpochRow(PRUNED, 0, loss, pruned, loss, pruned, 0.0, 0.0)]
    if options.epochs:
        fitted = narrow.get_weights()
        epochs += recover(
            full,
            narrow,
            data,
            options,
            out,
            out / CHECKPOINT,
            reporter,
            shown=shown.train.pixels,
            water=trained_by.water,
            mixed_precision=trained_by.mixed_precision,
        )
        if max(row.val_accuracy for row in epochs[1:]) < pruned:
            reporter.say("the recovery did not improve on the fitted network; its weights are not taken")
            narrow.set_weights(fitted)
    save_progress(out, narrow, epochs, RECOVERED)
    return train(trained_by, reporter, resume=True, data=data)


def _source_config(run: Path) -> dict[str, Any]:
    """The configuration of a finished run."""
    if not run.is_dir():
        raise ResultsError(f"{run}: no such run folder; make one with `reeflens train`")
    if stage_reached(run / "state.json") != "done":
        raise ResultsError(f"{run}: this run is not finished; go on with `reeflens train --out {run} --resume`")
    try:
        found: dict[str, Any] = json.loads((run / "config.json").read_text(encoding="utf-8"))
        TrainOptions.from_dict(found["options"])
    except (OSError, ValueError, KeyError, TypeError, SettingsError) as error:
        raise ResultsError(f"{run / 'config.json'}: cannot be read ({error})") from error
    return found


def _train_options(source: dict[str, Any], options: SlimOptions, size: int) -> TrainOptions:
    """What the new run is finished by: the old one's options, but for the folder and, if given, pictures and size.

    size: of the old network's input. Raises SettingsError when the new one is larger.
    """
    asked = options.image_size or size
    if asked > size:
        raise SettingsError(f"image_size: expected at most {size}, the input of this network, received {asked}")
    found = replace(TrainOptions.from_dict(source["options"]), out=options.out, image_size=asked)
    return replace(found, data=options.data, val=options.val) if options.data else found


def _read_model(path: Path) -> keras.Model:
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # keras raises a dozen unrelated classes for a file it cannot use
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise ResultsError(f"{path}: cannot be read ({reason})") from error
    names = {layer.name for layer in model.layers}
    if missing := [name for name in (*CONVOLUTIONS, "gap", "hidden", "logits") if name not in names]:
        raise ResultsError(f"{path}: has no layer {missing[0]!r}; only networks of `reeflens train` can be slimmed")
    return model


def _copy(full: keras.Model, trained_by: TrainOptions, widths: Sequence[int]) -> keras.Model:
    """A network with these filters and the input of ``trained_by``, and with the weights of ``full`` where it has all
    its filters.
    """
    found = build_model(
        full.output.shape[-1],
        trained_by.image_size,
        dense_units=trained_by.dense_units,
        dropout=trained_by.dropout,
        seed=trained_by.seed,
        widths=widths,
    )
    if tuple(widths) == widths_of(full):
        copy_weights(full, found)
    return found


def _narrowed(
    full: keras.Model, data: Dataset, trained_by: TrainOptions, seed: int, allowed: float, reporter: Reporter
) -> keras.Model:
    """A network of at most so many multiply-adds whose layers say most nearly what those of ``full`` say.

    full: with the input of ``trained_by``; a copy of it when it costs no more than that.
    """
    if multiply_adds(full) <= allowed:
        return _copy(full, trained_by, widths_of(full))
    pictures = _surveyed(data, trained_by.image_size, seed)
    found = survey(full, pictures, seed, reporter)
    last = widths_of(full)[-1]
    widths = choose_widths(Costs.of(full), found.curves, last, allowed / multiply_adds(full))
    kept = [e.kept(width) for e, width in zip(found.eliminations, widths[:-1], strict=True)]
    narrow = _copy(full, trained_by, widths)
    reconstruct(full, narrow, [*kept, np.arange(last)], found, pictures, reporter)
    return narrow


def _refuse_unreachable(full: keras.Model, ratio: float, before: int) -> None:
    """before: what the share is taken of, multiply-adds."""
    widths = widths_of(full)
    least = Costs.of(full).total([*(unit_of(width) for width in widths[:-1]), widths[-1]]) / before
    if ratio < least:
        raise SettingsError(f"ratio: expected at least {least:.3f} for this network, received {ratio}")


def _refuse_others(begun: dict[str, Any], options: SlimOptions) -> None:
    given = options.to_dict()
    for name, value in {**begun, "out": given["out"]}.items():
        if given.get(name) != value:
            raise SettingsError(
                f"{name}: this slimming was begun with {value!r}, received {given.get(name)!r}; leave the option out, "
                "or begin another with another --out"
            )


def _pictures(trained_by: TrainOptions, options: SlimOptions, source: dict[str, Any], reporter: Reporter) -> Dataset:
    try:
        data = pictures_of(trained_by, source, reporter)
    except DataError as error:
        if options.data:
            raise
        raise DataError(f"{error}; name the photographs with --data if they have moved") from error
    if list(data.labels) != source["labels"]:
        raise DataError(
            f"{options.run}: knows the classes {', '.join(source['labels'])}; the photographs hold "
            f"{', '.join(data.labels)}"
        )
    if not options.data and (data.split_hash, data.data_hash) != (source["split_hash"], source["data_hash"]):
        raise DataError(
            f"{options.run}: the photographs have changed since this run was trained, and validation may hold some it "
            "has learnt; name photographs with --data and --val to slim with others"
        )
    return data


def _surveyed(data: Dataset, size: int, seed: int) -> NDArray[np.uint8]:
    rows = np.random.default_rng([seed, 12]).permutation(len(data.train))[:SURVEYED]
    return np.stack([resize_rgb(data.train.pixels[row], size) for row in rows])


def _judge(model: keras.Model, data: Dataset) -> tuple[float, float]:
    """Accuracy and negative log-likelihood on the validation pictures."""
    logits = predict(model, data.validation.pixels, FEATURE_BATCH)
    labels = data.validation.labels
    return float((logits.argmax(axis=1) == labels).mean()), negative_log_likelihood(logits, labels)


def _run_id(run: Path) -> str:
    try:
        return str(json.loads((run / "contract.json").read_text(encoding="utf-8"))["provenance"]["run_id"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultsError(f"{run / 'contract.json'}: cannot be read ({error})") from error
