"""Tells an evaluation: as JSON, and as one HTML page with plots, the worst mistakes and where the model looked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from realtime.engine import Engine
from realtime.frames import cam_to_uint8
from realtime.overlay import draw_overlay
from realtime.preprocess import resize_rgb
from training.compare import Changed, Comparison
from training.evaluate import ClassScore, Evaluation, EvaluationReport, Mistake
from training.page import count, picture_address, read_picture, render
from training.plots import confusion_svg, reliability_svg, water_svg
from training.progress import Reporter, Silent
from training.robustness import CHANGES, STRENGTHS

TEMPLATE = "evaluate_template.html"
MISTAKE_SIDE, CHANGED_SIDE, WATER_SIDE = 300, 200, 150  # pixels of the longer side
MOST_CHANGED = 12  # pictured, of those gained and of those lost
MANY = 30  # pictures of a class; with fewer, its figures are marked as uncertain


def to_json(report: EvaluationReport, against: EvaluationReport | None, comparison: Comparison | None) -> str:
    """The report as one JSON object, with ``against`` (a report) and ``comparison`` when two models were measured."""
    told = asdict(report)
    if against is not None and comparison is not None:
        told |= {
            "against": asdict(against),
            "comparison": {**asdict(comparison), "verdict": comparison.verdict},
        }
    return json.dumps(told, ensure_ascii=False, indent=1)


def to_html(
    model: Path,
    found: Evaluation,
    against: Evaluation | None = None,
    comparison: Comparison | None = None,
    *,
    provider: str = "auto",
    reporter: Reporter | None = None,
) -> str:
    """The page. The model runs again over the pictures that are shown, to explain them.

    against, comparison: the other model and how the two compare, both or neither.
    """
    reporter = reporter or Silent()
    report, contract = found.report, found.contract
    reporter.begin("drawing heat maps", len(report.mistakes))
    with Engine.open(model, provider=provider) as engine:
        mistakes = []
        for mistake in report.mistakes:
            mistakes.append((mistake, _explained(engine, mistake)))
            reporter.advance()
        water = _in_water(engine, found) if report.water else {}
    return render(
        TEMPLATE,
        report=report,
        contract=contract,
        other=against.report if against is not None else None,
        comparison=comparison,
        gained=_pictured(comparison.gained) if comparison is not None else [],
        lost=_pictured(comparison.lost) if comparison is not None else [],
        figures=_figures(report, against.report if against is not None else None),
        classes=_classes(report, against.report if against is not None else None),
        many=MANY,
        mistakes=mistakes,
        water=water,
        water_levels=list(STRENGTHS),
        confusion=confusion_svg(*_present(report)),
        reliability=reliability_svg(report.reliability),
        water_plot=water_svg(report.accuracy, report.water) if report.water else "",
        sentences=_sentences(report),
    )


def _explained(engine: Engine, mistake: Mistake) -> Mapping[str, str]:
    """The picture, where the model saw what it called it, and where it would see what it is; empty when it is gone."""
    rgb = read_picture(Path(mistake.file))
    if rgb is None:
        return {}
    labels = engine.contract.labels
    wanted = [labels.index(mistake.predicted), labels.index(mistake.label)]
    pixels = resize_rgb(rgb, engine.contract.input_size)
    cams = cam_to_uint8(engine.run(np.stack([pixels] * 2), np.array(wanted, np.int64)).cam)
    drawn = [rgb, draw_overlay(rgb, cams[0]), draw_overlay(rgb, cams[1])]
    plain, called, is_ = (picture_address(picture, MISTAKE_SIDE) for picture in drawn)
    return {"plain": plain, "called": called, "is": is_}


def _in_water(engine: Engine, found: Evaluation) -> Mapping[str, Any]:
    """One picture, which the model knows well, in every kind of water, with what it then says."""
    right = np.flatnonzero(found.answers.predicted == found.photographs.labels)
    row = int(right[found.answers.confidence[right].argmax()]) if len(right) else 0
    pixels = found.photographs.pixels[row]
    labels = engine.contract.labels

    def told(rgb: Any) -> tuple[str, str, float]:
        probabilities = engine.run(rgb[None]).probabilities[0]
        best = int(probabilities.argmax())
        return picture_address(rgb, WATER_SIDE), labels[best], float(probabilities[best])

    return {
        "label": labels[found.photographs.labels[row]],
        "plain": told(pixels),
        "changed": {
            change: [told(alter(pixels, strength)) for strength in STRENGTHS.values()]
            for change, alter in CHANGES.items()
        },
    }


def _pictured(changed: Sequence[Changed]) -> list[tuple[Changed, str]]:
    shown = []
    for one in changed[:MOST_CHANGED]:
        rgb = read_picture(Path(one.file))
        shown.append((one, "" if rgb is None else picture_address(rgb, CHANGED_SIDE)))
    return shown


def _present(report: EvaluationReport) -> tuple[list[list[int]], list[str]]:
    """The confusion matrix without the classes that neither were there nor were named."""
    matrix = np.array(report.confusion)
    used = np.flatnonzero(matrix.sum(axis=0) + matrix.sum(axis=1))
    labels = [score.label for score in report.per_class]
    return matrix[np.ix_(used, used)].tolist(), [labels[i] for i in used]


def _figures(report: EvaluationReport, other: EvaluationReport | None) -> list[tuple[str, str, str]]:
    """Name, value, and the other model's value; "" for what was not measured."""
    rows = [("Right at the first try (accuracy)", _accuracy), ("Right among the first three", _share("top3"))]
    rows += [("Macro-F1", _number("macro_f1")), ("Calibration error (ECE)", _number("ece"))]
    rows += [("Pictures given a label", _share("shown_share")), ("Right of those labels", _share("shown_accuracy"))]
    rows += [("Refused, though of a known class", _share("refused_share"))]
    rows += [("Unknown animals told apart (AUROC)", _unknown), ("A label over empty water", _alarm)]
    found = [(name, tell(report), tell(other) if other is not None else "") for name, tell in rows]
    return [row for row in found if row[1] or row[2]]


