"""Finds photographs in class-per-folder trees and loads them: one decoding gives pixels, hashes and fingerprint."""

from __future__ import annotations

import csv
import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realtime.decode import EXTENSIONS, UndecodableError, decode, picture_bytes, strict_decoding
from realtime.errors import DataError
from realtime.labels import NO_ANIMAL, class_key, label_key
from realtime.preprocess import resize_rgb
from training.duplicates import FINGERPRINT_BYTES, fingerprint
from training.progress import Reporter, Silent
from training.taken import Taken, taken

GROUPS_FILE = "pictures.csv"  # beside the class folders: a line per picture that has a group
_SPLIT_NAMES = {"train", "training", "val", "valid", "validation", "test"}


@dataclass(frozen=True, slots=True)
class PhotoFile:
    """One file of a tree.

    path: relative to the tree, with forward slashes. label: index into the labels. group: what the tree's pictures.csv
    says it belongs to, such as a dive; "" for nothing.
    """

    tree: Path
    path: str
    label: int
    group: str = ""

    @property
    def full(self) -> Path:
        """Where the file lies."""
        return self.tree / self.path


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is not used, and why."""

    file: str
    reason: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What stands in the trees, before anything is opened. labels: display names; files: in a fixed order."""

    labels: tuple[str, ...]
    files: tuple[PhotoFile, ...]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Photographs:
    """Decoded pictures, all arrays in the order of ``files``.

    pixels: uint8 [N, size, size, 3] RGB, the whole picture by the contract's resize rule. labels: int64 [N].
    file_hashes: SHA-256 of the file. pixel_hashes: SHA-256 of the full decoded picture.
    fingerprints: uint8 [N, 32], 256-bit difference hashes. taken: None where a picture does not say.
    """

    files: tuple[PhotoFile, ...]
    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    file_hashes: tuple[str, ...]
    pixel_hashes: tuple[str, ...]
    fingerprints: NDArray[np.uint8]
    taken: tuple[Taken | None, ...]

    def __len__(self) -> int:
        return len(self.files)

    def take(self, rows: NDArray[np.int64]) -> Photographs:
        """The pictures of these rows, in this order; a view where the rows are all of them."""
        everything = np.array_equal(rows, np.arange(len(self)))
        return Photographs(
            files=tuple(self.files[i] for i in rows),
            pixels=self.pixels if everything else self.pixels[rows],
            labels=self.labels[rows],
            file_hashes=tuple(self.file_hashes[i] for i in rows),
            pixel_hashes=tuple(self.pixel_hashes[i] for i in rows),
            fingerprints=self.fingerprints[rows],
            taken=tuple(self.taken[i] for i in rows),
        )


def find_photographs(trees: Sequence[Path], labels: Sequence[str] | None = None) -> Catalogue:
    """Lists the pictures of one or more class-per-folder trees; folders inside a class folder belong to the class.

    Without ``labels`` the classes of all trees are merged by ``class_key`` under the name seen first, in the order of
    their keys; a folder ``none`` or ``background`` is the class NO_ANIMAL. With ``labels`` every folder must be one of
    them. Files that are no pictures are listed as skipped;
    those whose name starts with a dot are passed over. Raises DataError for a tree that cannot be read or has no
    class folder, for a class without pictures, for a folder that is none of ``labels``, and for a GROUPS_FILE that is
    no table.
    """
    known = {class_key(label): label for label in labels} if labels is not None else None
    names: dict[str, str] = {}
    found: list[tuple[str, Path, str]] = []
    skipped: list[Skipped] = []
    seen: set[Path] = set()
    groups: dict[Path, dict[str, str]] = {}
    for tree in trees:
        groups[tree] = _groups(tree)
        for folder in _class_folders(tree, skipped):
            key = class_key(folder.name)
            if known is not None and key not in known:
                if key == NO_ANIMAL:
                    raise DataError(
                        f"{folder}: the model has no class for pictures without an animal; `reeflens evaluate --empty` "
                        "counts its false alarms on them"
                    )
                raise DataError(
                    f"{folder}: {folder.name!r} is none of the {len(known)} classes ({_list(known.values())})"
                )
            if key in _SPLIT_NAMES and any(child.is_dir() for child in folder.iterdir()):
                raise DataError(f"{folder}: looks like one part of a split, not like a class; name this folder itself")
            names.setdefault(key, NO_ANIMAL if key == NO_ANIMAL else folder.name)
            for path in _pictures_below(folder, skipped):
                if (real := path.resolve()) not in seen:  # the same tree given twice counts once
                    seen.add(real)
                    found.append((key, tree, path.relative_to(tree).as_posix()))
    order = list(known) if known is not None else sorted(names)
    counts = Counter(key for key, _, _ in found)
    if empty := [names[key] for key in order if key in names and not counts[key]]:
        have = ", ".join(f"{names[key]} {counts[key]}" for key in order if key in names)
        raise DataError(f"class folder without pictures: {_list(empty)} (pictures found: {have})")
    index = {key: i for i, key in enumerate(order)}
    files = tuple(PhotoFile(tree, path, index[key], groups[tree].get(path, "")) for key, tree, path in found)
    display = tuple(known.values()) if known is not None else tuple(names[key] for key in order)
    return Catalogue(display, files, tuple(skipped))


