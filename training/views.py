"""Keeps on disk what is said of every view: it is asked for once, and a run that was killed asks for the rest."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from realtime.errors import ReeflensError, ResultsError
from training.augment import view
from training.progress import Reporter

FOLDER = ".features"
_NOTE_EVERY = 512  # views: what a kill costs, some half a minute of the largest pictures on two cores

Say = Callable[[NDArray[np.uint8]], Sequence[NDArray[Any]]]


class Pictures(Protocol):
    """uint8 [W, W, 3] RGB each, in memory (an array of them) or read when they are asked for; by several threads."""

    def __len__(self) -> int:
        """How many there are."""

    def __getitem__(self, row: int, /) -> NDArray[np.uint8]:
        """One of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """Every view of every picture, picture after picture, the plain one first.

    each: K, the views of a picture. size, seed, water, drawn_for: as ``training.augment.view`` takes them.
    """

    pictures: Pictures
    each: int
    size: int
    seed: int
    water: float = 0.0
    drawn_for: int | None = None

    def __len__(self) -> int:
        return len(self.pictures) * self.each

    def batches(self, batch_size: int, first: int) -> Iterator[NDArray[np.uint8]]:
        """uint8 [n, size, size, 3] from view number ``first`` on; the next is made while the last is used."""
        numbers = range(first, len(self))
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            waiting: list[Future[NDArray[np.uint8]]] = []
            for start in range(0, len(numbers), batch_size):
                coming = [pool.submit(self._make, number) for number in numbers[start : start + batch_size]]
                if waiting:
                    yield np.stack([future.result() for future in waiting])
                waiting = coming
            if waiting:
                yield np.stack([future.result() for future in waiting])

    def _make(self, number: int) -> NDArray[np.uint8]:
        picture, which = divmod(number, self.each)
        return view(self.pictures[picture], self.size, (self.seed, picture, which), self.water, self.drawn_for)


class ViewCache:
    """Arrays [N, K, ...] on disk below the run folder, K views of each picture of a side; a context manager.

    rows: of each array by name, the shape and the dtype of what is said of one view.

    At the end the files are removed, unless they are to ``keep``, and after one of our own errors. They stay when the
    work is broken off, by Ctrl-C or a kill. What stayed is taken up again if its keys are the same; of arrays that are
    not asked for it may hold more.
    """

    def __init__(self, run: Path, rows: Mapping[str, tuple[tuple[int, ...], type]], *, keep: bool = False) -> None:
        self._folder = run / FOLDER
        self._rows = rows
        self._keep = keep
        self._arrays: dict[tuple[str, str], NDArray[Any]] = {}

    def __getitem__(self, key: tuple[str, str]) -> NDArray[Any]:
        """By (name, side)."""
        return self._arrays[key]

    def ask(
        self, side: str, views: Views, keys: dict[str, str], say: Say, batch_size: int, what: str, reporter: Reporter
    ) -> None:
        """Fills the arrays of this side with what ``say`` answers to batches of its views, unless it is there.

        keys: for each array a hash of everything that it depends on. what: it is called so to the user. Raises
        ResultsError when the disk has no room for it, and what ``say`` and reading the pictures raise.
        """
        leading = len(views.pictures), views.each
        done = self._open(side, keys, leading)
        if done == len(views):
            return
        if not done:
            self._make_room(what, len(views))
            self._create(side, keys, leading)
        flat = [self._arrays[name, side].reshape(len(views), *shape) for name, (shape, _) in self._rows.items()]
        reporter.begin(what, len(views))
        reporter.advance(done)
        noted = done
        for batch in views.batches(batch_size, done):
            for target, values in zip(flat, say(batch), strict=True):
                target[done : done + len(batch)] = values
            done += len(batch)
            reporter.advance(len(batch))
            if done == len(views) or done - noted >= _NOTE_EVERY:
                self._note(side, keys, done)
                noted = done

    def _open(self, side: str, keys: dict[str, str], leading: tuple[int, int]) -> int:
        """Takes up the files of a run that was broken off; how many views they hold, 0 for none that are of use."""
        try:
            note = json.loads((self._folder / f"{side}.json").read_text(encoding="utf-8"))
            if any(note["keys"].get(name) != key for name, key in keys.items()):
                return 0
            arrays = {name: np.lib.format.open_memmap(self._path(name, side), "r+") for name in self._rows}
            done = int(note["done"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return 0
        if done < math.prod(leading) and note["keys"].keys() != keys.keys():
            return 0  # the other arrays' files would be told to be further than they are
        if any(array.shape != (*leading, *self._rows[name][0]) for name, array in arrays.items()):
            return 0
        self._arrays.update({(name, side): array for name, array in arrays.items()})
        return done

    def _create(self, side: str, keys: dict[str, str], leading: tuple[int, int]) -> None:
        self._folder.mkdir(exist_ok=True)
        self._note(side, keys, 0)
        for name, (shape, dtype) in self._rows.items():
            self._arrays[name, side] = np.lib.format.open_memmap(
                self._path(name, side), "w+", dtype, (*leading, *shape)
            )

    def _note(self, side: str, keys: dict[str, str], done: int) -> None:
        for name in self._rows:
            if (array := self._arrays.get((name, side))) is not None:
                array.flush()  # type: ignore[attr-defined]  # a memmap: what the note counts is on the disk before it
        beside = self._folder / f"{side}.json.partial"
        beside.write_text(json.dumps({"keys": keys, "done": done}), encoding="utf-8")
        beside.replace(self._folder / f"{side}.json")

    def _make_room(self, what: str, total: int) -> None:
        needed = total * sum(np.dtype(dtype).itemsize * math.prod(shape) for shape, dtype in self._rows.values())
        free = shutil.disk_usage(self._folder.parent).free
        if needed > free:
            raise ResultsError(
                f"{self._folder.parent}: the {what} need {needed / 1e9:.1f} GB for {total} views, "
                f"{free / 1e9:.1f} GB are free; use fewer --views or a smaller --image-size"
            )

    def _path(self, name: str, side: str) -> Path:
        return self._folder / f"{side}-{name}.npy"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._arrays.clear()
        if (not self._keep) if kind is None else issubclass(kind, ReeflensError):
            shutil.rmtree(self._folder, ignore_errors=True)