def _accuracy(report: EvaluationReport) -> str:
    low, high = f"{100 * report.accuracy_low:.1f}", f"{100 * report.accuracy_high:.1f}\u00a0%"
    return f"{100 * report.accuracy:.1f}\u00a0% ({low} to {high})"


def _share(name: str) -> Any:
    return lambda report: f"{100 * getattr(report, name):.1f}\u00a0%"


def _number(name: str) -> Any:
    return lambda report: f"{getattr(report, name):.3f}"


def _unknown(report: EvaluationReport) -> str:
    if report.foreign is not None:
        f = report.foreign
        return f"{f.auroc:.2f} ({f.low:.2f} to {f.high:.2f}), on {count(f.pictures, 'foreign picture')}"
    return f"{report.unknown_auroc:.2f}, leaving classes out" if report.unknown_auroc is not None else ""


def _alarm(report: EvaluationReport) -> str:
    return f"{100 * report.false_alarm_share:.1f}\u00a0%" if report.false_alarm_share is not None else ""


def _classes(report: EvaluationReport, other: EvaluationReport | None) -> list[tuple[ClassScore, str, float | None]]:
    """Each class that was measured, weakest first; what it was most often taken for; the other model's F1."""
    others = {score.label: score.f1 for score in other.per_class} if other is not None else {}
    labels = [score.label for score in report.per_class]
    rows = []
    for i, score in enumerate(report.per_class):
        if not score.support:
            continue
        taken = sorted(((n, j) for j, n in enumerate(report.confusion[i]) if n and j != i), key=lambda x: (-x[0], x[1]))
        told = ", ".join(f"{labels[j]} {n}" for n, j in taken[:2])
        rows.append((score, told, others.get(score.label)))
    return sorted(rows, key=lambda row: row[0].f1)


def _sentences(report: EvaluationReport) -> list[str]:
    """What the figures mean for somebody who looks at animals, not at models."""
    said = [
        f"Of 100 photographs like these, about {100 * report.accuracy:.0f} get their right name at the first try, and "
        f"{100 * report.top3:.0f} have it among the first three."
    ]
    if report.shown_share:
        said.append(
            f"It would have put a label on {100 * report.shown_share:.0f} of them, and kept silent on the others; "
            f"{100 * report.shown_accuracy:.0f} of 100 such labels are right."
        )
    measured = sorted((score for score in report.per_class if score.support), key=lambda score: score.f1)
    if len(measured) > 3:
        worst, best = measured[:3], measured[-3:][::-1]
        said.append(f"It knows {_names(best)} best, and {_names(worst)} worst.")
    if report.water:
        hardest = min(report.water, key=lambda score: score.accuracy)
        said.append(
            f"In worse water it loses: down to {100 * hardest.accuracy:.0f} of 100 right in {hardest.level} "
            f"{hardest.change}."
        )
    return said


def _names(scores: Sequence[ClassScore]) -> str:
    names = [score.label for score in scores]
    return f"{', '.join(names[:-1])} and {names[-1]}"
