"""What a training run is told: every option in one value, checked before anything expensive starts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from realtime.contract import CAM_STRIDE
from realtime.errors import ResultsError, SettingsError

UNFREEZE = ("none", "block5", "block4", "block3", "block2", "block1")
CONTRADICTIONS = ("photograph", "pixels")
OPTIMIZERS = ("adam", "adamw", "sgd")
MIN_IMAGE_SIZE = 32  # below it nothing is left after VGG16's five poolings


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """Options of one training run. Raises SettingsError naming the first that cannot be used.

    data: class-per-folder trees of photographs. out: the run folder. val: trees to validate on; empty for a
    split of ``data``, of which ``val_share`` then is held back. limit: at most so many pictures per class and tree set.
    weights: "imagenet", "none", or the path of a VGG16 weight file. image_size: S, pixels.
    teacher: a model file whose answers are learnt beside the true labels, half and half; None for the labels alone.
    head_epochs, epochs: the most epochs of the head, and of the fine-tuning, whose steps share them; each stops early.
    optimizer: "adam", "adamw" (with weight decay) or "sgd" (with Nesterov's momentum).
    learning_rate, fine_tune_rate: the rate of the head, and that which each step of the fine-tuning starts with; it
    falls to zero along a cosine.
    unfreeze: the first VGG16 block that is fine-tuned, or "none" for the head alone.
    views: K, cached views per picture: the plain one and K - 1 augmented ones.
    augment: the share of the pictures of an epoch that are shown in an augmented view.
    water: the share of the augmented views that are seen through murky water.
    fresh_views: fine-tuning makes the augmented views of every epoch anew, at the price of the frozen blocks' work.
    mixed_precision: training computes in bfloat16, the frozen part too, and keeps its weights in float32.
    contradictions: what is left out when it stands under two labels: one "photograph", however often it was saved, or
    only identical "pixels".
    label_smoothing: the share of probability taken from the true label and given to all.
    mixup: each training row is blended with another by a share from Beta(mixup, mixup); 0 for not at all.
    balance: 0 counts every picture alike, 1 counts every class alike, 0.5 is half-way.
    ema: 0 takes the weights as the last step left them; otherwise the share that a running average of them keeps at
    every step (0.99 averages over some hundred), and it is the average that is validated and taken.
    patience: epochs without a better validation accuracy until a stage stops.
    """

    data: tuple[Path, ...]
    out: Path
    val: tuple[Path, ...] = ()
    weights: str = "imagenet"
    teacher: Path | None = None
    image_size: int = 224
    head_epochs: int = 40
    epochs: int = 20
    batch_size: int = 32
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    fine_tune_rate: float = 1e-4
    dense_units: int = 256
    dropout: float = 0.5
    unfreeze: str = "block5"
    views: int = 4
    augment: float = 0.75
    water: float = 0.0
    fresh_views: bool = False
    mixed_precision: bool = False
    limit: int | None = None
    val_share: float = 0.15
    contradictions: str = "photograph"
    label_smoothing: float = 0.1
    mixup: float = 0.0
    balance: float = 0.0
    ema: float = 0.0
    patience: int = 6
    seed: int = 0

    def __post_init__(self) -> None:
        _check(bool(self.data), "data", "at least one folder", self.data)
        _check(bool(self.weights), "weights", "imagenet, none or a file", self.weights)
        check_image_size(self.image_size)
        for name in ("head_epochs", "batch_size", "dense_units", "views", "patience"):
            _check(getattr(self, name) >= 1, name, "a number from 1 up", getattr(self, name))
        _check(self.epochs >= 0, "epochs", "a number from 0 up", self.epochs)
        for name in ("learning_rate", "fine_tune_rate"):
            _check(0.0 < getattr(self, name) < 1.0, name, "a number between 0 and 1", getattr(self, name))
        for name in ("dropout", "label_smoothing", "ema"):
            _check(0.0 <= getattr(self, name) < 1.0, name, "a number from 0 to below 1", getattr(self, name))
        _check(self.optimizer in OPTIMIZERS, "optimizer", f"one of {', '.join(OPTIMIZERS)}", self.optimizer)
        _check(self.unfreeze in UNFREEZE, "unfreeze", f"one of {', '.join(UNFREEZE)}", self.unfreeze)
        known = ", ".join(CONTRADICTIONS)
        _check(self.contradictions in CONTRADICTIONS, "contradictions", f"one of {known}", self.contradictions)
        _check(self.limit is None or self.limit >= 1, "limit", "a number from 1 up", self.limit)
        _check(0.0 < self.val_share < 1.0, "val_share", "a number between 0 and 1", self.val_share)
        for name in ("augment", "balance", "mixup", "water"):
            _check(0.0 <= getattr(self, name) <= 1.0, name, "0 to 1", getattr(self, name))
        _check(self.seed >= 0, "seed", "a number from 0 up", self.seed)
        cached = "cached views beside a teacher, who is asked about every view once"
        _check(self.teacher is None or not self.fresh_views, "fresh_views", cached, self.fresh_views)

    @property
    def fine_tunes(self) -> bool:
        """Whether there is a second stage."""
        return self.unfreeze != "none" and self.epochs > 0

    def to_dict(self) -> dict[str, object]:
        """The options as JSON can hold them; paths become strings."""
        raw = asdict(self)
        raw.update(data=[str(p) for p in self.data], val=[str(p) for p in self.val], out=str(self.out))
        raw.update(teacher=None if self.teacher is None else str(self.teacher))
        return raw

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """Reads what ``to_dict`` gave; what an earlier version did not know has its default, or what that version did
        where this changes which pictures there are. Raises SettingsError.
        """
        if foreign := sorted(raw.keys() - {field.name for field in fields(cls)}):
            raise SettingsError(f"{foreign[0]}: no option of this version of Reeflens")
        found = {"contradictions": "pixels", **raw}
        for name in ("data", "val"):
            found[name] = tuple(Path(path) for path in raw.get(name, ()))
        found["out"] = Path(raw["out"])
        found["teacher"] = None if raw.get("teacher") is None else Path(raw["teacher"])
        return cls(**found)


PERSONAL = ("data", "out", "val", "limit", "teacher")  # of one place, not of a way to train


def read_options(path: Path) -> dict[str, Any]:
    """What a file of options says, as keyword arguments of ``TrainOptions``. Raises SettingsError."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({(error.strerror or str(error)).lower()})") from error
    except ValueError as error:
        raise SettingsError(f"{path}: no JSON ({error})") from error
    known = {field.name for field in fields(TrainOptions)} - set(PERSONAL)
    if not isinstance(found, dict) or (foreign := sorted(found.keys() - known)):
        named = repr(foreign[0]) if isinstance(found, dict) else type(found).__name__
        raise SettingsError(f"{path}: {named} is no option to train with; there are {', '.join(sorted(known))}")
    return found


def begun_options(run: Path) -> dict[str, Any] | None:
    """The options that the run in this folder was begun with, as ``from_dict`` takes them; None where no run began.

    Raises ResultsError when they cannot be read.
    """
    config = run / "config.json"
    if not config.is_file():
        return None
    try:
        return dict(json.loads(config.read_text(encoding="utf-8"))["options"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultsError(f"{config}: cannot be read ({error}); begin anew without --resume") from error


def check_image_size(size: int) -> None:
    """Raises SettingsError unless networks and contracts have inputs of this size, pixels."""
    usable = size >= MIN_IMAGE_SIZE and size % CAM_STRIDE == 0
    _check(usable, "image_size", f"a multiple of {CAM_STRIDE} from {MIN_IMAGE_SIZE} up", size)


def _check(holds: bool, name: str, expected: str, received: object) -> None:
    if not holds:
        raise SettingsError(f"{name}: expected {expected}, received {received!r}")
