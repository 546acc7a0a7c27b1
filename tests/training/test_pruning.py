"""The channels that go are those the least squares can do without, and the rest is what least squares says."""

from __future__ import annotations

import numpy as np

from training.pruning import TAPS, eliminate, unit_of

CHANNELS = 16


def sample(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x = rng.normal(size=(4000, TAPS * CHANNELS)) * rng.uniform(0.2, 2.0, TAPS * CHANNELS)
    return x - x.mean(axis=0), rng.normal(size=(TAPS * CHANNELS, 20))


def rows(channels: np.ndarray) -> np.ndarray:
    return (np.arange(TAPS)[:, None] * CHANNELS + channels).ravel()


def test_the_adjusted_weights_and_their_error_are_those_of_least_squares() -> None:
    x, kernel = sample(np.random.default_rng(0))
    found = eliminate(x.T @ x / len(x), kernel)
    y = x @ kernel
    kept = rows(found.kept(int(found.widths[found.halfway])))
    best = np.linalg.lstsq(x[:, kept], y, rcond=None)[0]
    least = np.sum((y - x[:, kept] @ best) ** 2) / np.sum(y**2)
    np.testing.assert_allclose(found.error[found.halfway], least, rtol=0.01)
    np.testing.assert_allclose(np.sum((y - x @ found.kernel) ** 2) / np.sum(y**2), least, rtol=0.01)
    assert not np.delete(found.kernel, kept, axis=0).any(), "what is gone weighs nothing"


def test_channels_that_say_nothing_new_go_first_and_cost_nothing() -> None:
    x, kernel = sample(np.random.default_rng(1))
    for copy, of in ((3, 0), (7, 1)):
        x[:, rows(np.array([copy]))] = x[:, rows(np.array([of]))]
    x[:, rows(np.array([5, 9]))] = 0.0
    found = eliminate(x.T @ x / len(x), kernel)
    gone = set(found.removed[:4].tolist())
    assert {5, 9} <= gone
    assert len(gone & {0, 3}) == 1
    assert len(gone & {1, 7}) == 1
    assert found.error[found.widths.tolist().index(CHANNELS - 4)] < 1e-3


def test_errors_grow_as_the_layer_narrows() -> None:
    x, kernel = sample(np.random.default_rng(2))
    found = eliminate(x.T @ x / len(x), kernel)
    assert found.widths[0] == CHANNELS
    assert found.error[0] == 0.0
    assert (np.diff(found.widths) < 0).all()
    assert (np.diff(found.error) > 0).all()
    assert found.error[-1] < 1.0
    for width in found.widths:
        assert len(found.kept(int(width))) == width


def test_wide_layers_are_narrowed_in_steps_of_sixteen() -> None:
    assert [unit_of(width) for width in (3, 8, 64, 128, 512)] == [1, 1, 8, 16, 16]
