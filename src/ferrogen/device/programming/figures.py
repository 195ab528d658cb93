"""How good is a programming curve? Linearity, nonlinearity label, asymmetry, dynamic range, states that count.

A curve is the conductance (or switched fraction) before the first pulse and after each one.

The nonlinearity label is that of NeuroSim (Chen 2018, doi:10.1109/TCAD.2018.2789723): the curve is fitted with

    G(n) = G_min + B [1 - exp(-n / A)],    B = (G_max - G_min) / [1 - exp(-n_max / A)],

and A / n_max is translated to a label. NeuroSim ships that translation as a table from 0.01 to 9; compared with it, the
label is the largest deviation of the fitted curve from the straight line between its ends, measured at right angles in
the unit square, in steps of 0.07: label = deviation / (0.07 sqrt 2). A concave curve has a positive label. A falling
curve is labelled by its mirror image in the pulse number, so that fast-then-slow depression has a negative one, and a
junction whose depression retraces its potentiation has equal labels: the asymmetry is their difference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

from ferrogen.core.errors import argument_error

_LABEL_STEP = 0.07 * math.sqrt(2.0)
_STRAIGHT = 1e-6  # curvature below which exponential and line are the same to double precision
_NEARLY_STRAIGHT = 1e-3  # below it the label is proportional to 1.4e-8, and its closed form cancels
_LARGEST_CURVATURE = 500.0


def _curve(name: str, values: ArrayLike) -> NDArray[np.float64]:
    curve = np.asarray(values, dtype=np.float64)
    if curve.ndim != 1 or curve.size < 3 or not np.all(np.isfinite(curve)):
        raise argument_error(name, "be one finite value a pulse, three at least", f"of shape {curve.shape}")
    if curve[0] == curve[-1]:
        raise argument_error(name, "end at another value than it begins with", f"{curve[0]:g} at both ends")
    return curve


@dataclass(frozen=True, slots=True)
class Linearity:
    """How far a curve is from a straight line.

    Attributes:
        largest_deviation: from the line between first and last point, as a share of their distance [1].
        r_squared: share of the variance that the best straight line explains [1].
    """

    largest_deviation: float
    r_squared: float


def linearity(curve: ArrayLike) -> Linearity:
    """Return how straight a curve is, shape ``(points,)``.

    Raises:
        ArgumentError: fewer than three points, not finite, or equal ends.
    """
    y = _curve("curve", curve)
    x = np.linspace(0.0, 1.0, y.size)
    deviation = np.abs((y - y[0]) / (y[-1] - y[0]) - x).max()
    slope, cut = np.polyfit(x, y, 1)
    residual = np.sum((y - cut - slope * x) ** 2)
    return Linearity(float(deviation), float(1.0 - residual / np.sum((y - y.mean()) ** 2)))


def exponential_curve(curvature: float, points: int) -> NDArray[np.float64]:
    """Return [1 - exp(-c x)] / [1 - exp(-c)] at evenly spaced x from 0 to 1; c = n_max / A, of either sign.

    Raises:
        ArgumentError: a curvature that is not finite, or fewer than two points.
    """
    if not math.isfinite(curvature) or points < 2:
        raise argument_error("curvature", "be finite, with at least two points", curvature)
    x = np.linspace(0.0, 1.0, points)
    c = min(max(curvature, -_LARGEST_CURVATURE), _LARGEST_CURVATURE)
    if abs(c) < _STRAIGHT:
        return np.asarray(x + 0.5 * c * x * (1.0 - x))
    return np.asarray(np.expm1(-c * x) / math.expm1(-c))


def label_of_curvature(curvature: float) -> float:
    """Return NeuroSim's nonlinearity label of a normalised curvature n_max / A: from -10.1 to 10.1.

    Raises:
        ArgumentError: it is not finite.
    """
    if not math.isfinite(curvature):
        raise argument_error("curvature", "be finite", curvature)
    c = abs(curvature)
    if c < _NEARLY_STRAIGHT:
        return curvature / 8.0 / _LABEL_STEP
    # The curve is steepest at the start; it is farthest from the line where its slope has come down to 1.
    share = -math.expm1(-c) / c
    deviation = (1.0 - share) / -math.expm1(-c) + math.log(share) / c
    return math.copysign(deviation / _LABEL_STEP, curvature)


def curvature_of_label(label: float) -> float:
    """Return the normalised curvature n_max / A of a nonlinearity label; A / n_max is what NeuroSim's table holds.

    Raises:
        ArgumentError: the label lies beyond 10 in size.
    """
    if not abs(label) <= 9.9:
        raise argument_error("label", "lie between -9.9 and 9.9", label)
    if abs(label) < _STRAIGHT:
        return label * 8.0 * _LABEL_STEP
    root = optimize.brentq(lambda c: label_of_curvature(c) - abs(label), 1e-9, 1e4, xtol=1e-12)
    return math.copysign(float(root), label)


@dataclass(frozen=True, slots=True)
class Nonlinearity:
    """The exponential that fits a curve best.

    Attributes:
        label: NeuroSim's nonlinearity [1].
        curvature: n_max / A, with the sign of the label [1].
        residual: root mean square of what the fit leaves, as a share of the range [1]. Large values warn that the
            curve is not of that shape: the label is then a poor description.
    """

    label: float
    curvature: float
    residual: float


def nonlinearity(curve: ArrayLike) -> Nonlinearity:
    """Fit NeuroSim's exponential to a rising or falling curve, shape ``(points,)``, its ends held.

    Raises:
        ArgumentError: fewer than three points, not finite, or equal ends.
    """
    y = _curve("curve", curve)
    if y[-1] < y[0]:
        y = y[::-1]
    unit = (y - y[0]) / (y[-1] - y[0])

    def loss(c: float) -> float:
        return float(np.mean((exponential_curve(c, unit.size) - unit) ** 2))

    # Several valleys are possible for curves of other shapes: look on a grid first.
    grid = np.sinh(np.linspace(-6.0, 6.0, 121))
    best = int(np.argmin([loss(c) for c in grid]))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, grid.size - 1)]
    result = optimize.minimize_scalar(loss, bounds=(float(low), float(high)), method="bounded", options={"xatol": 1e-9})
    c = float(result.x)
    return Nonlinearity(label_of_curvature(c), c, math.sqrt(loss(c)))


@dataclass(frozen=True, slots=True)
class ProgrammingFigures:
    """Figures of merit of a potentiation and a depression curve.

    Attributes:
        potentiation: straightness of the rising curve.
        depression: of the falling one.
        potentiation_label: nonlinearity label of the rising curve.
        depression_label: of the falling one; negative for fast-then-slow.
        asymmetry: distance of the two labels.
        dynamic_range: largest over smallest conductance.
        effective_states: of the rising curve, see :func:`effective_states`.
    """

    potentiation: Linearity
    depression: Linearity
    potentiation_label: float
    depression_label: float
    asymmetry: float
    dynamic_range: float
    effective_states: int


def effective_states(curve: ArrayLike, least_step: float) -> int:
    """Count the states of a curve that are at least ``least_step`` of its range apart from the one counted before.

    Args:
        curve: shape ``(points,)``.
        least_step: share of the range, between 0 and 1, e.g. the tolerance of a verify read.

    Raises:
        ArgumentError: a value out of range.
    """
    y = _curve("curve", curve)
    if not 0.0 < least_step <= 1.0:
        raise argument_error("least_step", "lie between 0 and 1 (a share of the range)", least_step)
    unit = (y - y[0]) / (y[-1] - y[0])
    count, last = 1, 0.0
    for value in unit[1:]:
        if value - last >= least_step * (1.0 - 1e-12):
            count, last = count + 1, float(value)
    return count


def programming_figures(potentiation: ArrayLike, depression: ArrayLike, least_step: float) -> ProgrammingFigures:
    """Return the figures of merit of a rising and a falling conductance curve [S], shape ``(points,)`` each.

    Raises:
        ArgumentError: curves that do not rise and fall, a conductance that is not positive, or a value out of range.
    """
    up, down = _curve("potentiation", potentiation), _curve("depression", depression)
    if up[-1] < up[0] or down[-1] > down[0]:
        raise argument_error("depression", "fall, and the potentiation rise, from end to end", "otherwise")
    lowest, highest = min(up.min(), down.min()), max(up.max(), down.max())
    if lowest <= 0.0:
        raise argument_error("potentiation", "be positive conductances in S", f"{lowest:g} S")
    labels = nonlinearity(up).label, nonlinearity(down).label
    return ProgrammingFigures(
        potentiation=linearity(up),
        depression=linearity(down),
        potentiation_label=labels[0],
        depression_label=labels[1],
        asymmetry=abs(labels[0] - labels[1]),
        dynamic_range=float(highest / lowest),
        effective_states=effective_states(up, least_step),
    )
