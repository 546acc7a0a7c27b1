"""Searches for the options that train best, with Keras Tuner, and trains with those; reads from top to bottom.

A trial is a training from the start of ``train``'s line of stages to some epoch of it. All trials learn from one cache
of features. The objective is accuracy on the validation pictures, of the best epoch: it is what the model is wanted
for, and what decides between epochs too. A log-loss would mostly rank label smoothing, which the temperature that is
fitted afterwards makes up for.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import keras_tuner

from realtime.errors import ReeflensError, ResultsError, SettingsError
from training.dataset import Dataset, prepare
from training.features import FeatureCache
from training.learning import cuts_of
from training.model import build_model
from training.options import PERSONAL, TrainOptions
from training.oracles import forget, make_oracle
from training.progress import Reporter, Silent
from training.run import FEATURE_BATCH, TUNING, train
from training.space import SearchOptions, chosen, search_space
from training.stages import plan
from training.trials import TrialRow, draw_trials, ranked, trials_csv
from training.tuner import Role, Trials, Tuner, reason_in, role_of
from training.weights import load_kernels, set_kernels

SETTINGS, TRIALS = "settings.json", "trials"


@dataclass(frozen=True, slots=True)
class Tuned:
    """What came of it. rows: empty for a worker, whose chief has them."""

    run: Path
    rows: tuple[TrialRow, ...]


def tune(
    options: TrainOptions, search: SearchOptions, reporter: Reporter | None = None, *, resume: bool = False
) -> Tuned:
    """Searches around ``options``, then trains the best into ``options.out``, whose folder ``tuning`` keeps the search.

    ``options.unfreeze`` is the deepest block tried. resume: a search that was broken off goes on, at the cost of one
    trial at most; where there is none one begins. As a worker of a shared search it returns when no trial is left.

    Raises what ``train`` raises; ResultsError for a folder that holds a search and is not to be resumed; ReeflensError
    when no trial succeeds or five fail in a row.
    """
    reporter = reporter or Silent()
    role = role_of(os.environ)
    run, tuning = options.out, options.out / TUNING
    settings = tuning / SETTINGS
    if not role.worker and not resume and (settings.is_file() or (run / "config.json").is_file()):
        raise ResultsError(f"{run}: holds a search or a run; go on with --resume, or name another folder with --out")
    if not role.worker and json_of(run / "state.json").get("stage") == "done":
        return Tuned(train(options_found(tuning, options), reporter, resume=True), rows_of(tuning / TRIALS))
    data = prepare(options, reporter)
    reporter.say(f"{len(data.train)} training and {len(data.validation)} validation pictures")
    record = {"options": options.to_dict(), "search": asdict(search), "split": data.split_hash, "data": data.data_hash}
    _same_search(settings, record, options)
    _make(tuning / TRIALS)
    if not role.worker:
        _write(settings, json.dumps(record, indent=1) + "\n")

    oracle = make_oracle(search, search_space(options.unfreeze), options.epochs, options.seed)
    if role.chief:
        reporter.say(f"waiting for workers at port {os.environ['KERASTUNER_ORACLE_PORT']}; press Ctrl-C to stop")
        Tuner(oracle, tuning / TRIALS, None, _nothing).search(verbose=0)
    else:
        _run_trials(oracle, options, search, data, role, reporter)
    if role.worker:
        reporter.say("no trial is left; the chief trains the best")
        return Tuned(run, ())

    rows = write_results(tuning, options)
    found = options_found(tuning, options)
    reporter.say(f"the best of {len(rows)} trials reached {ranked(rows)[0].accuracy:.1%}; training with its options")
    train(found, reporter, resume=True, data=data)
    forget(tuning / TRIALS)
    return Tuned(run, rows)


def _run_trials(
    oracle: keras_tuner.Oracle,
    options: TrainOptions,
    search: SearchOptions,
    data: Dataset,
    role: Role,
    reporter: Reporter,
) -> None:
    """Computes the features that all trials learn from, and runs trials until none is left."""
    run, tuning = options.out, options.out / TUNING
    kernels = load_kernels(options.weights)
    model = build_model(len(data.labels), options.image_size, seed=options.seed)
    if kernels is not None:
        set_kernels(model, kernels)
    place = tuning / TRIALS / f".worker-{role.name}" if role.worker else run
    _make(place)
    cuts = cuts_of(plan(options), options)
    size, mixed = options.image_size, options.mixed_precision
    kept = not role.worker  # the run that follows uses them
    features = FeatureCache(place, model, cuts, size, mixed_precision=mixed, keep=kept)
    with features as cache, ThreadPoolExecutor() as pool:
        pixels, seed = data.train.pixels, options.seed
        cache.fill("train", pixels, options.views, seed, FEATURE_BATCH, reporter, water=options.water)
        cache.fill("validation", data.validation.pixels, 1, seed, FEATURE_BATCH, reporter)
        trials = Trials(options, data, cache, kernels, pool, reporter, search.trials)
        if role.worker:
            reporter.say(f"asking the chief at {os.environ['KERASTUNER_ORACLE_IP']} for trials")
        after = partial(write_results, tuning, options, final=False)
        Tuner(oracle, tuning / TRIALS, trials, after).search(verbose=0)


def rows_of(project: Path) -> tuple[TrialRow, ...]:
    """The trials whose files lie in this folder of Keras Tuner's, in their order."""
    rows = []
    for path in sorted(project.glob("trial_*/trial.json")):
        state = json_of(path)
        values = state["hyperparameters"]["values"]
        seconds = state["metrics"]["metrics"].get("seconds", {"observations": []})["observations"]
        status = str(state["status"]).lower()
        rows.append(
            TrialRow(
                trial=str(int(state["trial_id"]) + 1),
                status=status,
                accuracy=state["score"] if status == "completed" else None,
                epochs=int(values.get("tuner/epochs", 0)),
                seconds=float(seconds[-1]["value"][0]) if seconds else None,
                continues=str(int(values["tuner/trial_id"]) + 1) if "tuner/trial_id" in values else "",
                values=chosen(values),
                reason=reason_in(path.parent) if status == "failed" else "",
            )
        )
    return tuple(rows)


