"""The kernel distance (KID) between two sets of features."""

from __future__ import annotations

import itertools
import math
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.metrics.checks import check_matrix
from ferrogen.metrics.score import CONFIDENCE, Score

_GROUPS: Final = 50
_CHUNK_VALUES: Final = 250_000  # 2 MB of float64: the passes over a chunk stay in cache
_DEFINITION: Final = (
    "Unbiased squared maximum mean discrepancy with the kernel (x.y/d + 1)^3 (Binkowski 2018,"
    " doi:10.48550/arXiv.1801.01401); lower is better, may be negative near zero; 95 % interval by a"
    " delete-one-group jackknife over both sets ({groups} and {reference_groups} groups), Student t."
)


def kernel_distance(features_a: ArrayLike, features_b: ArrayLike) -> Score:
    """Measure how far two feature sets are apart without assuming any distribution.

    The unbiased estimate of the squared maximum mean discrepancy (MMD^2) with the polynomial kernel
    ``(x.y/d + 1)^3`` (Binkowski et al. 2018, doi:10.48550/arXiv.1801.01401). Unlike the Frechet distance its
    expectation does not depend on n. All pairs are used, not random subsets, so no seed is needed; the
    interval comes from leaving out one group of rows after the other (jackknife, doi:10.1214/aos/1176345462),
    which is slightly too wide near zero. Rows must be independent.

    Args:
        features_a: the features to judge, ``(n, d)``, n >= 4.
        features_b: the reference, ``(m, d)``, m >= 4.

    Returns:
        Score ``kernel_distance``, n from ``features_a``.

    Raises:
        ArgumentError: shapes that do not fit, fewer than 4 rows, NaN or infinity.
    """
    a = check_matrix("features_a", features_a, rows=4)
    b = check_matrix("features_b", features_b, rows=4, columns=a.shape[1])
    groups_a, groups_b = _groups(len(a)), _groups(len(b))
    within_a, within_b = _group_sums(a, groups_a, a, groups_a), _group_sums(b, groups_b, b, groups_b)
    between = _group_sums(a, groups_a, b, groups_b)
    value = _unbiased(within_a.sum(), len(a), within_b.sum(), len(b), between.sum())

    def value_without(rows_a: slice, rows_b: slice, lost_a: float, lost_b: float, lost_between: float) -> float:
        return _unbiased(
            float(within_a.sum()) - lost_a,
            len(a) - (rows_a.stop - rows_a.start),
            float(within_b.sum()) - lost_b,
            len(b) - (rows_b.stop - rows_b.start),
            float(between.sum()) - lost_between,
        )

    none = slice(0, 0)
    without_a = [
        value_without(rows, none, 2.0 * within_a[g].sum() - within_a[g, g], 0.0, between[g].sum())
        for g, rows in enumerate(groups_a)
    ]
    without_b = [
        value_without(none, rows, 0.0, 2.0 * within_b[g].sum() - within_b[g, g], between[:, g].sum())
        for g, rows in enumerate(groups_b)
    ]
    half = _half_width(np.array(without_a), np.array(without_b))
    definition = _DEFINITION.format(groups=len(groups_a), reference_groups=len(groups_b))
    return Score("kernel_distance", value, value - half, value + half, len(a), definition)


def _groups(count: int) -> list[slice]:
    """Split rows into at most 50 groups of nearly equal size, never leaving fewer than two rows behind."""
    parts = min(_GROUPS, count)
    edges = np.linspace(0, count, parts + 1).round().astype(int)
    return [slice(int(first), int(last)) for first, last in itertools.pairwise(edges)]


def _group_sums(
    a: NDArray[np.float64], groups_a: list[slice], b: NDArray[np.float64], groups_b: list[slice]
) -> NDArray[np.float64]:
    """Sum the kernel over each pair of groups; a pair of a row with itself counts nothing."""
    sums = np.zeros((len(groups_a), len(groups_b)))
    same = a is b
    together = max(1, _CHUNK_VALUES * len(groups_a) * len(groups_b) // (len(a) * len(b)))
    for i, rows in enumerate(groups_a):
        # The kernel is symmetric: groups before i are known already.
        for first in range(i if same else 0, len(groups_b), together):
            chunk = groups_b[first : first + together]
            kernel = a[rows] @ b[chunk[0].start : chunk[-1].stop].T / a.shape[1] + 1.0
            columns = (kernel * kernel * kernel).sum(axis=0)
            starts = [group.start - chunk[0].start for group in chunk]
            sums[i, first : first + together] = np.add.reduceat(columns, starts)
        if same:
            sums[i, i] -= float(((np.einsum("ij,ij->i", a[rows], a[rows]) / a.shape[1] + 1.0) ** 3).sum())
            sums[i:, i] = sums[i, i:]
    return sums


def _unbiased(sum_a: float, count_a: int, sum_b: float, count_b: int, between: float) -> float:
    return float(
        sum_a / (count_a * (count_a - 1)) + sum_b / (count_b * (count_b - 1)) - 2.0 * between / (count_a * count_b)
    )


def _half_width(*leave_outs: NDArray[np.float64]) -> float:
    from scipy.special import stdtrit

    variance = sum(float(np.sum((left - left.mean()) ** 2)) * (len(left) - 1) / len(left) for left in leave_outs)
    freedom = min(len(left) for left in leave_outs) - 1
    return float(stdtrit(freedom, 0.5 + CONFIDENCE / 2.0)) * math.sqrt(variance)
