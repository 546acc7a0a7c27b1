"""What a model file promises: the facts beside the arithmetic, as one versioned JSON in the file's metadata.

The graph of a Reeflens model always has these tensors (N is dynamic, C the number of labels, S the input
size, G = S // 16 the side of the Grad-CAM grid):

    in   frames         uint8   [N, S, S, 3]  RGB
    in   explain        int64   [N]           class to explain, -1 for the most probable
    out  probabilities  float32 [N, C]        softmax(logits / temperature)
    out  unknown        float32 [N]           score for "none of my classes", 0..1, higher is more foreign
    out  cam            float32 [N, G, G]     Grad-CAM, >= 0, divided by ``cam_scale``
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from realtime.errors import ContractError
from realtime.labels import means_no_animal

METADATA_KEY = "reeflens.contract"
SCHEMA_VERSION = 1
CAM_STRIDE = 16  # block5_conv3 of VGG16 sees one cell per 16 x 16 pixels
PRECISIONS = ("fp32", "fp16", "int8")
RESIZE_RULES = ("stretch-area",)  # the whole picture to S x S, pixel-area averaging when shrinking
UNKNOWN_SCORE = "energy-and-nearest-prototype"  # what training calibrates and export makes: ``realtime.unknown``
UNKNOWN_SCORES = ("one-minus-max-probability", UNKNOWN_SCORE)  # the first is that of older files, which still load


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where a score becomes an answer; calibrated on the validation split.

    show: smoothed probability from which a label is shown, in (0, 1).
    unknown: smoothed ``unknown`` score above which the answer is "nothing I know", in (0, 1).
    """

    show: float
    unknown: float


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a model comes from.

    run_id: name of the training run. data_hash: SHA-256 over the sorted content hashes of the training
    pictures and their labels. packages: name -> version. metrics: figures by name: "unknown_auroc" from training
    (``training.leave_out``), the others on the test split, absent until `reeflens evaluate --record` has measured them.
    """

    run_id: str
    data_hash: str
    packages: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelContract:
    """The facts of one model file. Raises ContractError, naming the field, when they contradict each other.

    labels: class names in the order of the ``probabilities`` columns. At most one of them may mean that there is no
    animal (``labels.means_no_animal``); what is called so is no sighting.
    taxonomy: label -> scientific name or higher taxon, for the labels where one is known.
    input_size: S, pixels. resize: one of RESIZE_RULES.
    cam_layer: the layer explained. cam_scale: the constant the map was divided by, > 0.
    temperature: the softmax temperature in the graph, > 0.
    unknown_score: how ``unknown`` is computed, one of UNKNOWN_SCORES.
    precision: one of PRECISIONS.
    """

    labels: tuple[str, ...]
    input_size: int
    thresholds: Thresholds
    provenance: Provenance
    temperature: float = 1.0
    cam_scale: float = 1.0
    cam_layer: str = "block5_conv3"
    resize: str = "stretch-area"
    unknown_score: str = "one-minus-max-probability"
    precision: str = "fp32"
    taxonomy: Mapping[str, str] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        if self.schema_version != SCHEMA_VERSION:
            raise ContractError(
                f"schema_version: expected {SCHEMA_VERSION}, received {self.schema_version!r}; "
                "export the model again with this version of Reeflens"
            )
        if len(self.labels) < 2:
            raise ContractError(f"labels: expected at least 2, received {len(self.labels)}")
        if any(not isinstance(label, str) or not label.strip() for label in self.labels):
            raise ContractError("labels: every label must be a non-empty string")
        if len(set(self.labels)) != len(self.labels):
            raise ContractError("labels: the same label stands twice")
        if len(empty := [label for label in self.labels if means_no_animal(label)]) > 1:
            raise ContractError(f"labels: {' and '.join(map(repr, empty))} both mean that there is no animal")
        if not isinstance(self.input_size, int) or self.input_size < 32 or self.input_size % CAM_STRIDE:
            raise ContractError(
                f"input_size: expected a multiple of {CAM_STRIDE} from 32 up, received {self.input_size!r}"
            )
        _one_of("resize", self.resize, RESIZE_RULES)
        _one_of("unknown_score", self.unknown_score, UNKNOWN_SCORES)
        _one_of("precision", self.precision, PRECISIONS)
        _positive("temperature", self.temperature)
        _positive("cam_scale", self.cam_scale)
        for name, value in asdict(self.thresholds).items():
            if not 0.0 < value < 1.0:
                raise ContractError(f"thresholds.{name}: expected a number in (0, 1), received {value!r}")
        if foreign := sorted(set(self.taxonomy) - set(self.labels)):
            raise ContractError(f"taxonomy: {foreign[0]!r} is not one of the labels")

    @property
    def cam_size(self) -> int:
        """Side of the square Grad-CAM grid."""
        return self.input_size // CAM_STRIDE

    @property
    def no_animal(self) -> int | None:
        """The column of the class that means "there is no animal"; None for a model that has no such class."""
        return next((i for i, label in enumerate(self.labels) if means_no_animal(label)), None)

    def to_json(self) -> str:
        """The contract as one JSON object; ``from_json`` reads it back unchanged."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True, indent=1)

    @classmethod
    def from_json(cls, text: str) -> ModelContract:
        """Reads ``to_json``'s text. Raises ContractError naming the first missing, unknown or wrong field."""
        try:
            raw = json.loads(text)
        except (ValueError, RecursionError) as error:  # also a number of 5,000 digits, 2,000 brackets in a row
            raise ContractError(f"{METADATA_KEY}: not JSON ({error})") from error
        if not isinstance(raw, dict):
            raise ContractError(f"{METADATA_KEY}: expected a JSON object, received {type(raw).__name__}")
        if raw.get("schema_version") != SCHEMA_VERSION:
            raise ContractError(
                f"schema_version: expected {SCHEMA_VERSION}, received {raw.get('schema_version')!r}; "
                "export the model again with this version of Reeflens"
            )
        # A file says everything itself, so that defaults of a later version never change its meaning.
        _same_keys("", raw, {f.name for f in fields(cls)})
        _same_keys("thresholds.", raw["thresholds"], {f.name for f in fields(Thresholds)})
        _same_keys("provenance.", raw["provenance"], {f.name for f in fields(Provenance)})
        if not isinstance(raw["labels"], list):
            raise ContractError(f"labels: expected a list, received {type(raw['labels']).__name__}")
        for name in ("taxonomy",):
            if not isinstance(raw[name], dict):
                raise ContractError(f"{name}: expected an object, received {type(raw[name]).__name__}")
        for name in ("packages", "metrics"):
            if not isinstance(raw["provenance"][name], dict):
                raise ContractError(f"provenance.{name}: expected an object")
        thresholds = {name: _number(f"thresholds.{name}", value) for name, value in raw["thresholds"].items()}
        return cls(
            **{
                **raw,
                "labels": tuple(raw["labels"]),
                "temperature": _number("temperature", raw["temperature"]),
                "cam_scale": _number("cam_scale", raw["cam_scale"]),
                "thresholds": Thresholds(**thresholds),
                "provenance": Provenance(**raw["provenance"]),
            }
        )


def _same_keys(prefix: str, found: Any, expected: set[str]) -> None:
    if not isinstance(found, dict):
        raise ContractError(
            f"{prefix.rstrip('.') or METADATA_KEY}: expected an object, received {type(found).__name__}"
        )
    if missing := sorted(expected - found.keys()):
        raise ContractError(f"{prefix}{missing[0]}: missing from the model's contract")
    if unknown := sorted(found.keys() - expected):
        raise ContractError(f"{prefix}{unknown[0]}: not a field of schema version {SCHEMA_VERSION}")


def _one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ContractError(f"{name}: expected one of {', '.join(allowed)}, received {value!r}")


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ContractError(f"{name}: expected a number, received {value!r}")
    try:
        return float(value)
    except OverflowError as error:  # JSON knows whole numbers of any length
        raise ContractError(f"{name}: expected a number, received one of {len(str(value))} digits") from error


def _positive(name: str, value: object) -> None:
    if not math.isfinite(number := _number(name, value)) or number <= 0.0:
        raise ContractError(f"{name}: expected a number above 0, received {value!r}")
