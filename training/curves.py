"""Draws how a run learnt: accuracy and loss, training and validation, with the borders between the stages."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

_TRAINING, _VALIDATION, _INK = "#7a8b99", "#0b7a75", "#33414c"


def draw_curves(epochs: Sequence[Any], title: str) -> bytes:
    """A PNG of at least one epoch (``EpochRow``). The best validation accuracy is marked.

    Uses a figure of its own and the Agg canvas, never pyplot, whose state belongs to the whole process.
    """
    figure = Figure(figsize=(10, 4.2), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, color=_INK, fontsize=12)
    accuracy, loss = figure.subplots(1, 2)
    _draw(accuracy, epochs, "accuracy", "val_accuracy", "accuracy")
    _draw(loss, epochs, "loss", "val_loss", "loss")
    accuracy.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    best = max(range(len(epochs)), key=lambda i: epochs[i].val_accuracy)
    accuracy.plot([best + 1], [epochs[best].val_accuracy], "o", color=_VALIDATION, markersize=6)
    accuracy.annotate(
        f"{epochs[best].val_accuracy:.1%}",
        (best + 1, epochs[best].val_accuracy),
        xytext=(0, 8),
        textcoords="offset points",
        ha="center",
        color=_VALIDATION,
    )
    accuracy.margins(y=0.12)
    accuracy.legend(frameon=False, loc="lower right")
    target = io.BytesIO()
    figure.savefig(target, format="png")
    return target.getvalue()


def _draw(axes: Axes, epochs: Sequence[Any], training: str, validation: str, name: str) -> None:
    x = range(1, len(epochs) + 1)
    marker = "o" if len(epochs) < 3 else None  # a line of one point is invisible
    axes.plot(x, [getattr(row, training) for row in epochs], color=_TRAINING, label="training", marker=marker)
    axes.plot(x, [getattr(row, validation) for row in epochs], color=_VALIDATION, label="validation", marker=marker)
    borders = [i for i, row in enumerate(epochs) if i and row.stage != epochs[i - 1].stage]
    for border in borders:
        axes.axvline(border + 0.5, color=_INK, linewidth=0.8, linestyle=":")
        _name_at(axes, border + 0.5, epochs[border].stage, "left")
    if borders:
        _name_at(axes, borders[0] + 0.5, epochs[0].stage, "right")
    axes.set_xlabel("epoch", color=_INK)
    axes.set_title(name, color=_INK, fontsize=10)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", color="#e3e8ec")
    axes.spines[["top", "right"]].set_visible(False)


def _name_at(axes: Axes, x: float, stage: str, side: str) -> None:
    axes.annotate(
        stage,
        (x, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(-4 if side == "right" else 4, -12),
        textcoords="offset points",
        ha=side,
        fontsize=9,
        color=_INK,
    )
