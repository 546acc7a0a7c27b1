"""Looks at photographs before anything is learnt from them: what is there, and what is wrong with it."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realtime.decode import strict_decoding
from realtime.errors import DataError
from training.dataset import group_names
from training.duplicates import contradictions, group_duplicates, one_photograph
from training.formats import FileFacts, inspect
from training.photographs import Photographs, Skipped, data_hash, find_photographs, load_photographs
from training.progress import Reporter, Silent

SIDE = 32  # pixels kept of each picture; only whether anything is on it is asked of them
FEW = 50  # different pictures: with fewer, a class is learnt by heart and its figures say little
UNEVEN = 3.0  # largest class to smallest: beyond, the largest is named when in doubt
TINY = 96  # pixels of the shorter side: half of what the network sees would be invented
HUGE = 30_000_000  # pixels: each costs a second of decoding, of which nothing is left at 224 x 224
LONG = 3.0  # longer side to shorter: the whole picture is made square, so the animal is squeezed
BLANK = 4.0  # standard deviation over a picture in levels of 255: no more than an even surface


@dataclass(frozen=True, slots=True)
class Photo:
    """One picture: file (path), name (within its tree), label, and its stored size in pixels."""

    file: str
    name: str
    label: str
    width: int
    height: int

    @property
    def shorter(self) -> int:
        """The shorter side, pixels."""
        return min(self.width, self.height)

    @property
    def longer(self) -> int:
        """The longer side, pixels."""
        return max(self.width, self.height)


@dataclass(frozen=True, slots=True)
class Group:
    """Pictures that belong together. why: what makes them so, for bursts; else ""."""

    photos: tuple[Photo, ...]
    why: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes that its pictures stand under, without repeats."""
        return tuple(dict.fromkeys(photo.label for photo in self.photos))


@dataclass(frozen=True, slots=True)
class ClassCount:
    """One class. pictures: readable ones. usable: of them those that training takes, copies counted once. independent:
    groups of usable pictures that share no duplicate and no burst, which is what accuracy is really measured on.
    """

    label: str
    pictures: int
    usable: int
    independent: int


@dataclass(frozen=True, slots=True)
class DataCheck:
    """What was found, each list with the worst first.

    contradictory: one photograph under two labels or more, with identical pixels or saved anew; training leaves them
    out. doubtful: further near duplicates under two labels, such as two moments of one scene. copies: identical pixels
    under one label. near: near duplicates under one label. bursts: taken or uploaded in one go, or one group by the
    tree's pictures.csv. unusual: remark of ``formats`` -> files. blank, tiny, huge, long: by the constants of this
    module.
    """

    trees: tuple[str, ...]
    data_hash: str
    pictures: int
    classes: tuple[ClassCount, ...]
    unreadable: tuple[Skipped, ...]
    contradictory: tuple[Group, ...]
    doubtful: tuple[Group, ...]
    copies: tuple[Group, ...]
    near: tuple[Group, ...]
    bursts: tuple[Group, ...]
    unusual: Mapping[str, tuple[str, ...]]
    formats: Mapping[str, int]
    blank: tuple[Photo, ...]
    tiny: tuple[Photo, ...]
    huge: tuple[Photo, ...]
    long: tuple[Photo, ...]

    @property
    def usable(self) -> int:
        """Pictures that training takes, copies counted once."""
        return sum(count.usable for count in self.classes)


