"""The state after an epoch is all that the next one needs."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from realtime.errors import ResultsError  # noqa: E402
from training.batches import ViewBatches  # noqa: E402
from training.checkpoint import stage_of  # noqa: E402
from training.fitting import fit_stage  # noqa: E402
from training.options import TrainOptions  # noqa: E402
from training.progress import Silent  # noqa: E402
from training.stages import Stage, plan  # noqa: E402

OPTIONS = TrainOptions(data=(Path("d"),), out=Path("o"), head_epochs=6, patience=9, learning_rate=0.02, batch_size=8)
HEAD = plan(OPTIONS)[0]


class Unplugged(Silent):
    """Breaks off in the middle of an epoch."""

    def __init__(self, epoch: str) -> None:
        self._epoch = epoch
        self._now = ""

    def begin(self, task: str, total: int) -> None:
        self._now = task

    def advance(self, steps: int = 1, note: str = "") -> None:
        if self._now == self._epoch:
            raise KeyboardInterrupt


def batches(seed: int = 0) -> tuple[ViewBatches, ViewBatches]:
    rng = np.random.default_rng(seed)
    labels = np.tile([0, 1, 2], 16)
    features = rng.normal(0, 1.5, (48, 2, 6)).astype(np.float32)
    features[np.arange(48), :, labels] += 1.5
    even = np.ones(3, np.float32)
    return (
        ViewBatches(features[:36], labels[:36], even, 8, seed=1),
        ViewBatches(features[36:], labels[36:], even, 8, seed=None),
    )


def tail() -> object:
    """With dropout, whose seed moves with every batch."""
    return keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(12, activation="relu", kernel_initializer=keras.initializers.HeNormal(seed=1)),
            keras.layers.Dropout(0.4, seed=2),
            keras.layers.Dense(3, kernel_initializer=keras.initializers.GlorotUniform(seed=3)),
        ]
    )


def told(rows) -> list:
    return [replace(row, seconds=0.0) for row in rows]


@pytest.mark.parametrize("ema", [0.0, 0.8])
def test_a_stage_broken_off_goes_on_to_the_same_end(tmp_path: Path, ema: float) -> None:
    options = replace(OPTIONS, ema=ema)
    whole = tail()
    expected = fit_stage(HEAD, whole, *batches(), options, Silent())
    kept = tmp_path / "kept.npz"
    for epoch in ("head 3/6", "head 4/6"):
        with pytest.raises(KeyboardInterrupt):
            fit_stage(HEAD, tail(), *batches(), options, Unplugged(epoch), kept)
    resumed = tail()
    rows = fit_stage(HEAD, resumed, *batches(), options, Silent(), kept)
    assert told(rows) == told(expected)
    for a, b in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_stage_stopped_early_and_taken_up_by_a_copy_of_its_state_ends_as_one_that_was_not(tmp_path: Path) -> None:
    whole = tail()
    expected = fit_stage(HEAD, whole, *batches(), OPTIONS, Silent())
    short, longer = tmp_path / "short.npz", tmp_path / "longer.npz"
    assert len(fit_stage(HEAD, tail(), *batches(), OPTIONS, Silent(), short, until=2)) == 2
    assert stage_of(short) == "head"
    shutil.copy(short, longer)
    resumed = tail()
    assert told(fit_stage(HEAD, resumed, *batches(), OPTIONS, Silent(), longer, until=9)) == told(expected)
    for a, b in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert stage_of(tmp_path / "none.npz") is None


def test_a_stage_that_was_over_is_not_trained_further_and_gives_its_best_weights(tmp_path: Path) -> None:
    kept, options, head = tmp_path / "kept.npz", replace(OPTIONS, patience=2), replace(HEAD, epochs=40)
    first = tail()
    rows = fit_stage(head, first, *batches(), options, Silent(), kept)
    assert len(rows) < 40
    again = tail()
    assert fit_stage(head, again, *batches(), options, Unplugged(f"head {len(rows) + 1}/40"), kept) == rows
    for a, b in zip(again.get_weights(), first.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_state_of_another_stage_is_not_taken(tmp_path: Path) -> None:
    kept = tmp_path / "kept.npz"
    fit_stage(replace(HEAD, epochs=1), tail(), *batches(), OPTIONS, Silent(), kept)
    block = Stage("block5", 1, 2, 0.01)
    assert [row.epoch for row in fit_stage(block, tail(), *batches(), OPTIONS, Silent(), kept)] == [1, 2]


def test_a_damaged_state_is_named(tmp_path: Path) -> None:
    kept = tmp_path / "kept.npz"
    kept.write_bytes(b"neither zip nor npz")
    with pytest.raises(ResultsError, match=r"kept\.npz: cannot be read .*begin anew without --resume"):
        fit_stage(HEAD, tail(), *batches(), OPTIONS, Silent(), kept)


def test_a_state_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "kept.npz.partial").mkdir()
    with pytest.raises(ResultsError, match=r"kept\.npz: cannot be written"):
        fit_stage(HEAD, tail(), *batches(), OPTIONS, Silent(), tmp_path / "kept.npz")
