"""What ``reeflens slim`` is told, checked before anything expensive starts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from realtime.errors import ResultsError, SettingsError
from training.options import check_image_size

UNFREEZE = ("block5", "block4", "block3", "block2", "block1")


@dataclass(frozen=True, slots=True)
class SlimOptions:
    """Options of one slimming. Raises SettingsError naming the first that cannot be used.

    run: the folder of a finished run. out: the run folder to make. ratio: share of its multiply-adds to keep at most.
    image_size: S, pixels, of the new network; None for that of the run. What it saves counts for the ratio.
    data, val: trees of photographs instead of those the run was trained on, as in TrainOptions.
    unfreeze: the first block that the recovery trains. epochs: at most; 0 for no recovery. rate: learning rate it
    starts with; it falls to zero along a cosine. views: per picture, the plain one and augmented ones.
    patience: epochs without a better validation accuracy until it stops.
    """

    run: Path
    out: Path
    ratio: float = 0.33
    image_size: int | None = None
    data: tuple[Path, ...] = ()
    val: tuple[Path, ...] = ()
    unfreeze: str = "block4"
    epochs: int = 10
    rate: float = 1e-4
    views: int = 2
    batch_size: int = 32
    patience: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        _check(0.0 < self.ratio < 1.0, "ratio", "a number between 0 and 1", self.ratio)
        if self.image_size is not None:
            check_image_size(self.image_size)
        _check(bool(self.data) or not self.val, "val", "--data beside it", [str(path) for path in self.val])
        _check(self.unfreeze in UNFREEZE, "unfreeze", f"one of {', '.join(UNFREEZE)}", self.unfreeze)
        _check(self.epochs >= 0, "epochs", "a number from 0 up", self.epochs)
        _check(0.0 < self.rate < 1.0, "rate", "a number between 0 and 1", self.rate)
        for name in ("views", "batch_size", "patience"):
            _check(getattr(self, name) >= 1, name, "a number from 1 up", getattr(self, name))
        _check(self.seed >= 0, "seed", "a number from 0 up", self.seed)
        _check(self.run.resolve() != self.out.resolve(), "out", "another folder than RUN", str(self.out))

    def to_dict(self) -> dict[str, object]:
        """The options as JSON can hold them; paths become strings."""
        raw = asdict(self)
        raw.update(
            run=str(self.run), out=str(self.out), data=[str(p) for p in self.data], val=[str(p) for p in self.val]
        )
        return raw

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """Reads what ``to_dict`` gave."""
        found = dict(raw)
        for name in ("data", "val"):
            found[name] = tuple(Path(path) for path in raw.get(name, ()))
        for name in ("run", "out"):
            found[name] = Path(raw[name])
        return cls(**found)


def begun_slimming(out: Path) -> dict[str, Any] | None:
    """The options that the slimming in this folder was begun with, as ``from_dict`` takes them; None where none began.

    Raises ResultsError when they cannot be read, and when the folder is that of another training.
    """
    config = out / "config.json"
    if not config.is_file():
        return None
    try:
        raw = json.loads(config.read_text(encoding="utf-8"))
        if "slimmed" not in raw:
            raise ResultsError(f"{out}: is a run of `reeflens train`; name another folder with --out")
        return dict(raw["slimmed"]["options"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultsError(f"{config}: cannot be read ({error}); begin anew without --resume") from error


def _check(holds: bool, name: str, expected: str, received: object) -> None:
    if not holds:
        raise SettingsError(f"{name}: expected {expected}, received {received!r}")
