"""The trials of a search as rows: a table for people and programs, and a picture of what went with what."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from training.space import LOGARITHMIC, VARIED

_INK, _BEST = "#33414c", "#c2410c"
_COLOURS = colormaps["viridis"]


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One trial. status: "completed", "failed" or "running". accuracy: the best on validation, None without one.

    epochs: of fine-tuning, planned. seconds: of work in this trial. continues: the trial whose state it went on from.
    values: by option name. reason: why it failed.
    """

    trial: str
    status: str
    accuracy: float | None
    epochs: int
    seconds: float | None
    continues: str
    values: dict[str, Any]
    reason: str

    def cells(self) -> dict[str, Any]:
        """The row of trials.csv."""
        return {
            "trial": self.trial,
            "status": self.status,
            "val_accuracy": "" if self.accuracy is None else round(self.accuracy, 5),
            "epochs": self.epochs,
            "seconds": "" if self.seconds is None else round(self.seconds, 1),
            "continues": self.continues,
            **{name: self.values.get(name, "") for name in VARIED},
            "reason": self.reason,
        }


def ranked(rows: Sequence[TrialRow]) -> list[TrialRow]:
    """Those that were completed, the best first; of equals the one that was first."""
    return sorted((row for row in rows if row.accuracy is not None), key=lambda row: -(row.accuracy or 0.0))


def trials_csv(rows: Sequence[TrialRow]) -> str:
    """The table, in the order of the trials."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(_EMPTY.cells()), lineterminator="\n")
    writer.writeheader()
    writer.writerows(row.cells() for row in rows)
    return text.getvalue()


def draw_trials(rows: Sequence[TrialRow], title: str) -> bytes:
    """A PNG of at least one completed trial: an axis per option, a line per trial, the best one marked.

    The better a trial, the brighter its line, and the later it is drawn; not up to yellow, which is lost on white. Uses
    a figure of its own, never pyplot.
    """
    order = ranked(rows)[::-1]
    columns: list[tuple[str, list[Any]]] = [("epochs", [row.epochs for row in order])]
    columns += [(name, [row.values[name] for row in order]) for name in VARIED]
    columns.append(("validation accuracy", [row.accuracy for row in order]))
    scales = [_Scale(name, values) for name, values in columns]
    figure = Figure(figsize=(13, 5.2), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, color=_INK, fontsize=12)
    axes = figure.subplots()
    low, high = order[0].accuracy or 0.0, order[-1].accuracy or 0.0
    for i, row in enumerate(order):
        share = ((row.accuracy or 0.0) - low) / (high - low) if high > low else 1.0
        best = i == len(order) - 1
        # A little beside each other: many trials share the few values of a choice.
        aside = (i / max(len(order) - 1, 1) - 0.5) * 0.03
        axes.plot(
            range(len(scales)),
            [scales[x].at(values[i]) + aside * scales[x].crowded for x, (_, values) in enumerate(columns)],
            color=_BEST if best else _COLOURS(0.8 * share),
            linewidth=2.6 if best else 1.1,
            alpha=1.0 if best else 0.35 + 0.5 * share,
            label=f"best: {high:.1%}" if best else None,
        )
    for x, scale in enumerate(scales):
        _draw_axis(axes, x, scale)
    axes.set_xlim(-0.4, len(scales) - 0.45)
    axes.set_ylim(-0.06, 1.06)
    axes.set_xticks(range(len(scales)), [scale.name.replace("_", "\n").replace(" ", "\n") for scale in scales])
    axes.tick_params(axis="x", length=0, colors=_INK, labelsize=9)
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    figure.legend(frameon=False, loc="outside lower right", fontsize=9)
    target = io.BytesIO()
    figure.savefig(target, format="png")
    return target.getvalue()


class _Scale:
    """Where on its axis, 0 to 1, a value of one option stands, and what is written there."""

    def __init__(self, name: str, values: Sequence[Any]) -> None:

        self.name = name
        distinct = sorted(set(values), key=lambda value: (isinstance(value, str), value))
        self.crowded = name not in ("learning_rate", "fine_tune_rate", "validation accuracy")
        self._number: Callable[[Any], float] = math.log10 if name in LOGARITHMIC else float
        if any(isinstance(value, str) for value in distinct):
            self._number = distinct.index
        low, high = self._number(distinct[0]), self._number(distinct[-1])
        self._low, self._width = (low, high - low) if high > low else (low - 0.5, 1.0)
        shown = distinct if self.crowded and len(distinct) <= 12 else [distinct[0], distinct[-1]]
        self.ticks = [(self.at(value), self._written(value)) for value in shown]

    def at(self, value: Any) -> float:
        return float((self._number(value) - self._low) / self._width)

    def _written(self, value: Any) -> str:
        if self.name == "validation accuracy":
            return f"{value:.1%}"
        return f"{value:.2g}" if isinstance(value, float) else str(value)


def _draw_axis(axes: Axes, x: int, scale: _Scale) -> None:
    axes.plot([x, x], [-0.03, 1.03], color="#b8c4cc", linewidth=1, zorder=0)
    for y, written in scale.ticks:
        axes.annotate(
            written,
            (x, y),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=_INK,
            bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.75},
            zorder=5,
        )


_EMPTY = TrialRow("", "", None, 0, None, "", {}, "")
