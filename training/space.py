"""What a search may vary, and within which bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras_tuner

from realtime.errors import SettingsError
from training.options import OPTIMIZERS, UNFREEZE

ALGORITHMS = ("hyperband", "bayesian", "random")
VARIED = (
    "optimizer",
    "learning_rate",
    "fine_tune_rate",
    "dense_units",
    "dropout",
    "unfreeze",
    "label_smoothing",
    "balance",
    "augment",
)
LOGARITHMIC = ("learning_rate", "fine_tune_rate", "dense_units")


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How to search. Raises SettingsError.

    algorithm: "hyperband" stops weak trials early and lets strong ones go on; "bayesian" and "random" train every trial
    to its end. trials: the most there will be; one that goes on counts again.
    """

    algorithm: str = "hyperband"
    trials: int = 30

    def __post_init__(self) -> None:
        if self.algorithm not in ALGORITHMS:
            raise SettingsError(f"algorithm: expected one of {', '.join(ALGORITHMS)}, received {self.algorithm!r}")
        if self.trials < 1:
            raise SettingsError(f"trials: expected a number from 1 up, received {self.trials!r}")


def search_space(deepest: str) -> keras_tuner.HyperParameters:
    """The bounds of everything ``VARIED``; of the blocks, as far from the head as ``deepest``."""
    space = keras_tuner.HyperParameters()
    space.Choice("optimizer", list(OPTIMIZERS))
    # Wide, since Adam and SGD want rates that differ by a factor of ten to a hundred.
    space.Float("learning_rate", 1e-4, 3e-2, sampling="log", default=1e-3)
    space.Float("fine_tune_rate", 1e-5, 3e-3, sampling="log", default=1e-4)
    space.Choice("dense_units", [128, 256, 512, 1024], default=256)
    space.Float("dropout", 0.0, 0.7, step=0.1, default=0.5)
    space.Choice("unfreeze", list(UNFREEZE[: UNFREEZE.index(deepest) + 1]), default=deepest)
    space.Float("label_smoothing", 0.0, 0.2, step=0.05, default=0.1)
    space.Choice("balance", [0.0, 0.5, 1.0], default=0.0)
    space.Float("augment", 0.0, 1.0, step=0.25, default=0.75)
    return space


def chosen(values: dict[str, Any]) -> dict[str, Any]:
    """Those of a trial's values that are options; numbers without the dust that summed steps leave behind them."""
    return {
        name: float(f"{values[name]:.4g}") if isinstance(values[name], float) else values[name]
        for name in VARIED
        if name in values
    }
