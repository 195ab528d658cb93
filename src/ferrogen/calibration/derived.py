"""Intervals for what follows from fitted parameters: values carried to other times, ratios, criteria reached.

Parameters are drawn from the multivariate t distribution of the fit (its estimate, covariance and degrees of freedom,
in the searched coordinates), the quantity is computed for each draw, and quantiles are taken. Unlike the delta method
this keeps a share between 0 and 1 and a time positive. Where the data do not determine a parameter, it is drawn between
its bounds, so that the interval says so.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ferrogen.calibration.fit import FitResult, Interval
from ferrogen.core.errors import argument_error

Array = NDArray[np.float64]
Draws = dict[str, Array]


def draw_parameters(result: FitResult, generator: np.random.Generator, count: int = 4000) -> Draws:
    """Return ``count`` draws of each parameter, within its bounds, shape ``(count,)`` each."""
    free = result.free
    centre = np.array([item.inward(result.values[item.name]) for item in free])
    low = np.array([item.inward(item.low) for item in free])
    high = np.array([item.inward(item.high) for item in free])
    deviation = np.array(
        [result.standard_errors[item.name] / (result.values[item.name] if item.logarithmic else 1.0) for item in free]
    )
    known = np.isfinite(deviation)
    correlation = np.where(np.isfinite(result.correlation), result.correlation, 0.0)
    np.fill_diagonal(correlation, 1.0)
    values, vectors = np.linalg.eigh(correlation[np.ix_(known, known)])
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    freedom = result.degrees_of_freedom
    stretch = np.sqrt(freedom / generator.chisquare(freedom, count))
    normal = generator.standard_normal((count, int(known.sum())))
    coordinates = generator.uniform(low, high, (count, len(free)))
    coordinates[:, known] = centre[known] + stretch[:, None] * (normal @ root.T) * deviation[known]
    coordinates = np.clip(coordinates, low, high)
    return {
        item.name: np.exp(coordinates[:, k]) if item.logarithmic else coordinates[:, k] for k, item in enumerate(free)
    }


def derived_interval(
    result: FitResult,
    quantity: Callable[[Draws], Array],
    generator: np.random.Generator,
    *,
    level: float = 0.95,
    count: int = 4000,
) -> Interval:
    """Return the interval of a quantity that follows from the parameters of a fit.

    Args:
        result: of the fit.
        quantity: draws of all parameters, shape ``(count,)`` each -> the quantity for each; what is not finite is left
            out.
        generator: what to draw with.
        level: of the interval.
        count: draws.

    Raises:
        ArgumentError: a level outside (0, 1), or a quantity that is finite for less than half of the draws.
    """
    if not 0.0 < level < 1.0:
        raise argument_error("level", "lie between 0 and 1", level)
    with np.errstate(all="ignore"):
        found = np.asarray(quantity(draw_parameters(result, generator, count)), dtype=np.float64)
    found = found[np.isfinite(found)]
    if found.size < count // 2:
        raise argument_error("quantity", "be finite for most draws of the parameters", f"finite for {found.size}")
    low, high = np.quantile(found, [0.5 - level / 2.0, 0.5 + level / 2.0])
    return Interval(float(low), float(high), level)
