"""What an export must reach, and what it tells of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from export.parity import KerasParity, LossyParity
from realtime.errors import ExportError

# Float32 twice, equal up to rounding: real weights and photographs gave below 1e-6 and 2e-6.
PROBABILITY_BAR = 1e-5
UNKNOWN_BAR = 1e-4  # its weights enlarge the rounding of a cosine near 1
CAM_BAR = 1e-5
# Half of what half precision can hold, as other pictures may be brighter.
FP16_BAR = 65504 / 2


@dataclass(frozen=True, slots=True)
class Bar:
    """What a graph in fewer bits must reach against float32, or it is not written."""

    label_agreement: float
    unknown_agreement: float
    cam_correlation: float


# Half precision is nearly exact. Int8 of an unsure 23-class model (51 % right, so that two classes are often as good as
# equal) reached 0.96 and 0.99 on photographs it had not seen; a quantisation gone wrong falls far below.
ACCURACY_BAR = 0.01  # one point, of labelled pictures
BARS = {"fp16": Bar(0.98, 0.98, 0.98), "int8": Bar(0.90, 0.90, 0.90)}


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written and how well it agrees.

    run: the folder it is from. model: the ONNX file. size_bytes: of the file. cam_scale: as in its contract.
    keras: the float32 graph against the trained model. lossy: for fp16 and int8, the written graph against the
    float32 one, by set of pictures: "run" (the run's calibration.npz) and "held-out" (when given). recipe: how int8 was
    made, in words. refused: what was tried before, and why it was not good enough.
    """

    run: Path
    model: Path
    precision: str
    size_bytes: int
    cam_scale: float
    keras: KerasParity
    lossy: Mapping[str, LossyParity] = field(default_factory=dict)
    recipe: str = ""
    refused: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """The report as one JSON object."""
        return json.dumps(asdict(self), default=str, ensure_ascii=False, indent=1)

    def to_text(self) -> str:
        """The report for a person, a line per comparison."""
        head = f"{self.model}: {self.precision}, {self.size_bytes / 1e6:.1f} MB, cam_scale {self.cam_scale:.4g}"
        lines = [head, f"float32 against the trained model: {_keras_figures(self.keras)}"]
        lines += [f"{self.precision} against float32, {name}: {lossy_figures(it)}" for name, it in self.lossy.items()]
        if self.recipe:
            lines.append(f"int8 by {self.recipe}")
        lines += [f"refused: {recipe}: {why}" for recipe, why in self.refused.items()]
        return "\n".join(lines)


def refuse_drift(parity: KerasParity) -> None:
    """Raises ExportError when the exported graph is not the trained model up to rounding."""
    cam = max(parity.cam, parity.cam_tape)
    # Written so that NaN is refused too. Maps of which none could be compared prove nothing.
    close = parity.probability < PROBABILITY_BAR and parity.unknown < UNKNOWN_BAR and cam < CAM_BAR
    if not close or parity.kinks == parity.pictures:
        raise ExportError(
            f"the exported graph differs from the trained model: {_keras_figures(parity)}; allowed are "
            f"{PROBABILITY_BAR:.0e}, {UNKNOWN_BAR:.0e} and {CAM_BAR:.0e}; nothing was written"
        )


def refuse_overflow(largest: float) -> None:
    """Raises ExportError when activations do not fit half precision; largest: the highest one met.

    Comparing on a CPU would not show it: ONNX Runtime computes half precision in float32 there.
    """
    if not largest < FP16_BAR:
        raise ExportError(
            f"fp16 would overflow: activations reach {largest:.3g}, expected below {FP16_BAR:.3g}; "
            "export fp32 or int8; nothing was written"
        )


def refuse_loss(precision: str, name: str, parity: LossyParity) -> None:
    """Raises ExportError when fewer bits changed the answers by more than the BARS, or cost more than ACCURACY_BAR.

    name: the set of pictures.
    """
    bar = BARS[precision]
    if not all(getattr(parity, it) >= wanted for it, wanted in asdict(bar).items()):
        raise ExportError(
            f"{precision} loses too much against float32 ({name}): {lossy_figures(parity)}; expected at least "
            f"{bar.label_agreement:.0%}, {bar.unknown_agreement:.0%} and {bar.cam_correlation:.2f}; give other "
            "--calibration pictures or export fp32; nothing was written"
        )
    if parity.labelled and not parity.fp32_accuracy - parity.accuracy <= ACCURACY_BAR:
        raise ExportError(
            f"{precision} costs {100 * (parity.fp32_accuracy - parity.accuracy):.1f} points of accuracy on "
            f"{parity.labelled} labelled pictures ({name}): {parity.accuracy:.1%} right, {parity.fp32_accuracy:.1%} in "
            f"float32; expected at most {100 * ACCURACY_BAR:.0f}; give other --calibration pictures or export fp32; "
            "nothing was written"
        )


def _keras_figures(parity: KerasParity) -> str:
    left_out = f", {parity.kinks} maps left out" if parity.kinks else ""
    return (
        f"{parity.pictures} pictures, probabilities within {parity.probability:.1e}, unknown score within "
        f"{parity.unknown:.1e}, maps within "
        f"{max(parity.cam, parity.cam_tape):.1e} of their maximum{left_out}"
    )


def lossy_figures(parity: LossyParity) -> str:
    """A comparison with float32 in one sentence."""
    right = f", {parity.accuracy:.1%} right where float32 has {parity.fp32_accuracy:.1%}" if parity.labelled else ""
    return (
        f"{parity.pictures} pictures, {parity.label_agreement:.1%} same labels{right}, probabilities off by "
        f"{parity.probability_mean:.4f} on average and {parity.probability_max:.3f} at most, "
        f"{parity.unknown_agreement:.1%} alike refused as unknown or not, the score off by {parity.unknown_mean:.4f} "
        f"and {parity.unknown_max:.3f}, maps correlate by {parity.cam_correlation:.3f}"
    )
