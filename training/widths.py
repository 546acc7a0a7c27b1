"""What a network costs in multiply-adds, and how wide its layers may be to cost a share of that at the least loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from training.model import CONVOLUTIONS


def multiply_adds(model: keras.Model) -> int:
    """Multiply-adds of all convolutions and dense layers of ``model`` for one picture; the rest is next to nothing."""
    total = 0
    for layer in model.layers:
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.Dense)):
            positions = math.prod(layer.output.shape[1:-1])  # 1 for a dense layer behind the global average
            total += positions * math.prod(layer.kernel.shape)
    return total


def widths_of(model: keras.Model) -> tuple[int, ...]:
    """The filters of the 13 convolutions."""
    return tuple(int(model.get_layer(name).filters) for name in CONVOLUTIONS)


@dataclass(frozen=True, slots=True)
class Costs:
    """What the multiply-adds depend on. products: of each convolution, for one pair of channels; head: all the rest."""

    products: tuple[int, ...]
    head: int

    @classmethod
    def of(cls, model: keras.Model) -> Costs:
        """Of a network of ``build_model``."""
        products = []
        for name in CONVOLUTIONS:
            layer = model.get_layer(name)
            products.append(math.prod(layer.output.shape[1:3]) * math.prod(layer.kernel_size))
        convolutions = cls(tuple(products), 0).total(widths_of(model))
        return cls(tuple(products), multiply_adds(model) - convolutions)

    def total(self, widths: Sequence[int]) -> int:
        """Multiply-adds with these widths. The last convolution keeps its width, so the head costs what it did."""
        inputs = (3, *widths[:-1])
        return self.head + sum(p * i * o for p, i, o in zip(self.products, inputs, widths, strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class LossCurve:
    """What narrowing a layer loses.

    widths: descending, the first is the full one. loss: ascending from 0, in a unit that is the same for all layers.
    """

    widths: NDArray[np.int64]
    loss: NDArray[np.float64]


def choose_widths(costs: Costs, curves: Sequence[LossCurve], last: int, ratio: float) -> tuple[int, ...]:
    """One width of each curve, and ``last`` for the last convolution: at most ``ratio`` of the full multiply-adds.

    Greedy: whatever saves most for its loss is narrowed next, by as much as is best for this rate; losses of several
    layers are taken to add up. As narrow as the curves go if even that is more than ``ratio``.
    """
    at = [0] * len(curves)

    def widths() -> list[int]:
        return [*(int(curve.widths[i]) for curve, i in zip(curves, at, strict=True)), last]

    allowed = ratio * costs.total(widths())
    while (now := costs.total(widths())) > allowed:
        best: tuple[float, int, int] | None = None
        for number, curve in enumerate(curves):
            here = at[number]
            for further in range(here + 1, len(curve.widths)):
                at[number] = further
                rate = float(curve.loss[further] - curve.loss[here]) / (now - costs.total(widths()))
                if best is None or rate < best[0]:
                    best = (rate, number, further)
            at[number] = here
        if best is None:
            break
        _, number, further = best
        # One step towards it: what the others are worth changes with every width, and the last step should be small.
        at[number] += 1
    return tuple(widths())
