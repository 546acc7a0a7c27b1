"""Blocks join from the last one on, and share the epochs."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.options import TrainOptions
from training.stages import plan


@pytest.mark.parametrize(
    ("unfreeze", "epochs", "expected"),
    [
        ("none", 20, [("head", 0, 9)]),
        ("block5", 20, [("head", 0, 9), ("block5", 9, 20)]),
        ("block3", 8, [("head", 0, 9), ("block5", 9, 3), ("block4", 12, 3), ("block3", 15, 2)]),
        ("block1", 2, [("head", 0, 9), ("block5", 9, 1), ("block4", 10, 1)]),
        ("block5", 0, [("head", 0, 9)]),
    ],
)
def test_the_epochs_are_shared_by_the_blocks(unfreeze: str, epochs: int, expected: list) -> None:
    options = TrainOptions(
        data=(Path("d"),), out=Path("o"), head_epochs=9, epochs=epochs, unfreeze=unfreeze, fine_tune_rate=0.02
    )
    stages = plan(options)
    assert [(stage.name, stage.begins, stage.epochs) for stage in stages] == expected
    assert [stage.rate for stage in stages] == [options.learning_rate] + [0.02] * (len(stages) - 1)
    assert stages[0].unfreeze == "none"
