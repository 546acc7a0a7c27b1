"""What the frozen part of the network says of every view, computed once and kept, since it never changes.

Thirteen convolutions forward cost a thousand times more than the head's training step, and ten times more than block5's
forward and backward; without this cache every epoch would pay for them again.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

import keras
import numpy as np
from numpy.typing import NDArray

from realtime.errors import ResultsError, WeightsError
from training.augment import view
from training.model import build_trunk
from training.progress import Reporter

FOLDER_PREFIX = ".features-"
_GAP = "gap"


class FeatureCache:
    """Features of both sides of a run, on disk below the run folder; a context manager that removes them at the end.

    Keys are (layer, side): ``cache["block4_pool", "train"]`` is float16 [N, K, h, w, c], K views per picture with the
    plain one first; the validation side has K = 1. "gap" is always there: float32 [N, K, 512].
    """

    def __init__(self, run: Path, model: keras.Model, cut: str, image_size: int) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=run))
        self._cuts = (_GAP,) if cut == _GAP else (cut, _GAP)
        self._trunk = build_trunk(model, self._cuts)
        self._shapes = {name: tuple(model.get_layer(name).output.shape[1:]) for name in self._cuts}
        self._image_size = image_size
        self._arrays: dict[tuple[str, str], NDArray[np.floating]] = {}

    def __getitem__(self, key: tuple[str, str]) -> NDArray[np.floating]:
        return self._arrays[key]

    def fill(
        self, side: str, pictures: NDArray[np.uint8], views: int, seed: int, batch_size: int, reporter: Reporter
    ) -> None:
        """Computes the features of ``views`` views of every picture, uint8 [N, W, W, 3] RGB.

        Raises ResultsError when the disk has no room for them, and WeightsError when an activation is beyond float16.
        """
        total = len(pictures) * views
        self._make_room(side, total)
        outputs = [self._create(name, side, (len(pictures), views)) for name in self._cuts]
        flat = [array.reshape(total, *self._shapes[name]) for name, array in zip(self._cuts, outputs, strict=True)]
        reporter.begin(f"features of the {side} pictures", total)
        done = 0
        for batch in _view_batches(pictures, views, self._image_size, seed, batch_size):
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

    def _make_room(self, side: str, total: int) -> None:
        needed = total * sum(self._width(name) * int(np.prod(self._shapes[name])) for name in self._cuts)
        free = shutil.disk_usage(self._folder).free
        if needed > free:
            raise ResultsError(
                f"{self._folder.parent}: the features of {total} {side} views need {needed / 1e9:.1f} GB, "
                f"{free / 1e9:.1f} GB are free; use fewer --views or a smaller --image-size"
            )

    def _create(self, name: str, side: str, leading: tuple[int, int]) -> NDArray[np.floating]:
        path = self._folder / f"{side}-{name}.npy"
        dtype = np.float32 if name == _GAP else np.float16
        array = np.lib.format.open_memmap(path, "w+", dtype, (*leading, *self._shapes[name]))
        self._arrays[name, side] = array
        return array

    @staticmethod
    def _width(name: str) -> int:
        return 4 if name == _GAP else 2

    def close(self) -> None:
        """Forgets the arrays and removes their files."""
        self._arrays.clear()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _view_batches(
    pictures: NDArray[np.uint8], views: int, size: int, seed: int, batch_size: int
) -> Iterator[NDArray[np.uint8]]:
    """Batches of views, picture after picture; the next one is being made while the caller uses the last."""

    def make(number: int) -> NDArray[np.uint8]:
        picture, which = divmod(number, views)
        return view(pictures[picture], size, (seed, picture, which))

    numbers = range(len(pictures) * views)
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
