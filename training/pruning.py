"""Which channels a convolution can do without, if the weights of those that stay are fitted anew.

A convolution's outputs are linear in the patches of its input channels. Which channels' removal changes the outputs
least, over a sample of patches and with the weights of all others adjusted by least squares, is answered by the inverse
of the patches' covariance H: the removal of the weights w_g of a channel costs

    w_g' (inv(H)_gg)^-1 w_g

and changes the others by -inv(H)[:, g] (inv(H)_gg)^-1 w_g: Optimal Brain Surgeon (Hassibi and Stork, NeurIPS 1992) for
groups, as in ZipLM (Kurtic, Frantar and Alistarh, NeurIPS 2023). ThiNet (Luo et al., ICCV 2017) and He et al. (ICCV
2017) minimise the same error, by a greedy search without adjustment and by LASSO.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RIDGE = 1e-3  # of the mean variance: patches overlap, and of few pictures there are fewer than weights
TAPS = 9  # of a 3 x 3 window
MOST_UNIT = 16  # integer kernels work on 16 channels at once; narrower steps of a layer's width save nothing


@dataclass(frozen=True, slots=True, eq=False)
class Elimination:
    """The order in which a convolution's C input channels go.

    removed: int64 [C - narrowest], the first to go first. widths: how many are left, descending from C.
    error: float64, of each width, the share of the outputs' variance that is lost.
    halfway: which of ``widths`` is nearest to half. kernel: float64 [9 C, outputs], the adjusted weights there, zero
    for what is gone.
    """

    removed: NDArray[np.int64]
    widths: NDArray[np.int64]
    error: NDArray[np.float64]
    halfway: int
    kernel: NDArray[np.float64]

    def kept(self, width: int) -> NDArray[np.int64]:
        """The channels left at this width, ascending."""
        channels = int(self.widths[0])
        return np.setdiff1d(np.arange(channels), self.removed[: channels - width])


def unit_of(channels: int) -> int:
    """The step in which a layer of so many channels is narrowed."""
    return max(1, min(MOST_UNIT, channels // 8))


def eliminate(covariance: NDArray[np.floating], kernel: NDArray[np.floating]) -> Elimination:
    """covariance: [9 C, 9 C] of the input patches, tap after tap as a kernel has them. kernel: [9 C, outputs]."""
    channels = len(kernel) // TAPS
    unit = unit_of(channels)
    # Tap after tap becomes channel after channel, so that a channel's nine rows are neighbours.
    order = np.arange(TAPS * channels).reshape(TAPS, channels).T.ravel()
    hessian = covariance[np.ix_(order, order)].astype(np.float64)
    weights = kernel[order].astype(np.float64)
    variance = max(float(np.sum(weights * (hessian @ weights))), np.finfo(np.float64).tiny)
    hessian[np.diag_indices_from(hessian)] += RIDGE * max(float(np.trace(hessian)) / len(hessian), 1e-12)
    inverse = np.linalg.inv(hessian)
    del hessian

    alive = np.arange(channels)
    removed: list[int] = []
    widths, errors, lost = [channels], [0.0], 0.0
    halfway, halfway_kernel = 0, weights
    few = max(1, channels // 64)  # at once: one by one takes the largest layers eight times as long
    while len(alive) > unit:
        target = (len(alive) - 1) // unit * unit
        while len(alive) > target:
            cost = _removal_costs(inverse, weights)
            going = np.sort(np.argsort(cost, kind="stable")[: min(few, len(alive) - target)])
            rows = (going[:, None] * TAPS + np.arange(TAPS)).ravel()
            columns = inverse[:, rows]
            block = inverse[np.ix_(rows, rows)]
            change = np.linalg.solve(block, weights[rows])
            lost += float(np.sum(weights[rows] * change))
            staying = np.setdiff1d(np.arange(len(weights)), rows)
            weights = weights[staying] - columns[staying] @ change
            inverse = inverse[np.ix_(staying, staying)] - columns[staying] @ np.linalg.solve(block, columns[staying].T)
            removed += alive[going].tolist()
            alive = np.delete(alive, going)
        widths.append(target)
        errors.append(lost / variance)
        if abs(target - channels / 2) < abs(widths[halfway] - channels / 2):
            halfway = len(widths) - 1
            halfway_kernel = np.zeros((TAPS * channels, weights.shape[1]))
            halfway_kernel[(np.arange(TAPS)[None] * channels + alive[:, None]).ravel()] = weights
    return Elimination(np.array(removed), np.array(widths), np.array(errors), halfway, halfway_kernel)


def _removal_costs(inverse: NDArray[np.floating], weights: NDArray[np.floating]) -> NDArray[np.float64]:
    """Of every channel that is left."""
    count = len(weights) // TAPS
    which = np.arange(count)
    blocks = inverse.reshape(count, TAPS, count, TAPS)[which, :, which, :]
    groups = weights.reshape(count, TAPS, -1)
    costs: NDArray[np.float64] = np.einsum("gto,gto->g", groups, np.linalg.solve(blocks, groups))
    return costs