def write_results(tuning: Path, options: TrainOptions, *, final: bool = True) -> tuple[TrialRow, ...]:
    """Writes trials.csv, and best.json and trials.png once a trial was completed; returns the rows.

    Raises ReeflensError when it is ``final`` and none was.
    """
    rows = tuple(row if row.epochs else replace(row, epochs=options.epochs) for row in rows_of(tuning / TRIALS))
    _write(tuning / "trials.csv", trials_csv(rows))
    order = ranked(rows)
    if not order:
        if final:
            raise ReeflensError(f"{tuning}: none of {len(rows)} trials succeeded; trials.csv tells why")
        return rows
    best_options = replace(options, **order[0].values).to_dict()
    portable = {name: value for name, value in best_options.items() if name not in PERSONAL}
    _write(tuning / "best.json", json.dumps(portable, indent=1) + "\n")
    if final:
        title = f"{len(order)} trials, the best at {order[0].accuracy:.1%} of the validation pictures"
        beside = tuning / ".partial-trials.png"
        beside.write_bytes(draw_trials(rows, title))
        beside.replace(tuning / "trials.png")
    return rows


def options_found(tuning: Path, options: TrainOptions) -> TrainOptions:
    """``options`` with those of best.json. Raises ResultsError when that cannot be read."""
    found = json_of(tuning / "best.json")
    if not found:
        raise ResultsError(f"{tuning / 'best.json'}: cannot be read; begin another search with --out")
    return TrainOptions.from_dict({**options.to_dict(), **found})


def begun_search(run: Path) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The options that the search in this folder was begun with, of training and of searching; None where none was."""
    settings = run / TUNING / SETTINGS
    if not settings.is_file():
        return None
    found = json_of(settings)
    if not found:
        raise ResultsError(f"{settings}: cannot be read; begin another search with --out")
    return dict(found["options"]), dict(found["search"])


def json_of(path: Path) -> dict[str, Any]:
    """The object in this file; an empty one where there is none that can be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _same_search(settings: Path, record: dict[str, Any], options: TrainOptions) -> None:
    begun = json_of(settings)
    if not begun:
        return
    theirs = replace(TrainOptions.from_dict(begun["options"]), out=options.out).to_dict() | begun["search"]
    for name, value in (record["options"] | record["search"]).items():
        if theirs[name] != value:
            raise SettingsError(f"{name}: this search was begun with {theirs[name]!r}, received {value!r}")
    if (begun["split"], begun["data"]) != (record["split"], record["data"]):
        raise ResultsError(f"{settings.parent}: the photographs have changed since this search began")


def _nothing() -> None:
    """For a chief, whose results are written at the end."""


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResultsError(f"{folder}: cannot be made ({error.strerror})") from error


def _write(path: Path, text: str) -> None:
    beside = path.with_name(f".partial-{path.name}")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise ResultsError(f"{path}: cannot be written ({error.strerror})") from error
