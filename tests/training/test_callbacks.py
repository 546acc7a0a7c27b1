"""What Keras does is told batch by batch and epoch by epoch."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from training.callbacks import EpochRow, StageProgress  # noqa: E402


class Recorder:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.tasks: list[tuple[str, int]] = []
        self.steps = 0
        self.notes: list[str] = []
        self.lines: list[str] = []

    def begin(self, task: str, total: int) -> None:
        self.tasks.append((task, total))

    def advance(self, steps: int = 1, note: str = "") -> None:
        self.steps += steps
        self.notes.append(note)

    def say(self, line: str) -> None:
        self.lines.append(line)


def test_batches_move_the_bar_and_every_epoch_leaves_a_line_and_a_row() -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, kernel_initializer="zeros")])
    model.compile(
        optimizer=keras.optimizers.SGD(0.125),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
    )
    x, y = np.ones((6, 2), np.float32), np.eye(2, dtype=np.float32)[[0, 0, 0, 1, 1, 0]]
    recorder, rows = Recorder(), []
    ticks = iter(range(100))
    progress = StageProgress("head", recorder, rows, clock=lambda: float(next(ticks)))
    model.fit(x, y, batch_size=2, epochs=2, validation_data=(x, y), verbose=0, callbacks=[progress])
    assert recorder.tasks == [("head 1/2", 3), ("head 2/2", 3)]
    assert "best" not in recorder.notes[2], "before the first validation there is none"
    assert recorder.notes[3].endswith(f"best {rows[0].val_accuracy:.1%}")
    assert recorder.steps == 6
    assert [line[:8] for line in recorder.lines] == ["head   1", "head   2"]
    assert all(isinstance(row, EpochRow) for row in rows)
    assert [(row.epoch, row.learning_rate, row.seconds) for row in rows] == [(1, 0.125, 1.0), (2, 0.125, 1.0)]
    assert rows[1].val_accuracy == pytest.approx(4 / 6)
