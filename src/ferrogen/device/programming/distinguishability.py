"""How many programmed levels can be told apart by one read?

A level is a distribution of conductances (scatter of programming plus noise of the read). A read is assigned to a level
by thresholds; the confusion matrix says how often to which. For Gaussian levels all of it is in closed form. Which
levels cells are asked for is another matter (:mod:`ferrogen.array.levels`).

Between two Gaussian levels of equal chance the threshold that errs least is where their densities cross,

    (x - m_1)^2 / (2 s_1^2) + ln s_1 = (x - m_2)^2 / (2 s_2^2) + ln s_2,    m_1 < x < m_2.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import integrate, special, stats

from ferrogen.core.errors import argument_error, is_whole

_MOST_LEVELS = 4096


@dataclass(frozen=True, slots=True, eq=False)
class GaussianLevels:
    """Levels with Gaussian scatter, all equally likely.

    Attributes:
        mean: of a read of each level [S], rising, shape ``(levels,)``.
        deviation: standard deviation of a read [S], shape ``(levels,)``.
    """

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]

    def __post_init__(self) -> None:
        mean = np.array(self.mean, dtype=np.float64)
        try:
            deviation = np.array(np.broadcast_to(np.asarray(self.deviation, dtype=np.float64), mean.shape))
        except ValueError:
            raise argument_error("deviation", f"have the shape {mean.shape}", np.shape(self.deviation)) from None
        if mean.ndim != 1 or mean.size < 2 or not np.all(np.isfinite(mean)) or np.any(np.diff(mean) <= 0.0):
            raise argument_error("mean", "be at least two finite levels that rise", f"of shape {mean.shape}")
        if not np.all(np.isfinite(deviation)) or np.any(deviation <= 0.0):
            raise argument_error("deviation", "be positive and finite", "not")
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, "deviation", deviation)

    @property
    def count(self) -> int:
        """Number of levels."""
        return int(self.mean.size)


def best_thresholds(levels: GaussianLevels) -> NDArray[np.float64]:
    """Return the thresholds [S] between neighbouring levels that err least, shape ``(levels - 1,)``.

    Where a level is so wide that a neighbour's threshold would pass it by, thresholds are kept in order, and that level
    is never told.
    """
    m1, m2 = levels.mean[:-1], levels.mean[1:]
    s1, s2 = levels.deviation[:-1], levels.deviation[1:]
    gap = m2 - m1
    # In units of the gap from m1: a x^2 + b x + c = 0, solved in the form that does not cancel for equal widths.
    r1, r2 = (gap / s1) ** 2, (gap / s2) ** 2
    a, b = 0.5 * (r1 - r2), r2
    c = -0.5 * r2 + np.log(s1 / s2)
    root = np.sqrt(b * b - 4.0 * a * c)  # r1 r2 - 2 (r1 - r2) ln(s1 / s2): never negative
    x = -2.0 * c / (b + root)
    return np.maximum.accumulate(np.asarray(m1 + gap * x))


def confusion_matrix(levels: GaussianLevels, thresholds: ArrayLike | None = None) -> NDArray[np.float64]:
    """Return P(read as j | written as i), shape ``(levels, levels)``; rows sum to 1.

    Args:
        levels: the levels.
        thresholds: [S], not falling, shape ``(levels - 1,)``; the best ones if absent.

    Raises:
        ArgumentError: thresholds that fall, or of another shape.
    """
    cuts = best_thresholds(levels) if thresholds is None else _thresholds(thresholds, levels.count)
    z = (cuts[None, :] - levels.mean[:, None]) / levels.deviation[:, None]
    edges = np.concatenate([np.full((levels.count, 1), -np.inf), z, np.full((levels.count, 1), np.inf)], axis=1)
    low, high = edges[:, :-1], edges[:, 1:]
    # Far out on the right, differences of the upper tail keep their digits.
    right = low > 0.0
    return np.where(right, special.ndtr(-low) - special.ndtr(-high), special.ndtr(high) - special.ndtr(low))


def _thresholds(thresholds: ArrayLike, count: int) -> NDArray[np.float64]:
    cuts = np.asarray(thresholds, dtype=np.float64)
    if cuts.shape != (count - 1,) or not np.all(np.isfinite(cuts)) or np.any(np.diff(cuts) < 0.0):
        raise argument_error("thresholds", f"be {count - 1} finite conductances that do not fall", f"{cuts.shape}")
    return cuts


def sampled_confusion(reads: ArrayLike, written: ArrayLike, thresholds: ArrayLike) -> NDArray[np.float64]:
    """Return the confusion matrix of reads, simulated or measured: row i is level i, shape ``(levels, levels)``.

    Args:
        reads: conductances [S], shape ``(reads,)``.
        written: level that each was written as, from 0, shape ``(reads,)``.
        thresholds: [S], not falling, shape ``(levels - 1,)``.

    Raises:
        ArgumentError: shapes that differ, a level without reads, or a value out of range.
    """
    values, labels = np.asarray(reads, dtype=np.float64), np.asarray(written)
    cuts = _thresholds(thresholds, np.size(thresholds) + 1)
    count = cuts.size + 1
    if values.ndim != 1 or values.shape != labels.shape or not np.all(np.isfinite(values)):
        raise argument_error("reads", "be finite, one a written level", f"{values.shape} beside {labels.shape}")
    if not np.issubdtype(labels.dtype, np.integer) or set(np.unique(labels)) != set(range(count)):
        raise argument_error("written", f"be whole numbers that cover 0 to {count - 1}", "otherwise")
    told = np.searchsorted(cuts, values, side="right")
    table = np.zeros((count, count))
    np.add.at(table, (labels, told), 1.0)
    return np.asarray(table / table.sum(axis=1, keepdims=True))


def sampled_thresholds(reads: ArrayLike, written: ArrayLike) -> NDArray[np.float64]:
    """Return the thresholds [S] between neighbouring levels that err least on reads of any distribution.

    Args:
        reads: conductances [S], shape ``(reads,)``.
        written: level that each was written as, from 0, shape ``(reads,)``; levels must be ordered by their medians.

    Raises:
        ArgumentError: shapes that differ, or levels that are not ordered.
    """
    values, labels = np.asarray(reads, dtype=np.float64), np.asarray(written)
    if values.ndim != 1 or values.shape != labels.shape or not np.all(np.isfinite(values)):
        raise argument_error("reads", "be finite, one a written level", f"{values.shape} beside {labels.shape}")
    count = int(labels.max()) + 1
    groups = [np.sort(values[labels == k]) for k in range(count)]
    if count < 2 or any(group.size == 0 for group in groups):
        raise argument_error("written", "cover all levels from 0, at least two", f"{count} levels")
    medians = np.array([np.median(group) for group in groups])
    if np.any(np.diff(medians) <= 0.0):
        raise argument_error("written", "number the levels by rising median", "otherwise")
    cuts = np.empty(count - 1)
    for k in range(count - 1):
        below, above = groups[k], groups[k + 1]
        both = np.unique(np.concatenate([below, above, medians[k : k + 2]]))
        both = both[(both >= medians[k]) & (both <= medians[k + 1])]
        middle = 0.5 * (both[1:] + both[:-1])
        lost = 1.0 - np.searchsorted(below, middle, side="right") / below.size
        lost = lost + np.searchsorted(above, middle, side="right") / above.size
        # Many cuts may be equally good: the middle of them has the best chance with new reads.
        best = np.flatnonzero(lost <= lost.min() + 1e-12)
        cuts[k] = middle[best[best.size // 2]]
    return cuts


def symbol_error_rate(confusion: ArrayLike) -> float:
    """Return how often a read is told to be another level than was written, all levels equally likely.

    Raises:
        ArgumentError: not a square matrix whose rows sum to 1.
    """
    matrix = _confusion(confusion)
    off = matrix[~np.eye(matrix.shape[0], dtype=np.bool_)]
    return float(off.sum() / matrix.shape[0])


def mutual_information(confusion: ArrayLike) -> float:
    """Return the information [bit] that a read through thresholds carries about the level, all equally likely.

    Raises:
        ArgumentError: not a square matrix whose rows sum to 1.
    """
    matrix = _confusion(confusion)
    told = matrix.mean(axis=0)
    ratio = np.where(matrix > 0.0, matrix, 1.0) / np.where(told > 0.0, told, 1.0)
    return float(np.sum(matrix * np.log2(ratio)) / matrix.shape[0])


def soft_information(levels: GaussianLevels) -> float:
    """Return the information [bit] of the read itself, before thresholds: the most that any decision can keep."""
    m, s = levels.mean, levels.deviation

    def gain(k: int) -> float:
        def integrand(z: float) -> float:
            x = m[k] + s[k] * z
            logs = -0.5 * ((x - m) / s) ** 2 - np.log(s)
            mixture = special.logsumexp(logs) - math.log(m.size)
            return float(stats.norm.pdf(z) * (logs[k] - mixture) / math.log(2.0))

        return float(integrate.quad(integrand, -9.0, 9.0, limit=400)[0])

    return float(np.mean([gain(k) for k in range(m.size)]))


def _confusion(confusion: ArrayLike) -> NDArray[np.float64]:
    matrix = np.asarray(confusion, dtype=np.float64)
    square = matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1] and matrix.shape[0] >= 2
    if not square or np.any(matrix < 0.0) or np.any(np.abs(matrix.sum(axis=1) - 1.0) > 1e-9):
        raise argument_error(
            "confusion", "be a square matrix of shares whose rows sum to 1", f"of shape {matrix.shape}"
        )
    return matrix


def place_levels(
    low: float, high: float, deviation: Callable[[NDArray[np.float64]], ArrayLike], count: int
) -> GaussianLevels:
    """Place levels so that neighbours are all equally many standard deviations apart.

    Distances are measured as int dG / deviation(G), in which every level is equally wide.

    Args:
        low: mean of the lowest level [S].
        high: mean of the highest level [S].
        deviation: standard deviation [S] of a read of a level at conductances [S], array in, array out.
        count: number of levels.

    Raises:
        ArgumentError: a value out of range, or a deviation that is not positive.
    """
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise argument_error("high", f"be finite and exceed `low` ({low:g} S)", f"{high:g} S")
    if not is_whole(count, 2, _MOST_LEVELS):
        raise argument_error("count", f"be a whole number from 2 to {_MOST_LEVELS}", count)
    grid = np.linspace(low, high, 4097)
    width = np.broadcast_to(np.asarray(deviation(grid), dtype=np.float64), grid.shape)
    if not np.all(np.isfinite(width)) or np.any(width <= 0.0):
        raise argument_error("deviation", "be positive and finite from `low` to `high`", "not")
    density = 1.0 / width
    distance = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(grid))])
    mean = np.interp(np.linspace(0.0, distance[-1], count), distance, grid)
    return GaussianLevels(mean, np.interp(mean, grid, width))


def most_levels(
    low: float, high: float, deviation: Callable[[NDArray[np.float64]], ArrayLike], error_limit: float
) -> GaussianLevels:
    """Return the largest set of levels whose symbol error rate stays within a limit.

    For a constant deviation s the error of n levels is 2 (n - 1) / n Q[(high - low) / (2 s (n - 1))].

    Args:
        low: mean of the lowest level [S].
        high: mean of the highest level [S].
        deviation: standard deviation [S] of a read of a level at conductances [S], array in, array out.
        error_limit: largest symbol error rate, between 0 and 1.

    Raises:
        ArgumentError: a value out of range, or not even two levels can be told apart that well.
    """
    if not 0.0 < error_limit < 1.0:
        raise argument_error("error_limit", "lie between 0 and 1", error_limit)

    def error(count: int) -> float:
        return symbol_error_rate(confusion_matrix(place_levels(low, high, deviation, count)))

    if error(2) > error_limit:
        raise argument_error(
            "error_limit", f"be at least {error(2):.3g}, which two levels at the ends have", f"{error_limit:g}",
            "Average more reads, program better, or take a junction with a larger window.",
        )  # fmt: skip
    good, bad = 2, 4
    while bad <= _MOST_LEVELS and error(bad) <= error_limit:
        good, bad = bad, 2 * bad
    bad = min(bad, _MOST_LEVELS + 1)
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if error(middle) <= error_limit else (good, middle)
    return place_levels(low, high, deviation, good)
