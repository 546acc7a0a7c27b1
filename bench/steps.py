"""What each step of a training gains: all from one start, with one budget and one seed, on the validation pictures.

    python bench/steps.py TRAIN VAL --weights FILE --out FOLDER [--image-size 64] [--share 0.25] [--epochs 8]
                          [--mixed-precision] [--teacher MODEL]

TRAIN, VAL: class-per-folder trees. FILE: the VGG16 weights that all steps but one start from. FOLDER/steps.md is
written anew after every step, with a paired 95 % interval of what it gained; started again in the same folder, the
steps that are missing are done. --share takes so much of TRAIN, whole groups of duplicates at a time. MODEL: an .onnx
file whose answers one more step learns. Test pictures have no place here.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from numpy.typing import NDArray

from realtime.errors import ReeflensError
from training.dataset import Dataset, prepare
from training.features import FeatureCache
from training.files import write_json
from training.fitting import fit_stage
from training.learning import PIXELS, best, cuts_of, learning_part
from training.measures import difference_interval
from training.model import build_model, build_tail, centred, copy_weights, layer_before, predict
from training.options import TrainOptions
from training.progress import PlainLines
from training.run import FEATURE_BATCH
from training.stages import plan
from training.teacher import find_teacher, teacher_answers
from training.weights import load_kernels, set_kernels

VIEWS = 4
KEPT = "checkpoint.npz"


@dataclass(frozen=True, slots=True)
class Step:
    """name: as the table says it. against: the step that it is compared with, by name. changes: options unlike the
    shared ones, which are those of the plain pictures and the last block.
    """

    name: str
    against: str
    changes: Mapping[str, Any]


HEAD, LAST = "head only", "last block"
VARIED = "last block, augmented views"
TAUGHT = Step("… and a teacher's answers", VARIED, {"views": VIEWS})
STEPS = (
    Step(HEAD, "", {"unfreeze": "none"}),
    Step(LAST, HEAD, {}),
    Step(VARIED, LAST, {"views": VIEWS}),
    Step("… and EMA of the weights", VARIED, {"views": VIEWS, "ema": 0.99}),
    Step("… and balanced classes", VARIED, {"views": VIEWS, "balance": 1.0}),
    Step("last two blocks, augmented views", VARIED, {"views": VIEWS, "unfreeze": "block4"}),
    Step("last block, from random weights", LAST, {"weights": "none"}),
    Step("… and water in a third of the views", VARIED, {"views": VIEWS, "water": 0.33}),
    Step("… and views made anew every epoch", VARIED, {"views": VIEWS, "fresh_views": True}),
    TAUGHT,
)


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A cache of features as a step of fewer views sees it."""

    cache: FeatureCache
    views: int

    def __getitem__(self, key: tuple[str, str]) -> NDArray[np.floating]:
        return self.cache[key][:, : self.views]


