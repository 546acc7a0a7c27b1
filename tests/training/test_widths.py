"""Multiply-adds are counted the same in two ways, and widths keep to the share that was asked."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from training.model import WIDTHS, build_model  # noqa: E402
from training.widths import Costs, LossCurve, choose_widths, multiply_adds, widths_of  # noqa: E402

VGG16_AT_224 = Costs(tuple(9 * side * side for side in (224,) * 2 + (112,) * 2 + (56,) * 3 + (28,) * 3 + (14,) * 3), 0)


def test_vgg16_costs_what_the_literature_says() -> None:
    assert VGG16_AT_224.total(WIDTHS) == pytest.approx(15.35e9, rel=0.001)


@settings(max_examples=4)
@given(st.lists(st.integers(1, 6), min_size=13, max_size=13), st.sampled_from([32, 48]))
def test_counting_layer_by_layer_and_by_widths_agree(widths: list[int], size: int) -> None:
    model = build_model(3, size, dense_units=5, widths=widths)
    assert widths_of(model) == tuple(widths)
    costs = Costs.of(model)
    assert costs.total(widths) == multiply_adds(model)
    assert costs.head == widths[-1] * 5 + 5 * 3
    assert costs.total([2 * width for width in widths]) > 2 * multiply_adds(model)


@settings(max_examples=12)
@given(st.floats(0.05, 0.99), st.integers(0, 1000))
def test_the_widths_chosen_keep_to_the_share_and_come_near_it(ratio: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    curves = [
        LossCurve(np.arange(16, 0, -1) * (width // 16), np.concatenate([[0.0], np.cumsum(rng.random(15))]))
        for width in WIDTHS[:-1]
    ]
    chosen = choose_widths(VGG16_AT_224, curves, 512, ratio)
    assert chosen[-1] == 512
    assert all(width in curve.widths for width, curve in zip(chosen[:-1], curves, strict=True))
    reached = VGG16_AT_224.total(chosen) / VGG16_AT_224.total(WIDTHS)
    assert ratio - 0.03 <= reached <= ratio


def test_what_loses_nothing_is_narrowed_first() -> None:
    full = np.arange(16, 0, -1) * 4
    dear = LossCurve(full, np.linspace(0.0, 9.0, 16))
    cheap = LossCurve(full, np.linspace(0.0, 0.1, 16))
    curves = [dear] * 5 + [cheap] + [dear] * 6
    chosen = choose_widths(Costs((9,) * 13, 0), curves, 64, 0.9)
    assert chosen[5] <= 24
    assert chosen[:5] + chosen[6:] == (64,) * 12
