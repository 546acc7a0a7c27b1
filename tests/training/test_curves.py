"""The curves are drawn for long runs, short ones and runs of one stage."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

keras = pytest.importorskip("keras")

from training.callbacks import EpochRow  # noqa: E402
from training.curves import draw_curves  # noqa: E402


def row(stage: str, epoch: int, accuracy: float) -> EpochRow:
    return EpochRow(stage, epoch, 2 - accuracy, accuracy, 2.2 - accuracy, accuracy - 0.05, 1e-3, 1.0)


@pytest.mark.parametrize(
    "epochs",
    [
        [row("head", 1, 0.3)],
        [row("head", i, 0.3 + i / 50) for i in range(1, 12)],
        [
            *(row("head", i, 0.3 + i / 50) for i in range(1, 12)),
            *(row("block5", i, 0.5) for i in range(1, 4)),
            row("block4", 1, 0.5),
        ],
    ],
    ids=["one epoch", "one stage", "three stages"],
)
def test_curves_are_a_picture_in_which_validation_is_drawn(epochs: list[EpochRow]) -> None:
    picture = cv2.imdecode(np.frombuffer(draw_curves(epochs, "a run"), np.uint8), cv2.IMREAD_COLOR_RGB)
    assert picture.shape == (504, 1200, 3)
    validation = np.abs(picture.astype(int) - (0x0B, 0x7A, 0x75)).max(axis=2) < 10
    assert validation[:, :600].any()
    assert validation[:, 600:].any()
