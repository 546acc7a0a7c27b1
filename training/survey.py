"""What a sample of pictures tells of every convolution: what goes in, what comes out, and which channels matter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from training.calibrate import softmax
from training.model import CONVOLUTIONS, predict
from training.progress import Reporter
from training.pruning import TAPS, Elimination, eliminate
from training.widths import LossCurve

SAMPLES = 50  # patches per picture and layer
PROBES = 64  # pictures on which a layer's loss is measured
BATCH = 8  # pictures at a time: all maps of all layers are held, 60 MB a picture at 224 px


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """Of each of the 12 convolutions behind the first, in order.

    positions: int64 [N, SAMPLES, 2], row and column of the patches in each picture. outputs: float32 [N * SAMPLES, O],
    what the full network says there, before the ReLU. eliminations: of its inputs. curves: the same in units of the
    divergence of the answers.
    """

    positions: tuple[NDArray[np.int64], ...]
    outputs: tuple[NDArray[np.float32], ...]
    eliminations: tuple[Elimination, ...]
    curves: tuple[LossCurve, ...]


def survey(model: keras.Model, pictures: NDArray[np.uint8], seed: int, reporter: Reporter) -> Survey:
    """pictures: uint8 [N, S, S, 3] RGB at the model's input size, some hundred of the training pictures."""
    names = CONVOLUTIONS[1:]
    inputs = [model.get_layer(name).input for name in names]
    kernels = [kernel_of(model, name) for name in names]
    positions = tuple(
        np.random.default_rng([seed, 11, i]).integers(x.shape[1:3], size=(len(pictures), SAMPLES, 2))
        for i, x in enumerate(inputs)
    )
    sums = [np.zeros(len(kernel)) for kernel, _ in kernels]
    products: list[NDArray[np.float32]] = [np.zeros((len(k), len(k)), np.float32) for k, _ in kernels]
    outputs = [np.empty((len(pictures) * SAMPLES, len(bias)), np.float32) for _, bias in kernels]
    trunk = keras.Model(model.input, inputs)
    reporter.begin("surveying the layers", len(pictures))
    for rows in batches(len(pictures)):
        maps = trunk.predict_on_batch(pictures[rows].astype(np.float32))
        for i, found in enumerate(maps):
            x = patches(keras.ops.convert_to_numpy(found).astype(np.float32), positions[i][rows])
            kernel, bias = kernels[i]
            outputs[i][rows.start * SAMPLES : rows.stop * SAMPLES] = x @ kernel + bias
            sums[i] += x.sum(axis=0)
            products[i] += x.T @ x
        reporter.advance(rows.stop - rows.start)

    reporter.begin("choosing channels", len(names))
    count = len(pictures) * SAMPLES
    few = pictures[:: max(1, len(pictures) // PROBES)][:PROBES]
    usual = softmax(predict(model, few, BATCH))
    eliminations, curves = [], []
    for i, name in enumerate(names):
        mean = (sums[i] / count).astype(np.float32)
        products[i] /= count
        products[i] -= np.outer(mean, mean)
        found = eliminate(products[i], kernels[i][0])
        products[i] = np.empty((0, 0), np.float32)  # 85 MB of the largest layers
        divergence = _divergence(model, name, found, mean, few, usual)
        scale = divergence / max(float(found.error[found.halfway]), 1e-12)
        eliminations.append(found)
        curves.append(LossCurve(found.widths, found.error * scale))
        reporter.advance(1, f"{name}: {divergence:.3f}")
    return Survey(positions, tuple(outputs), tuple(eliminations), tuple(curves))


def kernel_of(model: keras.Model, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A convolution's kernel as a matrix [9 C, outputs], tap after tap, and its bias."""
    kernel, bias = model.get_layer(name).get_weights()
    return kernel.reshape(-1, kernel.shape[-1]), bias


def patches(maps: NDArray[np.floating], positions: NDArray[np.int64]) -> NDArray[np.float32]:
    """The 3 x 3 windows around these positions, zero outside: float32 [N * K, 9 C], tap after tap.

    maps: [N, H, W, C]. positions: int64 [N, K, 2].
    """
    padded = np.pad(maps, ((0, 0), (1, 1), (1, 1), (0, 0)))
    picture = np.arange(len(maps))[:, None]
    rows, columns = positions[..., 0], positions[..., 1]
    taps = [padded[picture, rows + dy, columns + dx] for dy in range(3) for dx in range(3)]
    found: NDArray[np.float32] = np.stack(taps, axis=2).reshape(-1, TAPS * maps.shape[-1]).astype(np.float32)
    return found


def batches(count: int, size: int = BATCH) -> Iterator[slice]:
    """Slices of at most ``size`` over so many rows."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def _divergence(
    model: keras.Model,
    name: str,
    found: Elimination,
    mean: NDArray[np.float32],
    pictures: NDArray[np.uint8],
    usual: NDArray[np.float64],
) -> float:
    """Mean Kullback-Leibler divergence of the answers, in nats, when this layer alone has half of its inputs.

    An error of the same size matters more in one layer than in another: this is measured, not assumed.
    """
    layer = model.get_layer(name)
    kernel, bias = layer.get_weights()
    flat = kernel.reshape(-1, kernel.shape[-1])
    layer.set_weights([found.kernel.reshape(kernel.shape), bias + mean @ (flat - found.kernel)])
    try:
        changed = softmax(predict(model, pictures, BATCH))
    finally:
        layer.set_weights([kernel, bias])
    tiny = np.finfo(np.float32).tiny
    return float(np.mean(np.sum(usual * (np.log(usual + tiny) - np.log(changed + tiny)), axis=1)))
