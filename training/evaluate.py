"""Measures a model file on photographs it has not seen, through the engine that ships."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime.contract import Thresholds
from realtime.engine import Engine
from realtime.errors import DataError
from training.calibrate import expected_calibration_error
from training.empty_water import EmptyScene, false_alarms, overall
from training.photographs import Skipped, data_hash, find_photographs, limited, load_photographs
from training.progress import Reporter, Silent

BATCH = 16
CONFUSIONS = 10  # of the most frequent mistakes are listed


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class: precision, recall and F1 in 0..1 (0 where nothing was predicted or present), support in pictures."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class Confusion:
    """How many pictures of ``label`` were called ``predicted``."""

    label: str
    predicted: str
    pictures: int


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """What was measured. Shares are in 0..1.

    accuracy: top-1, with its 95 % Wilson interval accuracy_low..accuracy_high. macro_f1: mean over the classes that
    have pictures. ece: expected calibration error, 15 bins. refused_share: pictures refused as unknown, though all are
    of known classes. shown_share: pictures that are not refused and whose label is above the contract's threshold;
    shown_accuracy: how many of those labels are right, 0 when none is shown. data_hash: as in Provenance.
    per_class: in the model's order. confusions: the most frequent mistakes first. unknown_auroc: from training, by
    leaving classes out; None for a model that does not say. empty: scenes without an animal; false_alarm_share: over
    all of them (``empty_water.overall``), None when there was none.
    """

    model: str
    model_sha256: str
    run_id: str
    precision: str
    provider: str
    input_size: int
    data_hash: str
    pictures: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    top3: float
    macro_f1: float
    ece: float
    refused_share: float
    shown_share: float
    shown_accuracy: float
    per_class: tuple[ClassScore, ...]
    confusions: tuple[Confusion, ...]
    skipped: tuple[Skipped, ...]
    unknown_auroc: float | None = None
    empty: tuple[EmptyScene, ...] = ()
    false_alarm_share: float | None = None

    def to_json(self) -> str:
        """The report as one JSON object."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1)

    def metrics(self) -> dict[str, float]:
        """The figures that travel in a model's contract, by name."""
        names = ["pictures", "accuracy", "accuracy_low", "accuracy_high", "top3", "macro_f1", "ece", "refused_share"]
        if self.false_alarm_share is not None:
            names.append("false_alarm_share")
        return {name: float(getattr(self, name)) for name in names}

    def to_text(self) -> str:
        """The report for a person: figures, then one line per class, weakest last."""
        width = max(len(score.label) for score in self.per_class)
        lines = [
            f"{self.model} ({self.precision}, {self.input_size} px, {self.provider}) on {self.pictures:,} pictures",
            f"accuracy  {self.accuracy:.1%}  (95 % interval {self.accuracy_low:.1%} to {self.accuracy_high:.1%})",
            f"top-3     {self.top3:.1%}",
            f"macro-F1  {self.macro_f1:.3f}",
            f"ECE       {self.ece:.3f}",
            f"refused   {self.refused_share:.1%} of the pictures as unknown",
            f"shown     {self.shown_share:.1%} of the pictures, {self.shown_accuracy:.1%} of them right",
            f"skipped   {len(self.skipped)} files",
        ]
        if self.false_alarm_share is not None:
            lines.append(f"empty     a label for {self.false_alarm_share:.1%} of the water without an animal")
            lines += [f"          {scene.to_text()}" for scene in self.empty]
        lines += [
            "",
            f"{'':{width}}  precision  recall     F1  pictures",
        ]
        lines += [
            f"{s.label:{width}}  {s.precision:9.3f}  {s.recall:6.3f}  {s.f1:5.3f}  {s.support:8}"
            for s in sorted(self.per_class, key=lambda s: -s.f1)
        ]
        return "\n".join(lines)


