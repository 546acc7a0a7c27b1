"""Gives a narrower network the weights with which each of its layers says most nearly what the full network's says.

Layer after layer, as in "Channel Pruning for Accelerating Very Deep Neural Networks" (He, Zhang and Sun, ICCV 2017):
the inputs are those that the narrower network really has by then, so each layer also mends what those before it lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from realtime.errors import WeightsError
from training.model import CONVOLUTIONS
from training.progress import Reporter
from training.pruning import TAPS
from training.survey import Survey, batches, kernel_of, patches

PULL = 0.01  # of the mean variance, towards the full network's weights: patches of few pictures do not decide alone


def reconstruct(
    full: keras.Model,
    slim: keras.Model,
    kept: Sequence[NDArray[np.int64]],
    found: Survey,
    pictures: NDArray[np.uint8],
    reporter: Reporter,
) -> None:
    """Sets all weights of ``slim``, whose convolution i has the filters ``kept[i]`` of that of ``full``.

    found: of ``survey`` with these pictures. Memory: the largest maps of the narrower network for all pictures, in half
    precision: 1 MB a picture at 128 px and half the width. Raises WeightsError when an activation is beyond that.
    """
    first = CONVOLUTIONS[0]
    kernel, bias = full.get_layer(first).get_weights()
    slim.get_layer(first).set_weights([kernel[..., kept[0]], bias[kept[0]]])
    begin = keras.Model(slim.input, slim.get_layer(first).output)
    reporter.begin("fitting the layers", len(CONVOLUTIONS) - 1)
    maps = _collect(begin.predict_on_batch, pictures, pool=False)
    pooled = _before_pooling(slim)
    for i, name in enumerate(CONVOLUTIONS[1:]):
        x = np.concatenate([patches(maps[rows], found.positions[i][rows]) for rows in batches(len(maps))])
        y = found.outputs[i][:, kept[i + 1]]
        flat, _ = kernel_of(full, name)
        inputs = full.get_layer(name).input.shape[-1]
        old = flat.reshape(TAPS, inputs, -1)[:, kept[i]][..., kept[i + 1]].reshape(TAPS * len(kept[i]), -1)
        weights, offset = _fit(x, y, old)
        shape = (3, 3, len(kept[i]), len(kept[i + 1]))
        slim.get_layer(name).set_weights([weights.reshape(shape), offset])
        if name != CONVOLUTIONS[-1]:
            maps = _collect(slim.get_layer(name), maps, pool=name in pooled)
        reporter.advance()
    for name in ("hidden", "logits"):
        slim.get_layer(name).set_weights(full.get_layer(name).get_weights())


def _fit(
    x: NDArray[np.float32], y: NDArray[np.float32], old: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights and offsets of the linear map from x [N, I] to y [N, O] with the least squared error, near ``old``."""
    x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
    x = x - x_mean
    gram = (x.T @ x / len(x)).astype(np.float64)
    pull = PULL * max(float(np.trace(gram)) / len(gram), 1e-12)
    right = (x.T @ (y - y_mean) / len(x)).astype(np.float64) + pull * old
    gram[np.diag_indices_from(gram)] += pull
    weights = np.linalg.solve(gram, right).astype(np.float32)
    return weights, y_mean - x_mean @ weights


def _before_pooling(model: keras.Model) -> set[str]:
    pairs = zip(model.layers, model.layers[1:], strict=False)
    return {layer.name for layer, behind in pairs if isinstance(behind, keras.layers.MaxPooling2D)}


def _collect(layer: Callable[[Any], Any], inputs: NDArray[Any], *, pool: bool) -> NDArray[np.float16]:
    """What ``layer`` makes of all pictures, max-pooled if a pooling comes next; batch by batch."""
    found: NDArray[np.float16] | None = None
    for rows in batches(len(inputs)):
        part = keras.ops.convert_to_numpy(layer(inputs[rows].astype(np.float32)))
        if pool:
            part = _pool(part)
        if part.max() > np.finfo(np.float16).max:
            raise WeightsError(
                f"activations up to {part.max():.3g}, beyond half precision; is the run's network sound?"
            )
        if found is None:
            found = np.empty((len(inputs), *part.shape[1:]), np.float16)
        found[rows] = part
    if found is None:
        raise ValueError("no pictures to fit the layers on")
    return found


def _pool(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    count, height, width, channels = maps.shape
    even = maps[:, : height // 2 * 2, : width // 2 * 2]
    pooled: NDArray[np.float32] = even.reshape(count, height // 2, 2, width // 2, 2, channels).max(axis=(2, 4))
    return pooled
