"""From folders to the two sides of a training run, with an account of everything that was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime.errors import DataError
from training.bursts import bursts
from training.duplicates import contradictions, group_duplicates, near_any, one_photograph
from training.options import TrainOptions
from training.photographs import (
    Photographs,
    Skipped,
    data_hash,
    find_photographs,
    limited,
    load_photographs,
)
from training.progress import Reporter
from training.split import grouped_split, split_hash

CALIBRATION_PICTURES = 256
MARGIN = 1.25  # training pictures are kept this much larger than the input, so that a crop need not be enlarged


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """What a run learns from.

    train: pictures at ``working_size``, to be cut into views. validation: pictures at exactly the input size.
    train_groups, validation_groups: int64, pictures with one number are (nearly) the same or belong together.
    report: content of data_report.json.
    """

    labels: tuple[str, ...]
    train: Photographs
    validation: Photographs
    train_groups: NDArray[np.int64]
    validation_groups: NDArray[np.int64]
    split_hash: str
    data_hash: str
    seed: int
    report: dict[str, Any]

    def split_record(self) -> dict[str, Any]:
        """Content of split.json: which picture is on which side, by tree and path."""
        trees = sorted({str(file.tree) for file in (*self.train.files, *self.validation.files)})
        number = {tree: i for i, tree in enumerate(trees)}

        def side(photographs: Photographs, groups: NDArray[np.int64]) -> list[dict[str, Any]]:
            return [
                {
                    "tree": number[str(f.tree)],
                    "path": f.path,
                    "label": self.labels[f.label],
                    "group": int(g),
                    "sha256": h,
                }
                for f, g, h in zip(photographs.files, groups, photographs.file_hashes, strict=True)
            ]

        return {
            "hash": self.split_hash,
            "seed": self.seed,
            "trees": trees,
            "training": side(self.train, self.train_groups),
            "validation": side(self.validation, self.validation_groups),
        }


def working_size(image_size: int) -> int:
    """The side at which training pictures are kept, pixels."""
    return round(image_size * MARGIN)


def prepare(options: TrainOptions, reporter: Reporter) -> Dataset:
    """Finds, decodes, cleans and divides the pictures of ``options``. Raises DataError with the counts."""
    found = find_photographs(options.data)
    if len(found.labels) < 2:
        raise DataError(f"expected at least 2 classes, found {len(found.labels)}: {', '.join(found.labels)}")
    files = limited(found.files, options.limit, options.seed)
    everything, unreadable = load_photographs(files, working_size(options.image_size), reporter)
    report: dict[str, Any] = {
        "skipped": [asdict(s) for s in (*found.skipped, *unreadable)],
        "contradictory": [],
        "duplicates_of_validation": [],
    }
    pool = _without_contradictions(everything, found.labels, options, report)
    if options.val:
        train, validation, groups = _given_validation(options, found.labels, pool, report, reporter)
    else:
        train, validation, groups = _own_validation(options, found.labels, pool, report, reporter)
    report["pictures"] = {
        label: {"training": int((train.labels == i).sum()), "validation": int((validation.labels == i).sum())}
        for i, label in enumerate(found.labels)
    }
    report["duplicates_kept_together"] = len(groups) - len(np.unique(groups))
    return Dataset(
        labels=found.labels,
        train=train,
        validation=validation,
        train_groups=groups[: len(train)],
        validation_groups=groups[len(train) :],
        split_hash=split_hash(train.file_hashes, validation.file_hashes),
        data_hash=data_hash(train.file_hashes, [found.labels[i] for i in train.labels]),
        seed=options.seed,
        report=report,
    )


def at_size(data: Dataset, image_size: int, reporter: Reporter) -> Dataset:
    """The same pictures for a network of this input size, decoded anew unless they are. Raises DataError when one is
    gone.
    """
    if data.validation.pixels.shape[1] == image_size and data.train.pixels.shape[1] == working_size(image_size):
        return data
    sides = []
    for side, pixels in ((data.train, working_size(image_size)), (data.validation, image_size)):
        decoded, lost = load_photographs(side.files, pixels, reporter)
        if lost or decoded.file_hashes != side.file_hashes:
            named = (
                lost[0].file
                if lost
                else next(
                    str(file.full)
                    for file, was, now in zip(side.files, side.file_hashes, decoded.file_hashes, strict=True)
                    if was != now
                )
            )
            raise DataError(f"{named}: has changed, or is gone, since it was read a minute ago")
        sides.append(decoded)
    return replace(data, train=sides[0], validation=sides[1])


def group_names(*sides: Photographs) -> list[str]:
    """What each picture belongs to: its tree's word for it, else the burst that it is part of, else ""."""
    files = [file for side in sides for file in side.files]
    found = bursts(files, [when for side in sides for when in side.taken])
    return [file.group or burst for file, burst in zip(files, found, strict=True)]


