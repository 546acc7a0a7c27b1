"""Measures a model file on photographs it has not seen, through the engine that ships."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime.contract import ModelContract, Thresholds
from realtime.decode import EXTENSIONS
from realtime.engine import Engine
from realtime.errors import DataError
from realtime.labels import means_no_animal
from training.answers import Answers, answer
from training.calibrate import expected_calibration_error
from training.compare import PictureAnswer
from training.empty_water import EmptyScene, false_alarms, overall
from training.measures import ReliabilityBin, auroc, reliability, wilson_interval
from training.photographs import (
    PhotoFile,
    Photographs,
    Skipped,
    data_hash,
    find_photographs,
    limited,
    load_photographs,
)
from training.progress import Reporter, Silent
from training.robustness import WaterScore, in_water

CONFUSIONS = 10  # of the most frequent mistakes are listed
WORST = 25  # of the mistakes are listed and pictured


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
class Mistake:
    """A picture of ``label`` that was called ``predicted``. probability: of that; of_label: of the true class. shown:
    whether somebody would have been told so.
    """

    file: str
    label: str
    predicted: str
    probability: float
    of_label: float
    unknown: float
    shown: bool


@dataclass(frozen=True, slots=True)
class Foreign:
    """Pictures of what the model does not know, against those of what it does.

    auroc: of the unknown score, with its 95 % interval low..high. refused_share: of the foreign pictures, refused as
    unknown; shown_share: of them, those that would get a label all the same.
    """

    pictures: int
    auroc: float
    low: float
    high: float
    refused_share: float
    shown_share: float


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """What was measured. Shares are in 0..1.

    accuracy: top-1, with its 95 % Wilson interval accuracy_low..accuracy_high. macro_f1: mean over the classes that
    have pictures. ece: expected calibration error, 15 bins. refused_share: pictures refused as unknown, though all are
    of known classes. shown_share: pictures that are not refused and whose label, that of an animal, is above the
    contract's threshold; shown_accuracy: how many of those labels are right, 0 when none is shown. data_hash: as in
    Provenance. per_class: in the model's order. confusions: the most frequent mistakes first. unknown_auroc: from
    training, by leaving classes out; None for a model that does not say. empty: scenes without an animal;
    false_alarm_share: over all of them (``empty_water.overall``), None when there was none. confusion: pictures by true
    class (row) and answer (column), in the model's order. reliability: the bins of the ece. mistakes: the surest wrong
    answers, those that would be shown first. water: under haze, colour cast and blur. foreign: None without such
    pictures.
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
    confusion: tuple[tuple[int, ...], ...] = ()
    reliability: tuple[ReliabilityBin, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    water: tuple[WaterScore, ...] = ()
    foreign: Foreign | None = None

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
        if self.foreign is not None:
            f = self.foreign
            lines.append(
                f"foreign   AUROC {f.auroc:.2f} (95 % interval {f.low:.2f} to {f.high:.2f}) over {f.pictures:,} "
                f"pictures; {f.refused_share:.1%} of them refused, {f.shown_share:.1%} given a label"
            )
        elif self.unknown_auroc is not None:
            lines.append(f"unknown   AUROC {self.unknown_auroc:.2f}, as recorded in training by leaving classes out")
        for change in dict.fromkeys(water.change for water in self.water):
            told = ", ".join(f"{w.accuracy:.1%} {w.level}" for w in self.water if w.change == change)
            lines.append(f"{change:11}  {told}")
        lines += [
            "",
            f"{'':{width}}  precision  recall     F1  pictures",
        ]
        lines += [
            f"{s.label:{width}}  {s.precision:9.3f}  {s.recall:6.3f}  {s.f1:5.3f}  {s.support:8}"
            for s in sorted(self.per_class, key=lambda s: -s.f1)
        ]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """A report with what it was made from. photographs and answers have the same rows."""

    report: EvaluationReport
    contract: ModelContract
    photographs: Photographs
    answers: Answers

    def by_picture(self) -> list[PictureAnswer]:
        """What was answered to each file."""
        labels = self.contract.labels
        rows = zip(
            self.photographs.files,
            self.photographs.labels.tolist(),
            self.answers.predicted.tolist(),
            self.answers.confidence.tolist(),
            strict=True,
        )
        return [PictureAnswer(str(file.full), labels[t], labels[p], c, t == p) for file, t, p, c in rows]


def evaluate(
    model: Path,
    data: Path | Sequence[Path],
    *,
    empty: Sequence[Path] = (),
    foreign: Sequence[Path] = (),
    water: bool = False,
    provider: str = "auto",
    limit: int | None = None,
    seed: int = 0,
    reporter: Reporter | None = None,
) -> EvaluationReport:
    """The report of ``measure``, which says what is done."""
    return measure(
        model,
        data,
        empty=empty,
        foreign=foreign,
        water=water,
        provider=provider,
        limit=limit,
        seed=seed,
        reporter=reporter,
    ).report


def measure(
    model: Path,
    data: Path | Sequence[Path],
    *,
    empty: Sequence[Path] = (),
    foreign: Sequence[Path] = (),
    water: bool = False,
    provider: str = "auto",
    limit: int | None = None,
    seed: int = 0,
    reporter: Reporter | None = None,
) -> Evaluation:
    """Runs the ONNX model at ``model`` on class-per-folder trees, whose folders are matched to its labels by name.

    empty: clips and folders of water without an animal, as for ``empty_water.false_alarms``. foreign: trees, of any
    shape, of pictures that show none of the classes. water: also under haze, colour cast and blur, nine times the work.
    limit: at most so many pictures per class, drawn with ``seed``. Raises ContractError for the model, SourceError for
    ``empty``, and DataError for a folder that is none of its labels, an empty class folder, or when no picture can be
    read.
    """
    reporter = reporter or Silent()
    trees = [data] if isinstance(data, Path) else list(data)
    with Engine.open(model, provider=provider) as engine:
        contract = engine.contract
        found = find_photographs(trees, contract.labels)
        photographs, unreadable = load_photographs(limited(found.files, limit, seed), contract.input_size, reporter)
        if not len(photographs):
            raise DataError(f"{', '.join(map(str, trees))}: no picture can be read ({len(unreadable)} skipped)")
        answers = answer(engine, photographs.pixels, reporter, "classifying")
        scores = score(answers.probabilities, answers.unknown, photographs.labels, contract.labels, contract.thresholds)
        strangers, unreadable_strangers = _foreign(engine, foreign, answers.unknown, reporter)
        scenes = false_alarms(engine, empty, reporter)
        report = EvaluationReport(
            model=model.name,
            model_sha256=engine.sha256,
            run_id=contract.provenance.run_id,
            precision=contract.precision,
            provider=engine.provider.name,
            input_size=contract.input_size,
            data_hash=data_hash(photographs.file_hashes, [contract.labels[i] for i in photographs.labels]),
            skipped=(*found.skipped, *unreadable, *unreadable_strangers),
            unknown_auroc=contract.provenance.metrics.get("unknown_auroc"),
            empty=scenes,
            false_alarm_share=overall(scenes) if scenes else None,
            mistakes=_worst(photographs, answers, contract),
            water=in_water(engine, photographs.pixels, photographs.labels, reporter) if water else (),
            foreign=strangers,
            **scores,
        )
    return Evaluation(report, contract, photographs, answers)


def _foreign(
    engine: Engine, trees: Sequence[Path], known: NDArray[np.float32], reporter: Reporter
) -> tuple[Foreign | None, tuple[Skipped, ...]]:
    """known: the unknown scores of pictures whose classes the model has."""
    if not trees:
        return None, ()
    files = [
        PhotoFile(tree, path.relative_to(tree).as_posix(), 0)
        for tree in trees
        for path in sorted(tree.rglob("*"))
        if path.suffix.lower() in EXTENSIONS and not path.name.startswith(".")
    ]
    photographs, unreadable = load_photographs(files, engine.contract.input_size, reporter)
    if not len(photographs):
        raise DataError(f"{', '.join(map(str, trees))}: no picture of anything foreign can be read")
    answers = answer(engine, photographs.pixels, reporter, "classifying what is foreign")
    area, low, high = auroc(answers.unknown, known)
    thresholds = engine.contract.thresholds
    return Foreign(
        pictures=len(photographs),
        auroc=area,
        low=low,
        high=high,
        refused_share=float((answers.unknown > thresholds.unknown).mean()),
        shown_share=float(answers.shown(thresholds, engine.contract.no_animal).mean()),
    ), unreadable


def _worst(photographs: Photographs, answers: Answers, contract: ModelContract) -> tuple[Mistake, ...]:
    truth, predicted, confidence = photographs.labels, answers.predicted, answers.confidence
    shown = answers.shown(contract.thresholds, contract.no_animal)
    wrong = np.flatnonzero(predicted != truth)
    order = sorted(wrong.tolist(), key=lambda row: (not shown[row], -confidence[row], row))
    return tuple(
        Mistake(
            file=str(photographs.files[row].full),
            label=contract.labels[truth[row]],
            predicted=contract.labels[predicted[row]],
            probability=float(confidence[row]),
            of_label=float(answers.probabilities[row, truth[row]]),
            unknown=float(answers.unknown[row]),
            shown=bool(shown[row]),
        )
        for row in order[:WORST]
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
    names_animal = ~np.array([means_no_animal(label) for label in labels])[predicted]
    shown = ~refused & (confidence >= thresholds.show) & names_animal
    low, high = wilson_interval(int(correct.sum()), len(truth))
    per_class = tuple(_class_score(label, predicted == i, truth == i) for i, label in enumerate(labels))
    mistakes = Counter(zip(truth[~correct].tolist(), predicted[~correct].tolist(), strict=True))
    confusion = np.zeros((len(labels), len(labels)), int)
    np.add.at(confusion, (truth, predicted), 1)
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
        "confusion": tuple(map(tuple, confusion.tolist())),
        "reliability": reliability(confidence, correct),
        "confusions": tuple(Confusion(labels[t], labels[p], n) for (t, p), n in worst),
    }


def _class_score(label: str, predicted: NDArray[np.bool_], true: NDArray[np.bool_]) -> ClassScore:
    hits = int((predicted & true).sum())
    precision = hits / int(predicted.sum()) if predicted.any() else 0.0
    recall = hits / int(true.sum()) if true.any() else 0.0
    f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
    return ClassScore(label, precision, recall, f1, int(true.sum()))