def check(trees: Sequence[Path], reporter: Reporter | None = None) -> DataCheck:
    """Reads every picture of the class-per-folder ``trees`` once. Raises DataError when there is none to read."""
    reporter = reporter or Silent()
    found = find_photographs(trees)
    photographs, unreadable = load_photographs(found.files, SIDE, reporter)
    if not len(photographs):
        raise DataError(f"{', '.join(map(str, trees))}: no picture can be read ({len(unreadable)} skipped)")
    facts = _facts([file.full for file in photographs.files], reporter)
    several = len(trees) > 1
    photos = [
        Photo(
            str(file.full),
            f"{file.tree.name}/{file.path}" if several else file.path,
            found.labels[file.label],
            fact.width if fact else 0,
            fact.height if fact else 0,
        )
        for file, fact in zip(photographs.files, facts, strict=True)
    ]
    names = group_names(photographs)
    same = _gathered(photographs.pixel_hashes, photos)
    once = one_photograph(photographs.pixel_hashes, photographs.fingerprints, photographs.pixels).tolist()
    torn = contradictions(once, photographs.labels)
    near = _near(photographs, photos, torn)
    unusual: dict[str, list[str]] = defaultdict(list)
    for photo, fact in zip(photos, facts, strict=True):
        for remark in fact.remarks if fact else ():
            unusual[remark].append(photo.file)
    spread = photographs.pixels.std(axis=(1, 2)).max(axis=1)  # of the liveliest colour
    sized = [photo for photo in photos if photo.width]
    return DataCheck(
        trees=tuple(str(tree) for tree in trees),
        data_hash=data_hash(photographs.file_hashes, [photo.label for photo in photos]),
        pictures=len(photos),
        classes=_classes(photographs, found.labels, names, torn),
        unreadable=(*unreadable, *found.skipped),
        contradictory=_worst_first(group for group in _gathered(once, photos) if len(group.labels) > 1),
        doubtful=_worst_first(group for group in near if len(group.labels) > 1),
        copies=_worst_first(group for group in same if len(group.labels) == 1),
        near=_worst_first(group for group in near if len(group.labels) == 1),
        bursts=_worst_first(_gathered(names, photos, why=names)),
        unusual={remark: tuple(files) for remark, files in sorted(unusual.items(), key=lambda item: -len(item[1]))},
        formats=dict(Counter(fact.format for fact in facts if fact).most_common()),
        blank=tuple(photo for photo, s in zip(photos, spread.tolist(), strict=True) if s < BLANK),
        tiny=tuple(sorted((p for p in sized if p.shorter < TINY), key=lambda p: p.shorter)),
        huge=tuple(sorted((p for p in sized if p.width * p.height > HUGE), key=lambda p: -p.width * p.height)),
        long=tuple(sorted((p for p in sized if p.longer > LONG * p.shorter), key=lambda p: -p.longer / p.shorter)),
    )


def _facts(paths: Sequence[Path], reporter: Reporter) -> list[FileFacts | None]:
    reporter.begin("looking at formats", len(paths))
    found = []
    with strict_decoding(), ThreadPoolExecutor(os.cpu_count()) as pool:
        for fact in pool.map(inspect, paths):
            found.append(fact)
            reporter.advance()
    return found


def _near(photographs: Photographs, photos: Sequence[Photo], torn: NDArray[np.bool_]) -> list[Group]:
    """Groups of pictures that are nearly the same; of identical ones only the first under each label counts, and those
    between two labels (``torn``) not at all.
    """
    hashes = photographs.pixel_hashes
    rows: dict[int, list[int]] = defaultdict(list)
    seen: set[tuple[str, str]] = set()
    for row, number in enumerate(group_duplicates(hashes, photographs.fingerprints).tolist()):
        if (copy := (hashes[row], photos[row].label)) not in seen and not torn[row]:
            seen.add(copy)
            rows[number].append(row)
    return [Group(tuple(photos[row] for row in members)) for members in rows.values() if _differ(members, hashes)]


def _differ(rows: Sequence[int], hashes: Sequence[str]) -> bool:
    return len({hashes[row] for row in rows}) > 1


def _gathered(keys: Sequence[Hashable], photos: Sequence[Photo], why: Sequence[str] | None = None) -> list[Group]:
    """Groups of two or more pictures with one key; "" is no key."""
    rows: dict[Hashable, list[int]] = defaultdict(list)
    for row, key in enumerate(keys):
        if key != "":
            rows[key].append(row)
    groups = [members for members in rows.values() if len(members) > 1]
    return [Group(tuple(photos[row] for row in members), why[members[0]] if why else "") for members in groups]


def _worst_first(groups: Iterable[Group]) -> tuple[Group, ...]:
    return tuple(sorted(groups, key=lambda group: (-len(group.labels), -len(group.photos), group.photos[0].name)))


def _classes(
    photographs: Photographs, labels: Sequence[str], names: Sequence[str], torn: NDArray[np.bool_]
) -> tuple[ClassCount, ...]:
    groups = group_duplicates(photographs.pixel_hashes, photographs.fingerprints, named=names)
    hashes = np.array(photographs.pixel_hashes)
    counts = []
    for index, label in enumerate(labels):
        of_class: NDArray[np.bool_] = photographs.labels == index
        taken = of_class & ~torn
        counts.append(
            ClassCount(label, int(of_class.sum()), len(np.unique(hashes[taken])), len(np.unique(groups[taken])))
        )
    return tuple(sorted(counts, key=lambda count: -count.pictures))