def limited(files: Sequence[PhotoFile], limit: int | None, seed: int) -> tuple[PhotoFile, ...]:
    """At most ``limit`` files of each label, drawn with ``seed``, in their old order; all of them for None."""
    if limit is None:
        return tuple(files)
    drawn = np.random.default_rng([seed, 1]).permutation(len(files))
    taken: Counter[int] = Counter()
    keep = []
    for i in drawn:
        if taken[files[i].label] < limit:
            taken[files[i].label] += 1
            keep.append(int(i))
    return tuple(files[i] for i in sorted(keep))


def load_photographs(
    files: Sequence[PhotoFile], size: int, reporter: Reporter | None = None
) -> tuple[Photographs, tuple[Skipped, ...]]:
    """Decodes every file once, on all cores, to size x size. What cannot be decoded is returned with its reason.

    Memory: size * size * 3 bytes for each file, and one full picture for each core.
    """
    reporter = reporter or Silent()
    pixels = np.empty((len(files), size, size, 3), np.uint8)
    fingerprints = np.empty((len(files), FINGERPRINT_BYTES), np.uint8)

    def one(row: int) -> tuple[str, str, Taken | None] | Skipped:
        file = files[row]
        try:
            data = picture_bytes(file.full)
            rgb = decode(data)
        except (OSError, UndecodableError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            return Skipped(str(file.full), reason)
        pixels[row] = resize_rgb(rgb, size)
        fingerprints[row] = fingerprint(rgb)
        of_pixels = hashlib.sha256(repr(rgb.shape).encode())
        of_pixels.update(rgb.data)
        return hashlib.sha256(data).hexdigest(), of_pixels.hexdigest(), taken(data)

    reporter.begin("reading photographs", len(files))
    outcomes: list[tuple[str, str, Taken | None] | Skipped] = []
    with strict_decoding(), ThreadPoolExecutor(os.cpu_count()) as pool:
        for outcome in pool.map(one, range(len(files))):
            outcomes.append(outcome)
            reporter.advance()
    good = np.array([i for i, outcome in enumerate(outcomes) if not isinstance(outcome, Skipped)], np.int64)
    facts = [outcome for outcome in outcomes if not isinstance(outcome, Skipped)]
    complete = len(good) == len(files)
    photographs = Photographs(
        files=tuple(files[i] for i in good),
        pixels=pixels if complete else pixels[good],
        labels=np.array([files[i].label for i in good], np.int64),
        file_hashes=tuple(of_file for of_file, _, _ in facts),
        pixel_hashes=tuple(of_pixels for _, of_pixels, _ in facts),
        fingerprints=fingerprints[good],
        taken=tuple(when for _, _, when in facts),
    )
    return photographs, tuple(outcome for outcome in outcomes if isinstance(outcome, Skipped))


def data_hash(file_hashes: Iterable[str], names: Iterable[str]) -> str:
    """SHA-256 over the sorted file hashes with their class names (by key): the same set has the same hash anywhere."""
    lines = sorted(f"{of_file} {label_key(name)}" for of_file, name in zip(file_hashes, names, strict=True))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _groups(tree: Path) -> dict[str, str]:
    """Picture -> group of a tree's GROUPS_FILE; empty when there is none."""
    try:
        with (tree / GROUPS_FILE).open(encoding="utf-8-sig", newline="") as file:
            return {line["picture"]: line["group"] for line in csv.DictReader(file) if line["group"]}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError, KeyError, csv.Error) as error:
        raise DataError(
            f"{tree / GROUPS_FILE}: expected a table with the columns picture and group ({error})"
        ) from error


def _class_folders(tree: Path, skipped: list[Skipped]) -> list[Path]:
    try:
        entries = sorted(entry for entry in tree.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise DataError(f"{tree}: expected a folder with one folder per class ({error.strerror})") from error
    loose = [entry for entry in entries if not entry.is_dir() and entry.name != GROUPS_FILE]
    skipped.extend(Skipped(str(entry), "lies outside any class folder") for entry in loose)
    if not (folders := [entry for entry in entries if entry.is_dir()]):
        raise DataError(f"{tree}: expected one folder per class, found {len(entries)} files and no folder")
    return folders


def _pictures_below(folder: Path, skipped: list[Skipped]) -> list[Path]:
    pictures = []
    for here, below, names in os.walk(folder):
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(name for name in names if not name.startswith(".")):
            path = Path(here) / name
            if path.suffix.lower() in EXTENSIONS:
                pictures.append(path)
            else:
                skipped.append(Skipped(str(path), f"not a picture by its name ({path.suffix or 'no ending'})"))
    return pictures


def _list(names: Iterable[str], most: int = 8) -> str:
    names = list(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
