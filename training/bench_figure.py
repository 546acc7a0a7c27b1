"""Draws the table of `reeflens bench` as one figure: the speed of each row as a share of the first one's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

_INK, _FIRST, _OURS, _THEIRS = "#22303a", "#0f7c8a", "#7fbcc4", "#b9c4cb"


def draw(report: Mapping[str, Any], path: Path) -> None:
    """report: the JSON of `reeflens bench`. path: .png, .svg or .pdf. Raises OSError, and ValueError for another."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = [row for row in report["rows"] if "problem" not in row][::-1]
    figure, axes = pyplot.subplots(figsize=(8, 0.42 * len(rows) + 1.3))
    try:
        shares = [1.0 / row["ours_is_times_faster"] for row in rows]
        first = report["compared_with"]
        colours = [
            _FIRST if row["way"] == first else _OURS if row["way"].endswith("at a time") else _THEIRS for row in rows
        ]
        bars = axes.barh([row["way"] for row in rows], shares, color=colours)
        texts = [f"{share:.2f}  ({row['frames_per_s']:.1f}/s)" for share, row in zip(shares, rows, strict=True)]
        axes.bar_label(bars, texts, padding=4, fontsize=9, color=_INK)
        axes.set_xlim(0, 1.25 * max(shares))
        axes.set_xlabel("frames in the time in which the first row does one; in brackets per second", color=_INK)
        machine = report["machine"]
        axes.set_title(
            f"label and heat map of a frame of {report['input_size']} px, on {machine['cores']} cores of "
            f"{machine['processor']}; ours in colour",
            color=_INK,
            fontsize=10,
        )
        axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(path, dpi=120, bbox_inches="tight")
    finally:
        pyplot.close(figure)
