"""A few kinds of memory that, mixed, stand for a trap of any speed.

What a cell adds to its conductance in bin b is a deviation times two signs, one of its word line and one of its bit
line. A sign is drawn anew, + or - alike, every D cycles, from a phase of its own that is uniform over D. Two cycles k
apart see the same draw with the chance (1 - k / D), so a sign's correlation is that triangle, and the product's

    kappa_b(k) = mean over D in b of (1 - k / D)+  x  (1 - k / (16 D_b))+,

D_b the longest of b. Its variance is exactly 1, always. Any convex decreasing function is a mixture of triangles
(Polya, 1949), an exponential e^-M (k - 1) among them; a few bins give it closely. The shares are found once, by
non-negative least squares over lags up to 6000, on a fine grid of M: lag 1 is exact, and lag 0 is made exact by noise
without memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.optimize import nnls

DURATIONS: tuple[tuple[int, ...], ...] = (
    (2,), (4, 8), (16, 32), (64, 128), (256, 512), (1024, 2048), (4096, 8192),
)  # fmt: skip
"""Cycles between two draws of a word line's sign, powers of two; lines of a bin are dealt among its durations."""

OUTPUT_FACTOR = 16
"""A bit line's sign lasts so many times longer than the longest of its bin."""

SLOWEST, FASTEST = 1e-3, 20.0
"""Moves per cycle between which shares are tabulated; slower traps are frozen, faster ones keep e^-20 of a read."""

_NODES = 241
_FIRM = 1e4  # weight of what must hold exactly
_ANY_SUM = 100.0  # no constraint: a fast trap's correlation is in the first bin


def correlation(lags: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return kappa_b of every bin at ``lags`` >= 0, shape ``(bins, lags)``."""
    k = np.asarray(lags, dtype=np.float64)
    rows = []
    for durations in DURATIONS:
        own = np.mean([np.maximum(0.0, 1.0 - k / d) for d in durations], axis=0)
        rows.append(own * np.maximum(0.0, 1.0 - k / (OUTPUT_FACTOR * max(durations))))
    return np.array(rows)


def tightest(moves: float) -> float:
    """Return Var Y / Cov(Y_0, Y_1) of contiguous windows with so many ``moves`` each: no read remembers more."""
    return float(2.0 * (moves + np.expm1(-moves)) / np.expm1(-moves) ** 2)


def _nearly_tightest(moves: float) -> float:
    return 0.9995 * tightest(moves)  # room for the interpolation between nodes


@dataclass(frozen=True, slots=True, eq=False)
class ShareTable:
    """Shares of all bins on a grid of ln M. A share is the variance of a bin per covariance of consecutive reads.

    Attributes:
        first: ln M of the first node.
        step: between nodes.
        loose: shares whose sum is at most e^M, as of reads that are short against their cycle, ``(nodes, bins)``.
        tight: shares whose sum is at most that of contiguous windows, same shape.
    """

    first: float
    step: float
    loose: NDArray[np.float64]
    tight: NDArray[np.float64]


@cache
def share_table() -> ShareTable:
    """Return the shares; times ``correlation([1])`` they add up to 1, so that lag 1 is exact."""
    lags = np.unique(np.concatenate([np.arange(1, 130), np.geomspace(130, 6000, 60).astype(np.int64)]))
    seen = correlation(lags).T
    weight = np.where(lags <= 128, 1.0, 0.7)
    weight[0] = _FIRM
    bins = seen.shape[1]
    # One more unknown, the slack of "sum of shares <= largest sum", makes the inequality an equation.
    system = np.zeros((lags.size + 1, bins + 1))
    system[:-1, :bins] = seen * weight[:, None]
    system[-1] = _FIRM
    nodes = np.linspace(math.log(SLOWEST), math.log(FASTEST), _NODES)

    def shares(largest: Callable[[float], float]) -> NDArray[np.float64]:
        found = np.empty((_NODES, bins))
        for number, moves in enumerate(np.exp(nodes)):
            sums = min(largest(float(moves)), _ANY_SUM)
            wanted = np.append(np.exp(-moves * (lags - 1.0)) * weight, _FIRM * sums)
            found[number] = nnls(system, wanted)[0][:bins]
        return np.ascontiguousarray(found / (found @ seen[0])[:, None])

    return ShareTable(float(nodes[0]), float(nodes[1] - nodes[0]), shares(math.exp), shares(_nearly_tightest))


@njit(cache=True, nogil=True, error_model="numpy")
def _add_shares(
    covariance: NDArray[np.float64],
    variance: NDArray[np.float64],
    moves: NDArray[np.float64],
    cell: NDArray[np.int64],
    first: float,
    step: float,
    loose: NDArray[np.float64],
    tight: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    nodes, bins = loose.shape
    for trap in range(moves.shape[0]):
        if not covariance[trap] > 0.0:
            continue
        place = min(max((math.log(moves[trap]) - first) / step, 0.0), nodes - 1.000001)
        i = int(place)
        part = place - i
        wide, narrow = 0.0, 0.0
        for b in range(bins):
            wide += loose[i, b] * (1.0 - part) + loose[i + 1, b] * part
            narrow += tight[i, b] * (1.0 - part) + tight[i + 1, b] * part
        room = variance[trap] / covariance[trap]
        mix = 0.0 if room >= wide or wide <= narrow else min((wide - room) / (wide - narrow), 1.0)
        total = wide + mix * (narrow - wide)
        scale = covariance[trap] * min(1.0, room / total)
        for b in range(bins):
            open_share = loose[i, b] * (1.0 - part) + loose[i + 1, b] * part
            near_share = tight[i, b] * (1.0 - part) + tight[i + 1, b] * part
            out[b, cell[trap]] += scale * (open_share + mix * (near_share - open_share))


def bin_variances(
    covariance: NDArray[np.float64],
    variance: NDArray[np.float64],
    moves: NDArray[np.float64],
    cell: NDArray[np.int64],
    cells: int,
) -> NDArray[np.float64]:
    """Return the variance of every cell in every bin, summed over its traps, shape ``(bins, cells)``.

    What is left of a trap's variance is without memory. Frozen traps are to be left out (a covariance of zero does).

    Args:
        covariance: of consecutive reads of every trap, shape ``(traps,)``.
        variance: of one read, in the same unit.
        moves: expected moves per cycle.
        cell: index of the cell each trap sits in.
        cells: how many cells.
    """
    table = share_table()
    out = np.zeros((len(DURATIONS), cells))
    _add_shares(covariance, variance, moves, cell, table.first, table.step, table.loose, table.tight, out)
    return out


def approximated(moves: float, lags: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return what bins make of Cov(Y_0, Y_k) / Cov(Y_0, Y_1) of a trap with short reads; exact: e^-M (k - 1).

    Args:
        moves: per cycle, from ``SLOWEST``.
        lags: k >= 1.
    """
    one = np.ones(1)
    shares = bin_variances(one, np.full(1, np.inf), np.full(1, moves), np.zeros(1, dtype=np.int64), 1)[:, 0]
    return np.asarray(shares @ correlation(lags))
