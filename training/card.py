"""Writes the card that goes with a model: what it is, what it was measured to do, and where it fails."""

from __future__ import annotations

from collections.abc import Sequence

from realtime.contract import ModelContract
from realtime.errors import ContractError
from training.evaluate import ClassScore, EvaluationReport

_DATA = (
    "Photographs of the public sea-animals image set, {classes} classes, cleaned: files whose identical pixels carried "
    "two labels were left out, and duplicates, near duplicates and upload bursts never stand on both sides of a split. "
    "The photographs belong to their photographers; no picture is shipped."
)
_WEAKNESSES = (
    "It is a starting point to be fine-tuned on your own pictures, not an instrument.",
    "It answers for the whole frame: one label, even where several animals are in view.",
    "It was trained on photographs, many of them close-ups and not taken under water; video is murkier and its animals "
    "are smaller.",
    "Labels of the set are search hits: Turtle_Tortoise holds mostly tortoises and pond turtles, Octopus harbours and "
    "food, Whale some whale sharks, Clams nudibranchs and divers, Corals fish.",
    'An animal outside the classes can still get one of their names: the AUROC above says how well "nothing I know" '
    "tells known from unknown (1 is always, 0.5 is chance).",
)


def model_card(
    contract: ModelContract,
    report: EvaluationReport,
    *,
    title: str | None = None,
    data: str | None = None,
    weaknesses: Sequence[str] = _WEAKNESSES,
    notes: Sequence[str] = (),
) -> str:
    """The card as Markdown.

    title: default the model's file name. data: a sentence about the training pictures, default that of the sea-animals
    set. weaknesses: sentences, put before those that the report shows. notes: further paragraphs, put before the
    provenance. Raises ContractError when the report is of another run than the contract, or on its training pictures.
    """
    if report.run_id != contract.provenance.run_id or len(report.per_class) != len(contract.labels):
        raise ContractError(f"run_id: the report is of {report.run_id!r}, the model of {contract.provenance.run_id!r}")
    if report.data_hash == contract.provenance.data_hash:
        raise ContractError(
            "data_hash: the report is on the training pictures; a card needs pictures never learnt from"
        )
    sections = [
        f"# {title or report.model}",
        _what(contract),
        "## Data\n\n" + (data or _DATA.format(classes=len(contract.labels))),
        "## Measured\n\n" + _measured(contract, report),
        *_fewer_bits(contract),
        "## Classes\n\n" + _class_table(contract, report.per_class),
        "## Known weaknesses\n\n" + _bullets([*weaknesses, *_seen_weaknesses(report)]),
        *notes,
        "## Provenance\n\n" + _provenance(contract, report),
    ]
    return "\n\n".join(sections) + "\n"


def _what(contract: ModelContract) -> str:
    size, cam = contract.input_size, contract.cam_size
    return (
        f"VGG16, fine-tuned to tell {len(contract.labels)} classes of sea animals apart, as one ONNX file that "
        f"classifies a picture and shows where it looked: Grad-CAM of `{contract.cam_layer}` is computed inside the "
        "graph. The labels, sizes and thresholds are in the file's metadata.\n\n"
        + _table(
            ("", ""),
            [
                ("Input", f"{size} x {size} pixels, RGB, uint8; the whole picture, stretched"),
                ("Grad-CAM", f"{cam} x {cam} cells"),
                ("Precision", contract.precision),
                ("Label shown from", f"{contract.thresholds.show:.2f}"),
                ("Refused as unknown above", f"{contract.thresholds.unknown:.2f} (score: {contract.unknown_score})"),
                ("Softmax temperature", f"{contract.temperature:.2f} (in the graph)"),
            ],
        )
    )


