"""What the frozen part of the network says of every view, computed once and kept, since it never changes.

Thirteen convolutions forward cost a thousand times more than the head's training step, and ten times more than block5's
forward and backward; without this cache every epoch would pay for them again.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

import keras
import numpy as np
from numpy.typing import NDArray

from realtime.errors import ReeflensError, ResultsError, WeightsError
from training.augment import view
from training.model import build_trunk
from training.progress import Reporter

FOLDER = ".features"
_GAP = "gap"
_NOTE_EVERY = 512  # views: what a kill costs, some half a minute of the largest pictures on two cores


class FeatureCache:
    """Features of both sides of a run, on disk below the run folder; a context manager.

    Keys are (layer, side): ``cache["block4_pool", "train"]`` is float16 [N, K, h, w, c], K views per picture with the
    plain one first. "gap" is float32 [N, K, 512].

    At the end the files are removed, unless they are to ``keep``, and after one of our own errors. They stay when the
    work is broken off, by Ctrl-C or a kill. What stayed is taken up again if it is of the same pictures, weights and
    views; of layers that are not asked for it may hold more.
    """

    def __init__(
        self, run: Path, model: keras.Model, cuts: tuple[str, ...], image_size: int, *, keep: bool = False
    ) -> None:
        self._folder = run / FOLDER
        self._keep = keep
        self._cuts = cuts
        self._model = model
        self._trunk = build_trunk(model, cuts)
        self._shapes = {name: tuple(model.get_layer(name).output.shape[1:]) for name in cuts}
        self._image_size = image_size
        self._arrays: dict[tuple[str, str], NDArray[np.floating]] = {}

    def __getitem__(self, key: tuple[str, str]) -> NDArray[np.floating]:
        return self._arrays[key]

    def fill(
        self,
        side: str,
        pictures: NDArray[np.uint8],
        views: int,
        seed: int,
        batch_size: int,
        reporter: Reporter,
        *,
        water: float = 0.0,
    ) -> None:
        """Computes the features of ``views`` views of every picture, uint8 [N, W, W, 3] RGB, unless they are there.

        water: as ``training.augment.view`` takes it.

        Raises ResultsError when the disk has no room for them, and WeightsError when an activation is beyond float16.
        """
        total = len(pictures) * views
        keys = self._keys(pictures, views, seed, water if views > 1 else 0.0)
        done = self._open(side, keys, (len(pictures), views))
        if done == total:
            return
        if not done:
            self._make_room(side, total)
            self._create(side, keys, (len(pictures), views))
        flat = [self._arrays[name, side].reshape(total, *self._shapes[name]) for name in self._cuts]
        reporter.begin(f"features of the {side} pictures", total)
        reporter.advance(done)
        noted = done
        for batch in _view_batches(pictures, views, self._image_size, seed, batch_size, done, water):
            found = self._trunk.predict_on_batch(batch.astype(np.float32))
            for name, target, values in zip(self._cuts, flat, _listed(found), strict=True):
                stored = keras.ops.convert_to_numpy(values)
                with np.errstate(over="ignore"):
                    target[done : done + len(batch)] = stored
                if not np.isfinite(target[done : done + len(batch)]).all():
                    raise WeightsError(
                        f"{name}: activations up to {np.abs(stored).max():.3g}, beyond half precision; these starting "
                        "weights do not belong to VGG16 with ImageNet's preprocessing"
                    )
            done += len(batch)
            reporter.advance(len(batch))
            if done == total or done - noted >= _NOTE_EVERY:
                self._note(side, keys, done)
                noted = done

    def _keys(self, pictures: NDArray[np.uint8], views: int, seed: int, water: float) -> dict[str, str]:
        """Of everything that the features of each cut depend on."""
        shown = hashlib.sha256(repr((pictures.shape, views, seed, water, self._image_size)).encode())
        shown.update(np.ascontiguousarray(pictures).data)
        keys = {}
        for name in self._cuts:
            found = shown.copy()
            for weight in build_trunk(self._model, (name,)).weights:
                found.update(np.ascontiguousarray(keras.ops.convert_to_numpy(weight)).data)
            keys[name] = found.hexdigest()
        return keys

    def _open(self, side: str, keys: dict[str, str], leading: tuple[int, int]) -> int:
        """Takes up the files of a run that was broken off; how many views they hold, 0 for none that are of use."""
        try:
            note = json.loads((self._folder / f"{side}.json").read_text(encoding="utf-8"))
            if any(note["keys"].get(name) != key for name, key in keys.items()):
                return 0
            arrays = {name: np.lib.format.open_memmap(self._path(name, side), "r+") for name in self._cuts}
            done = int(note["done"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return 0
        if done < math.prod(leading) and note["keys"].keys() != keys.keys():
            return 0  # the other cuts' files would be told to be further than they are
        if any(array.shape != (*leading, *self._shapes[name]) for name, array in arrays.items()):
            return 0
        self._arrays.update({(name, side): array for name, array in arrays.items()})
        return done

    def _create(self, side: str, keys: dict[str, str], leading: tuple[int, int]) -> None:
        self._folder.mkdir(exist_ok=True)
        self._note(side, keys, 0)
        for name in self._cuts:
            dtype = np.float32 if name == _GAP else np.float16
            path, shape = self._path(name, side), (*leading, *self._shapes[name])
            self._arrays[name, side] = np.lib.format.open_memmap(path, "w+", dtype, shape)

    def _note(self, side: str, keys: dict[str, str], done: int) -> None:
        for name in self._cuts:
            if (array := self._arrays.get((name, side))) is not None:
                array.flush()  # type: ignore[attr-defined]  # a memmap: what the note counts is on the disk before it
        beside = self._folder / f"{side}.json.partial"
        beside.write_text(json.dumps({"keys": keys, "done": done}), encoding="utf-8")
        beside.replace(self._folder / f"{side}.json")

    def _make_room(self, side: str, total: int) -> None:
        needed = total * sum(self._width(name) * int(np.prod(self._shapes[name])) for name in self._cuts)
        free = shutil.disk_usage(self._folder.parent).free
        if needed > free:
            raise ResultsError(
                f"{self._folder.parent}: the features of {total} {side} views need {needed / 1e9:.1f} GB, "
                f"{free / 1e9:.1f} GB are free; use fewer --views or a smaller --image-size"
            )

    def _path(self, name: str, side: str) -> Path:
        return self._folder / f"{side}-{name}.npy"

    @staticmethod
    def _width(name: str) -> int:
        return 4 if name == _GAP else 2

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._arrays.clear()
        if (not self._keep) if kind is None else issubclass(kind, ReeflensError):
            shutil.rmtree(self._folder, ignore_errors=True)


def _view_batches(
    pictures: NDArray[np.uint8], views: int, size: int, seed: int, batch_size: int, first: int, water: float
) -> Iterator[NDArray[np.uint8]]:
    """Batches of views from number ``first`` on, picture after picture; the next is made while the last is used."""

    def make(number: int) -> NDArray[np.uint8]:
        picture, which = divmod(number, views)
        return view(pictures[picture], size, (seed, picture, which), water)

    numbers = range(first, len(pictures) * views)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        waiting: list[Future[NDArray[np.uint8]]] = []
        for start in range(0, len(numbers), batch_size):
            coming = [pool.submit(make, number) for number in numbers[start : start + batch_size]]
            if waiting:
                yield np.stack([future.result() for future in waiting])
            waiting = coming
        if waiting:
            yield np.stack([future.result() for future in waiting])


def _listed(found: object) -> list[object]:
    return list(found) if isinstance(found, (list, tuple)) else [found]