def calibration_frames(data: Dataset, size: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Up to 256 training pictures, drawn class after class: uint8 [M, size, size, 3] RGB and int64 [M].

    They are decoded anew, so that they went through the resize exactly once, as frames of a video do.
    """
    order = np.random.default_rng([seed, 3]).permutation(len(data.train))
    rank: Counter[int] = Counter()
    turns = []
    for row in order:
        label = int(data.train.labels[row])
        turns.append((rank[label], label, int(row)))
        rank[label] += 1
    rows = [row for _, _, row in sorted(turns)[:CALIBRATION_PICTURES]]
    chosen, _ = load_photographs([data.train.files[row] for row in rows], size)
    return chosen.pixels, chosen.labels


def _without_contradictions(
    photographs: Photographs, labels: Sequence[str], options: TrainOptions, report: dict[str, Any]
) -> Photographs:
    groups: Sequence[Hashable] = photographs.pixel_hashes
    if options.contradictions == "photograph":
        groups = one_photograph(photographs.pixel_hashes, photographs.fingerprints, photographs.pixels).tolist()
    bad = contradictions(groups, photographs.labels)
    # What is one photograph stands in one place of the report.
    rows = sorted(np.flatnonzero(bad).tolist(), key=lambda row: groups.index(groups[row]))
    report["contradictory"] += [
        {"file": str(photographs.files[row].full), "label": labels[photographs.labels[row]]} for row in rows
    ]
    return photographs.take(np.flatnonzero(~bad)) if bad.any() else photographs


def _own_validation(
    options: TrainOptions, labels: Sequence[str], pool: Photographs, report: dict[str, Any], reporter: Reporter
) -> tuple[Photographs, Photographs, NDArray[np.int64]]:
    # Frames of one dive share water, light and background: they stand on one side, as duplicates do.
    groups = group_duplicates(pool.pixel_hashes, pool.fingerprints, named=group_names(pool))
    held = grouped_split(pool.labels, groups, labels, options.val_share, options.seed)
    train_rows, held_rows = np.flatnonzero(~held), np.flatnonzero(held)
    # Decoded a second time: a validation picture goes through the resize exactly once, as frames of a video do.
    validation, lost = load_photographs([pool.files[i] for i in held_rows], options.image_size, reporter)
    report["skipped"] += [asdict(s) for s in lost]
    still = {file.full for file in validation.files}
    held_rows = np.array([i for i in held_rows if pool.files[i].full in still], np.int64)
    return pool.take(train_rows), validation, np.concatenate([groups[train_rows], groups[held_rows]])


def _given_validation(
    options: TrainOptions, labels: Sequence[str], pool: Photographs, report: dict[str, Any], reporter: Reporter
) -> tuple[Photographs, Photographs, NDArray[np.int64]]:
    found = find_photographs(options.val, labels)
    files = limited(found.files, options.limit, options.seed)
    loaded, unreadable = load_photographs(files, options.image_size, reporter)
    report["skipped"] += [asdict(s) for s in (*found.skipped, *unreadable)]
    validation = _without_contradictions(loaded, labels, options, report)
    twins = near_any(pool.fingerprints, validation.fingerprints)
    at = {pixel_hash: i for i, pixel_hash in enumerate(validation.pixel_hashes)}
    twins |= {i: at[h] for i, h in enumerate(pool.pixel_hashes) if h in at}
    names = group_names(pool, validation)
    held = {name: j for j, name in enumerate(names[len(pool) :]) if name}
    twins |= {i: held[name] for i, name in enumerate(names[: len(pool)]) if name in held}
    report["duplicates_of_validation"] = [_twin(pool, i, validation, j, labels) for i, j in sorted(twins.items())]
    train = pool.take(np.array([i for i in range(len(pool)) if i not in twins], np.int64))
    _at_least_one("training", train, labels)
    _at_least_one("validation", validation, labels)
    groups = group_duplicates(
        (*train.pixel_hashes, *validation.pixel_hashes), np.concatenate([train.fingerprints, validation.fingerprints])
    )
    return train, validation, groups


def _twin(
    pool: Photographs, i: int, validation: Photographs, j: int, labels: Sequence[str]
) -> dict[str, Skipped | str]:
    return {
        "file": str(pool.files[i].full),
        "label": labels[pool.labels[i]],
        "validation_file": str(validation.files[j].full),
        "validation_label": labels[validation.labels[j]],
    }


def _at_least_one(side: str, photographs: Photographs, labels: Sequence[str]) -> None:
    count = np.bincount(photographs.labels, minlength=len(labels))
    if (count == 0).any():
        missing = ", ".join(labels[i] for i in np.flatnonzero(count == 0).tolist())
        counts = ", ".join(f"{label} {n}" for label, n in zip(labels, count, strict=True))
        raise DataError(f"{side}: no usable picture of {missing} (counts: {counts})")
