"""How foreign a picture is: the score for "none of my classes", as constants and as plain arithmetic.

Training finds the constants, export puts them into the graph; this is the one place that says what is computed:

    E = -log(sum over c of exp(y_c))          of the logits y: the energy of Liu et al., "Energy-based
                                              Out-of-distribution Detection", NeurIPS 2020, at temperature 1
    D = 1 - max over p of <g / |g|, m_p>      of the averages g of the last block: the cosine distance to the nearest
                                              prototype m_p. Distance to clusters of features: Sehwag et al., "SSD",
                                              ICLR 2021; nearest neighbours among features of length 1: Sun et al.,
                                              "Out-of-Distribution Detection with Deep Nearest Neighbors", ICML 2022
    unknown = 1 / (1 + exp(-(a E + b D + c)))

E asks whether any class is sure, D whether anything like it was ever seen. An empty tunnel can excite one logit
above all others (so its largest probability is high) and still be like no photograph; only D and E see that.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime.errors import ContractError

TINY = 1e-12  # of the squared length of g: all zero stays all zero, and is as far from every prototype as can be
_FIELDS = ("prototypes", "energy_weight", "distance_weight", "offset")


@dataclass(frozen=True, slots=True, eq=False)
class UnknownScore:
    """The constants of one model; ContractError names the one that cannot be.

    prototypes: float32 [P, K], rows of length 1. energy_weight, distance_weight, offset: a, b and c above.
    """

    prototypes: NDArray[np.float32]
    energy_weight: float
    distance_weight: float
    offset: float

    def __post_init__(self) -> None:
        shape = self.prototypes.shape
        if self.prototypes.dtype != np.float32 or len(shape) != 2 or not all(shape):
            raise ContractError(f"prototypes: expected float32 [P, K], received {self.prototypes.dtype} {list(shape)}")
        if not np.allclose(np.linalg.norm(self.prototypes, axis=1), 1.0, atol=1e-3):
            raise ContractError("prototypes: expected rows of length 1")
        for name in _FIELDS[1:]:
            if not np.isfinite(getattr(self, name)):
                raise ContractError(f"{name}: expected a number, received {getattr(self, name)!r}")

    def __call__(self, features: NDArray[np.floating], logits: NDArray[np.floating]) -> NDArray[np.float64]:
        """The score [N] in 0..1, higher is more foreign, of features [N, K] and logits [N, C]."""
        inner = self.energy_weight * energy(logits) + self.distance_weight * distance(features, self.prototypes)
        score: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-(inner + self.offset)))
        return score

    def save(self, path: Path) -> None:
        """Writes the constants as .npz. Raises OSError."""
        arrays: dict[str, Any] = {name: np.asarray(getattr(self, name)) for name in _FIELDS}
        with path.open("wb") as file:
            np.savez(file, **arrays)

    @classmethod
    def load(cls, path: Path) -> UnknownScore:
        """Reads what ``save`` wrote. Raises ContractError for anything else."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                prototypes, *numbers = (stored[name] for name in _FIELDS)
                return cls(prototypes, *(float(number) for number in numbers))
        except ContractError as error:
            raise ContractError(f"{path}: {error}") from error
        except Exception as error:  # zipfile, zlib and numpy raise unrelated classes for a damaged archive
            raise ContractError(f"{path}: cannot be read ({str(error).strip() or type(error).__name__})") from error


def energy(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """E of the module's formula, [N], of logits [N, C]."""
    values = logits.astype(np.float64)
    top = values.max(axis=1, keepdims=True)
    found: NDArray[np.float64] = -(np.log(np.exp(values - top).sum(axis=1)) + top[:, 0])
    return found


def distance(features: NDArray[np.floating], prototypes: NDArray[np.floating]) -> NDArray[np.float64]:
    """D of the module's formula, [N] in 0..2, of features [N, K] and prototypes [P, K] of length 1."""
    found: NDArray[np.float64] = 1.0 - (unit(features) @ prototypes.T.astype(np.float64)).max(axis=1)
    return found


def unit(features: NDArray[np.floating]) -> NDArray[np.float64]:
    """Features [N, K] scaled to length 1; all zero stays all zero."""
    values = features.astype(np.float64)
    scaled: NDArray[np.float64] = values / np.sqrt(np.maximum((values**2).sum(axis=1, keepdims=True), TINY))
    return scaled
