"""Draws an evaluation as SVG that stands inside a page and takes its colours from there, light or dark."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter

from training.measures import ReliabilityBin
from training.robustness import WaterScore

# Stand-ins that no plot uses by chance; the page's own colours take their place.
_INK, _QUIET, _ACCENT, _LINE, _PAPER = "#010203", "#010204", "#010205", "#010206", "#010207"
_PAGE = {
    _INK: "var(--ink)",
    _QUIET: "var(--quiet)",
    _ACCENT: "var(--accent)",
    _LINE: "var(--line)",
    _PAPER: "var(--paper)",
}
_DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)))  # told apart without colour


def confusion_svg(confusion: Sequence[Sequence[int]], labels: Sequence[str]) -> str:
    """Rows are what it was, columns what it was called; a cell is as full as its share of the row."""
    side = len(labels)
    figure = Figure(figsize=(1.9 + 0.36 * side, 1.7 + 0.33 * side), layout="constrained")
    axes = figure.subplots()
    for row, counts in enumerate(confusion):
        total = sum(counts)
        for column, number in enumerate(counts):
            if not number:
                continue
            share = number / total
            axes.add_patch(
                Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=_ACCENT, alpha=0.08 + 0.92 * share, linewidth=0)
            )
            ink = _PAPER if share > 0.45 else _INK
            axes.text(column, row, str(number), ha="center", va="center", fontsize=8, color=ink)
    axes.set_xlim(-0.5, side - 0.5)
    axes.set_ylim(side - 0.5, -0.5)
    axes.set_xticks(range(side), labels, rotation=90)
    axes.set_yticks(range(side), labels)
    for edge in np.arange(side + 1) - 0.5:
        axes.axhline(edge, color=_LINE, linewidth=0.5, zorder=0)
        axes.axvline(edge, color=_LINE, linewidth=0.5, zorder=0)
    axes.set_xlabel("called")
    axes.set_ylabel("is")
    return _svg(figure, [axes], "confusion matrix")


def reliability_svg(bins: Sequence[ReliabilityBin]) -> str:
    """How often an answer of a certain probability is right; on the diagonal, probabilities mean what they say."""
    figure = Figure(figsize=(5.4, 4.6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    used = [b for b in bins if b.pictures]
    width = bins[0].high - bins[0].low
    above.bar([b.low + width / 2 for b in used], [b.accuracy for b in used], 0.9 * width, color=_ACCENT, alpha=0.35)
    above.plot([0, 1], [0, 1], color=_QUIET, linewidth=1, linestyle=":")
    above.plot([b.probability for b in used], [b.accuracy for b in used], "o", color=_ACCENT, markersize=5)
    above.set_ylim(0, 1)
    above.set_xlim(0, 1)
    above.set_ylabel("really right")
    below.bar([b.low + width / 2 for b in used], [b.pictures for b in used], 0.9 * width, color=_QUIET, alpha=0.6)
    below.set_ylabel("pictures")
    below.set_xlabel("probability that the model gives")
    for axis in (above.yaxis, below.xaxis):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    return _svg(figure, [above, below], "reliability diagram")


def water_svg(accuracy: float, scores: Sequence[WaterScore]) -> str:
    """Accuracy as the water gets worse, with 95 % intervals. accuracy: in the pictures as they are."""
    figure = Figure(figsize=(5.8, 4.0), layout="constrained")
    axes = figure.subplots()
    changes = list(dict.fromkeys(score.change for score in scores))
    for k, (change, dash) in enumerate(zip(changes, _DASHES, strict=False)):
        line = [score for score in scores if score.change == change]
        x = [0, *(score.strength for score in line)]
        axes.plot(x, [accuracy, *(score.accuracy for score in line)], color=_ACCENT, linestyle=dash, label=change)
        shift = 0.008 * (k - 1)  # intervals beside each other
        for score in line:
            axes.plot([score.strength + shift] * 2, [score.low, score.high], color=_ACCENT, linewidth=2.5, alpha=0.4)
    axes.plot([0], [accuracy], "o", color=_ACCENT, markersize=5)
    axes.set_xticks([0, *(score.strength for score in line)], ["as it is", *(score.level for score in line)])
    axes.set_ylim(0, min(1.0, 1.25 * max(accuracy, *(score.high for score in scores))))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_ylabel("right")
    axes.legend(frameon=False, labelcolor=_INK, loc="lower left")
    return _svg(figure, [axes], "accuracy as the water gets worse")


def _svg(figure: Figure, axes: Sequence[Axes], title: str) -> str:
    for one in axes:
        one.set_facecolor("none")
        one.tick_params(colors=_QUIET, labelcolor=_INK, labelsize=9, length=0)
        one.xaxis.label.set_color(_QUIET)
        one.yaxis.label.set_color(_QUIET)
        one.spines[:].set_color(_LINE)
        one.spines[["top", "right"]].set_visible(False)
    figure.patch.set_alpha(0)
    text = io.StringIO()
    # Text stays text: small, sharp, to be searched and read aloud. The salt makes equal plots equal bytes.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "reeflens"}):
        FigureCanvasSVG(figure).print_svg(text, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :].replace("<svg", f'<svg role="img" aria-label="{title}"', 1)
    svg = re.sub(r" font-family: [^;\"]*;?", "", svg)  # that of the page
    for stand_in, colour in _PAGE.items():
        svg = svg.replace(stand_in, colour)
    return svg