def main() -> None:
    """Runs the steps that are missing and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=Path, metavar="TRAIN")
    parser.add_argument("val", type=Path, metavar="VAL")
    parser.add_argument("--weights", required=True, help="a VGG16 notop file")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--share", type=float, default=0.25, help="of TRAIN to learn from")
    parser.add_argument("--head-epochs", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=8, help="of fine-tuning, for every step that fine-tunes")
    parser.add_argument("--mixed-precision", action="store_true", help="as `reeflens train` has it")
    parser.add_argument(
        "--teacher", type=Path, metavar="MODEL", help="of the same classes, from other pictures than VAL"
    )
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    common = TrainOptions(
        data=(given.train,),
        val=(given.val,),
        out=given.out,
        weights=given.weights,
        image_size=given.image_size,
        head_epochs=given.head_epochs,
        epochs=given.epochs,
        patience=given.head_epochs + given.epochs,  # one budget: nobody stops early
        views=1,
        mixed_precision=given.mixed_precision,
        seed=given.seed,
    )
    try:
        measure(common, given.share, given.teacher)
    except ReeflensError as error:
        sys.exit(f"error: {error}")


def measure(common: TrainOptions, share: float, teacher: Path | None) -> None:
    """All steps, and steps.md and steps.json after each of them; that of a teacher where there is one."""
    out, reporter = common.out, PlainLines(every_s=60)
    out.mkdir(parents=True, exist_ok=True)
    data = part_of(prepare(common, reporter), share, common.seed)
    reporter.say(f"{len(data.train)} training and {len(data.validation)} validation pictures")
    found = {row["name"]: row for row in read(out / "steps.json")}
    for step in STEPS:
        if step.name in found or (step is TAUGHT and teacher is None):
            continue
        options = replace(common, teacher=teacher if step is TAUGHT else None, **step.changes)
        began_s, worked_s = time.monotonic(), time.process_time()
        predicted, training_s = trained(options, data, reporter)
        found[step.name] = {
            "name": step.name,
            "against": step.against,
            "right": (predicted == data.validation.labels).astype(int).tolist(),
            "balanced": float(
                np.mean([(predicted == i)[data.validation.labels == i].mean() for i in range(len(data.labels))])
            ),
            "training_minutes": training_s / 60,  # of one core, without the features that steps share
            "minutes": (time.monotonic() - began_s) / 60,
            "core_minutes": (time.process_time() - worked_s) / 60,
        }
        write_json(out / "steps.json", list(found.values()))
        (out / "steps.md").write_text(table(found, data, common), encoding="utf-8")
        (out / KEPT).unlink(missing_ok=True)
        reporter.say(f"{step.name}: {np.mean(found[step.name]['right']):.1%}")
    print((out / "steps.md").read_text(encoding="utf-8"))


def part_of(data: Dataset, share: float, seed: int) -> Dataset:
    """``data`` with so much of its training side: of every class alike, and groups are not torn apart."""
    order = np.random.default_rng([seed, 17]).permutation(np.unique(data.train_groups))
    wanted = np.ceil(np.bincount(data.train.labels, minlength=len(data.labels)) * share)
    taken, groups = np.zeros(len(data.labels)), []
    members: dict[int, list[int]] = {}
    for row, group in enumerate(data.train_groups.tolist()):
        members.setdefault(group, []).append(row)
    for group in order.tolist():
        count = np.bincount(data.train.labels[members[group]], minlength=len(data.labels))
        if (taken + count <= wanted)[count > 0].all():
            taken += count
            groups.append(group)
    rows = np.flatnonzero(np.isin(data.train_groups, groups))
    return replace(data, train=data.train.take(rows), train_groups=data.train_groups[rows])


def trained(options: TrainOptions, data: Dataset, reporter: PlainLines) -> tuple[NDArray[np.int64], float]:
    """What a network trained by ``options`` says of the validation pictures, and the seconds of a core that it took."""
    model = build_model(len(data.labels), options.image_size, dense_units=options.dense_units, seed=options.seed)
    if (kernels := load_kernels(options.weights)) is not None:
        set_kernels(model, kernels)
    stages, rows, answers = plan(options), [], None
    if options.teacher is not None:
        answers = teacher_answers(find_teacher(options.teacher), options.out, data, options, reporter)
    with features(options, data, model, reporter) as cache, ThreadPoolExecutor() as pool:
        worked_s = time.process_time()
        for stage in stages:
            shown: Any = Shown(cache, options.views)
            tail, batches, validation = learning_part(stage, model, shown, data, options, pool, answers)
            epochs = fit_stage(stage, tail, batches, validation, options, reporter, options.out / KEPT)
            if not rows or best(epochs) >= best(rows):
                copy_weights(tail, model)
            rows += epochs
        training_s = time.process_time() - worked_s
        if options.fresh_views:
            logits = predict(build_tail(model, PIXELS), centred(data.validation.pixels), FEATURE_BATCH)
        else:
            cut = layer_before(stages[-1].unfreeze)
            logits = predict(build_tail(model, cut), cache[cut, "validation"][:, 0], FEATURE_BATCH)
    return logits.argmax(axis=1), training_s


@contextmanager
def features(options: TrainOptions, data: Dataset, model: Any, reporter: PlainLines) -> Iterator[FeatureCache]:
    """Features that steps of the same weights and water share: those of most views, of which others take some."""
    most = replace(options, fresh_views=False)
    if options.weights != "none" and not options.water:
        most = replace(most, views=VIEWS, unfreeze="block4")
    place = options.out / f"features-{'random' if options.weights == 'none' else 'given'}-{options.water}"
    place.mkdir(exist_ok=True)
    cuts = cuts_of(plan(most), most)
    size, mixed = options.image_size, options.mixed_precision
    with FeatureCache(place, model, cuts, size, mixed_precision=mixed, keep=True) as cache:
        seed, pixels = options.seed, data.train.pixels
        cache.fill("train", pixels, most.views, seed, FEATURE_BATCH, reporter, water=options.water)
        cache.fill("validation", data.validation.pixels, 1, seed, FEATURE_BATCH, reporter)
        yield cache


def read(path: Path) -> list[dict[str, Any]]:
    """The steps that were done; none where there is no such file."""
    return list(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else []


def table(found: Mapping[str, Mapping[str, Any]], data: Dataset, common: TrainOptions) -> str:
    """The steps as Markdown."""
    minutes = sum(row["minutes"] for row in found.values()) / 60
    worked = sum(row["core_minutes"] for row in found.values()) / 60
    lines = [
        f"{len(data.train):,} training and {len(data.validation):,} validation pictures of {len(data.labels)} classes "
        f"at {common.image_size} px; {common.head_epochs} epochs of the head and {common.epochs} of fine-tuning, seed "
        f"{common.seed}; {minutes:.1f} hours, {worked:.1f} of one core.",
        "",
        "| step | accuracy | gained, points | against | mean of the classes | core minutes |",
        "|---|---|---|---|---|---|",
    ]
    lines += list(_rows(found))
    return "\n".join(lines) + "\n"


def _rows(found: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
    for step in STEPS:
        if (row := found.get(step.name)) is None:
            continue
        right, gained = np.array(row["right"], bool), ""
        if (other := found.get(step.against)) is not None:
            before = np.array(other["right"], bool)
            low, high = difference_interval(int((right & ~before).sum()), int((before & ~right).sum()), len(right))
            gained = f"{100 * (right.mean() - before.mean()):+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"
        yield (
            f"| {step.name} | {right.mean():.1%} | {gained} | {step.against} | {row['balanced']:.1%} | "
            f"{row['training_minutes']:.1f} |"
        )


if __name__ == "__main__":
    main()
