"""How far apart are two curves? Root mean square difference where both are defined."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ferrogen.report.datasheet.page import Array, Curve, Plot

_LEAST_POINTS = 2


@dataclass(frozen=True, slots=True)
class Difference:
    """A root mean square difference.

    Attributes:
        value: in ``unit``.
        unit: of the y axis; ``"decades"`` on a logarithmic one.
        points: at how many abscissae.
        curves: of how many pairs of curves.
    """

    value: float
    unit: str
    points: int
    curves: int


def difference(plot: Plot, first: Sequence[Curve], second: Sequence[Curve]) -> Difference | None:
    """Compare the curves of two lists that have the same label.

    A curve is read at the abscissae of the first one, where the second is defined, too, by straight lines in the
    coordinates of the plot. A curve that runs back and forth, as a loop does, is compared branch by branch.

    Returns:
        The difference over all pairs, or None where nothing is defined in both.
    """
    squares: list[Array] = []
    pairs = 0
    for mine in first:
        other = next((item for item in second if item.label == mine.label), None)
        if other is None:
            continue
        found = _gaps(plot, mine, other)
        if found.size >= _LEAST_POINTS:
            squares.append(found**2)
            pairs += 1
    if not squares:
        return None
    together = np.concatenate(squares)
    unit = "decades" if plot.y.logarithmic else plot.y.unit
    return Difference(math.sqrt(float(together.mean())), unit, int(together.size), pairs)


def _gaps(plot: Plot, mine: Curve, other: Curve) -> Array:
    if mine.x.shape == other.x.shape and np.array_equal(mine.x, other.x, equal_nan=True):
        gaps = _height(plot, mine.y) - _height(plot, other.y)
        return np.asarray(gaps[np.isfinite(gaps)])
    parts = [_between(one, two) for one, two in zip(_branches(plot, mine), _branches(plot, other), strict=False)]
    return np.concatenate(parts) if parts else np.empty(0)


def _between(one: tuple[Array, Array], two: tuple[Array, Array]) -> Array:
    (x, y), (at, height) = one, two
    if at.size < _LEAST_POINTS:
        return np.empty(0)
    inside = (x >= at[0]) & (x <= at[-1])
    return np.asarray(y[inside] - np.interp(x[inside], at, height))


def _branches(plot: Plot, item: Curve) -> Iterator[tuple[Array, Array]]:
    """Yield the parts of a curve in which x rises or falls, each with x rising; coordinates are those of the plot."""
    x = np.log10(np.where(item.x > 0.0, item.x, np.nan)) if plot.x.logarithmic else item.x
    y = _height(plot, item.y)
    kept = np.isfinite(x) & np.isfinite(y)
    x, y = x[kept], y[kept]
    signs = np.sign(np.diff(x))
    start, sign = 0, 0.0
    for k, now in enumerate(signs):
        if now and sign and now != sign:
            yield _rising(x[start : k + 1], y[start : k + 1])
            start = k
        sign = now or sign
    if x.size:
        yield _rising(x[start:], y[start:])


def _rising(x: Array, y: Array) -> tuple[Array, Array]:
    order = np.argsort(x, kind="stable")
    return x[order], y[order]


def _height(plot: Plot, y: Array) -> Array:
    return np.asarray(np.log10(np.where(y > 0.0, y, np.nan)) if plot.y.logarithmic else y)
