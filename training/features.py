"""What the frozen part of the network says of every view, computed once and kept, since it never changes.

Thirteen convolutions forward cost a thousand times more than the head's training step, and ten times more than block5's
forward and backward; without this cache every epoch would pay for them again.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from realtime.errors import WeightsError
from training.model import build_trunk
from training.progress import Reporter
from training.views import ViewCache, Views

_GAP = "gap"


class FeatureCache(ViewCache):
    """Features of both sides of a run, on disk below the run folder; a context manager.

    Keys are (layer, side): ``cache["block4_pool", "train"]`` is float16 [N, K, h, w, c], K views per picture with the
    plain one first. "gap" is float32 [N, K, 512].

    When the files are removed and when they are taken up again: as in ``ViewCache``, for the same pictures, weights and
    views.
    """

    def __init__(
        self,
        run: Path,
        model: keras.Model,
        cuts: tuple[str, ...],
        image_size: int,
        *,
        mixed_precision: bool = False,
        keep: bool = False,
    ) -> None:
        shapes = {name: tuple(model.get_layer(name).output.shape[1:]) for name in cuts}
        rows = {name: (shape, np.float32 if name == _GAP else np.float16) for name, shape in shapes.items()}
        super().__init__(run, rows, keep=keep)
        self._model = model
        self._mixed_precision = mixed_precision
        self._trunk = build_trunk(model, cuts, mixed_precision=mixed_precision)
        self._image_size = image_size

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
        drawn_for: int | None = None,
    ) -> None:
        """Computes the features of ``views`` views of every picture, uint8 [N, W, W, 3] RGB, unless they are there.

        water, drawn_for: as ``training.augment.view`` takes them.

        Raises ResultsError when the disk has no room for them, and WeightsError when an activation is beyond float16.
        """
        keys = self._keys(pictures, views, seed, water if views > 1 else 0.0, drawn_for)
        shown = Views(pictures, views, self._image_size, seed, water, drawn_for)
        self.ask(side, shown, keys, self._say, batch_size, f"features of the {side} pictures", reporter)

    def _say(self, batch: NDArray[np.uint8]) -> list[NDArray[Any]]:
        found = _listed(self._trunk.predict_on_batch(batch.astype(np.float32)))
        said = []
        for (name, (_, dtype)), values in zip(self._rows.items(), found, strict=True):
            exact = keras.ops.convert_to_numpy(values).astype(np.float32)
            with np.errstate(over="ignore"):
                said.append(exact.astype(dtype))
            if not np.isfinite(said[-1]).all():
                raise WeightsError(
                    f"{name}: activations up to {np.abs(exact).max():.3g}, beyond half precision; these starting "
                    "weights do not belong to VGG16 with ImageNet's preprocessing"
                )
        return said

    def _keys(
        self, pictures: NDArray[np.uint8], views: int, seed: int, water: float, drawn_for: int | None
    ) -> dict[str, str]:
        """Of everything that the features of each cut depend on."""
        besides = [*["bfloat16"] * self._mixed_precision, *[f"drawn for {drawn_for}"] * (drawn_for is not None)]
        facts = (pictures.shape, views, seed, water, self._image_size, *besides)
        shown = hashlib.sha256(repr(facts).encode())
        shown.update(np.ascontiguousarray(pictures).data)
        keys = {}
        for name in self._rows:
            found = shown.copy()
            for weight in build_trunk(self._model, (name,)).weights:
                found.update(np.ascontiguousarray(keras.ops.convert_to_numpy(weight)).data)
            keys[name] = found.hexdigest()
        return keys


def _listed(found: object) -> list[object]:
    return list(found) if isinstance(found, (list, tuple)) else [found]