def _measured(contract: ModelContract, report: EvaluationReport) -> str:
    return (
        f"On {report.pictures:,} held-out test photographs, by `reeflens evaluate` ({report.provider}):\n\n"
        + _table(
            ("Measure", "Value"),
            [
                (
                    "Accuracy (top-1)",
                    f"{report.accuracy:.1%} (95 % interval {report.accuracy_low:.1%} to {report.accuracy_high:.1%})",
                ),
                ("Right label among the first three", f"{report.top3:.1%}"),
                ("Macro-F1", f"{report.macro_f1:.3f}"),
                ("Expected calibration error (15 bins)", f"{report.ece:.3f}"),
                ("Refused as unknown, though of a known class", f"{report.refused_share:.1%}"),
                (f"Labels shown (probability from {contract.thresholds.show:.2f})", f"{report.shown_share:.1%}"),
                (
                    "Right among the labels shown",
                    f"{report.shown_accuracy:.1%}" if report.shown_share else "none shown",
                ),
                *_foreign(report),
            ],
        )
    )


def _fewer_bits(contract: ModelContract) -> list[str]:
    """How the file agrees with float32, where its export was given pictures for that."""
    metrics = contract.provenance.metrics
    if not metrics.get("fp32_pictures"):
        return []
    return [
        f"Against the same network in float32, on {metrics['fp32_pictures']:,.0f} photographs, by `reeflens export "
        f"--held-out`: the same label for {metrics['fp32_same_label']:.1%}, probabilities off by "
        f"{metrics['fp32_probability_drift']:.4f} on average, heat maps that correlate by "
        f"{metrics['fp32_map_correlation']:.3f}."
    ]


def _foreign(report: EvaluationReport) -> list[tuple[str, str]]:
    rows = []
    if report.unknown_auroc is not None:
        rows.append(("AUROC of the unknown score, by leaving classes out (validation)", f"{report.unknown_auroc:.2f}"))
    if (found := report.foreign) is not None:
        told = f"{found.auroc:.2f} (95 % interval {found.low:.2f} to {found.high:.2f}), {found.pictures:,} pictures"
        rows.append(("AUROC of the unknown score, on pictures of what it does not know", told))
    if report.false_alarm_share is not None:
        scenes = "; ".join(scene.to_text() for scene in report.empty)
        rows.append(("False alarms over water without an animal", f"{report.false_alarm_share:.1%} ({scenes})"))
    for change in dict.fromkeys(score.change for score in report.water):
        levels = [score for score in report.water if score.change == change]
        told = ", ".join(f"{score.accuracy:.1%}" for score in levels)
        rows.append((f"Accuracy in {change}: {', '.join(score.level for score in levels)}", told))
    return rows


def _class_table(contract: ModelContract, scores: Sequence[ClassScore]) -> str:
    rows = [
        (
            score.label,
            contract.taxonomy.get(score.label, ""),
            *(f"{value:.2f}" for value in (score.precision, score.recall, score.f1)),
            str(score.support),
        )
        for score in scores
    ]
    return _table(("Class", "Taxon", "Precision", "Recall", "F1", "Test pictures"), rows)


def _seen_weaknesses(report: EvaluationReport) -> list[str]:
    measured = sorted((s for s in report.per_class if s.support), key=lambda s: s.f1)
    weakest = ", ".join(f"{s.label} (F1 {s.f1:.2f})" for s in measured[:3])
    seen = [f"Weakest on the test pictures: {weakest}."] if weakest else []
    if report.confusions:
        mistakes = ", ".join(f"{c.label} as {c.predicted} ({c.pictures})" for c in report.confusions[:5])
        seen.append(f"Most frequent mistakes: {mistakes}.")
    return seen


def _provenance(contract: ModelContract, report: EvaluationReport) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in sorted(contract.provenance.packages.items()))
    return _bullets(
        [
            f"Training run `{contract.provenance.run_id}`",
            f"Training pictures, SHA-256 over their hashes and labels: `{contract.provenance.data_hash}`",
            f"Test pictures, likewise: `{report.data_hash}`",
            f"Model file, SHA-256: `{report.model_sha256}`",
            f"Packages: {packages or 'not recorded'}",
        ]
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