def evaluate(
    model: Path,
    data: Path | Sequence[Path],
    *,
    empty: Sequence[Path] = (),
    provider: str = "auto",
    limit: int | None = None,
    seed: int = 0,
    reporter: Reporter | None = None,
) -> EvaluationReport:
    """Runs the ONNX model at ``model`` on class-per-folder trees, whose folders are matched to its labels by name.

    empty: clips and folders of water without an animal, as for ``empty_water.false_alarms``. limit: at most so many
    pictures per class, drawn with ``seed``. Raises ContractError for the model, SourceError for ``empty``, and
    DataError for a folder that is none of its labels, an empty class folder, or when no picture can be read.
    """
    reporter = reporter or Silent()
    trees = [data] if isinstance(data, Path) else list(data)
    with Engine.open(model, provider=provider) as engine:
        contract = engine.contract
        found = find_photographs(trees, contract.labels)
        photographs, unreadable = load_photographs(limited(found.files, limit, seed), contract.input_size, reporter)
        if not len(photographs):
            raise DataError(f"{', '.join(map(str, trees))}: no picture can be read ({len(unreadable)} skipped)")
        reporter.begin("classifying", len(photographs))
        parts = []
        for start in range(0, len(photographs), BATCH):
            parts.append(engine.run(photographs.pixels[start : start + BATCH]))
            reporter.advance(len(parts[-1].unknown))
        scores = score(
            np.concatenate([part.probabilities for part in parts]),
            np.concatenate([part.unknown for part in parts]),
            photographs.labels,
            contract.labels,
            contract.thresholds,
        )
        scenes = false_alarms(engine, empty, reporter)
        return EvaluationReport(
            model=model.name,
            model_sha256=engine.sha256,
            run_id=contract.provenance.run_id,
            precision=contract.precision,
            provider=engine.provider.name,
            input_size=contract.input_size,
            data_hash=data_hash(photographs.file_hashes, [contract.labels[i] for i in photographs.labels]),
            skipped=(*found.skipped, *unreadable),
            unknown_auroc=contract.provenance.metrics.get("unknown_auroc"),
            empty=scenes,
            false_alarm_share=overall(scenes) if scenes else None,
            **scores,
        )


def score(
    probabilities: NDArray[np.floating],
    unknown: NDArray[np.floating],
    truth: NDArray[np.int64],
    labels: Sequence[str],
    thresholds: Thresholds,
) -> dict[str, Any]:
    """The measured fields of EvaluationReport.

    probabilities: calibrated, [N, C]. unknown: the unknown score [N]. truth: the true labels, int64 [N].
    """
    order = np.argsort(-probabilities, axis=1, kind="stable")
    predicted = order[:, 0]
    correct = predicted == truth
    confidence = probabilities.max(axis=1)
    refused = unknown > thresholds.unknown
    shown = ~refused & (confidence >= thresholds.show)
    low, high = wilson_interval(int(correct.sum()), len(truth))
    per_class = tuple(_class_score(label, predicted == i, truth == i) for i, label in enumerate(labels))
    mistakes = Counter(zip(truth[~correct].tolist(), predicted[~correct].tolist(), strict=True))
    worst = sorted(mistakes.items(), key=lambda entry: (-entry[1], entry[0]))[:CONFUSIONS]
    return {
        "pictures": len(truth),
        "accuracy": float(correct.mean()),
        "accuracy_low": low,
        "accuracy_high": high,
        "top3": float((order[:, :3] == truth[:, None]).any(axis=1).mean()),
        "macro_f1": float(np.mean([c.f1 for c in per_class if c.support])),
        "ece": expected_calibration_error(confidence, correct),
        "refused_share": float(refused.mean()),
        "shown_share": float(shown.mean()),
        "shown_accuracy": float(correct[shown].mean()) if shown.any() else 0.0,
        "per_class": per_class,
        "confusions": tuple(Confusion(labels[t], labels[p], n) for (t, p), n in worst),
    }


def wilson_interval(successes: int, trials: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson score interval of a share, 95 % by default; it holds near 0 and 1 and for few trials."""
    if not 0 <= successes <= trials or not trials:
        raise ValueError(f"expected 0 <= successes <= trials and trials > 0, received {successes} of {trials}")
    share = successes / trials
    spread = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    middle = share + z * z / (2 * trials)
    scale = 1 + z * z / trials
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def _class_score(label: str, predicted: NDArray[np.bool_], true: NDArray[np.bool_]) -> ClassScore:
    hits = int((predicted & true).sum())
    precision = hits / int(predicted.sum()) if predicted.any() else 0.0
    recall = hits / int(true.sum()) if true.any() else 0.0
    f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
    return ClassScore(label, precision, recall, f1, int(true.sum()))
