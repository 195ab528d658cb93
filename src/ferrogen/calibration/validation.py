"""Intervals by refitting, and errors on data that a fit did not see."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.calibration.fit import Array, FitResult, Free, Interval, Residuals, check_level, fit, named
from ferrogen.core.errors import argument_error


def profile(
    residuals: Residuals, result: FitResult, name: str, *, level: float = 0.95, tolerance: float = 1e-3
) -> Interval:
    """Return the profile-likelihood interval of one parameter: all others are fitted anew at each of its values.

    The ends are where the sum of squares has grown by F(1, n - p) times the residual variance (Bates and Watts 1988,
    section 6.1), or the bounds of the parameter if it does not grow so far within them.

    Args:
        residuals: as for :func:`fit`.
        result: of that fit.
        name: the parameter.
        level: of the interval.
        tolerance: of the ends, as a share of the standard error.

    Raises:
        ArgumentError: no such parameter, or a level outside (0, 1).
    """
    from scipy.special import stdtrit

    item = named(result.free, name)
    check_level(level)
    least = float(result.residuals @ result.residuals)
    allowed = float(stdtrit(result.degrees_of_freedom, 0.5 + level / 2.0)) ** 2 * least / result.degrees_of_freedom
    others = tuple(_from(other, result.values[other.name]) for other in result.free if other.name != name)

    def excess(coordinate: float) -> float:
        fixed = {name: item.outward(coordinate)}
        if not others:
            found = residuals(fixed)
            return float(found @ found) - least - allowed
        inner = fit(lambda values: residuals({**values, **fixed}), others, tolerance=1e-8)
        return float(inner.residuals @ inner.residuals) - least - allowed

    centre = item.inward(result.values[name])
    error = result.standard_errors[name] / (result.values[name] if item.logarithmic else 1.0)
    span = item.inward(item.high) - item.inward(item.low)
    step = error if math.isfinite(error) and error > 0.0 else 0.01 * span
    ends = [
        item.outward(_crossing(excess, centre, sign * min(step, span), bound, tolerance))
        for sign, bound in ((-1.0, item.inward(item.low)), (1.0, item.inward(item.high)))
    ]
    return Interval(ends[0], ends[1], level)


def _crossing(excess: Callable[[float], float], centre: float, step: float, bound: float, tolerance: float) -> float:
    """Return where ``excess`` first turns positive on the way from the centre to a bound, or the bound."""
    inside, outside = centre, centre
    scale = abs(step)
    while True:
        outside = outside + step
        if (bound - outside) * math.copysign(1.0, step) <= 0.0:
            if excess(bound) <= 0.0:
                return bound
            outside = bound
            break
        if excess(outside) > 0.0:
            break
        inside, step = outside, 1.6 * step
    while abs(outside - inside) > tolerance * scale:
        middle = 0.5 * (inside + outside)
        inside, outside = (middle, outside) if excess(middle) <= 0.0 else (inside, middle)
    return 0.5 * (inside + outside)


def bootstrap(
    residuals: Residuals,
    result: FitResult,
    name: str,
    generator: np.random.Generator,
    *,
    groups: ArrayLike | None = None,
    count: int = 200,
    level: float = 0.95,
) -> Interval:
    """Return the percentile interval of one parameter over fits to resampled data.

    Args:
        residuals: as for :func:`fit`.
        result: of that fit.
        name: the parameter.
        generator: what to resample with.
        groups: label of each residual, shape (n,); whole groups are drawn, which is right for residuals that are
            correlated within a curve. Single residuals without.
        count: fits.
        level: of the interval.

    Raises:
        ArgumentError: no such parameter, a level outside (0, 1), or fewer than two groups.
    """
    named(result.free, name)
    check_level(level)
    labels = _labels(groups if groups is not None else np.arange(result.residuals.size), result.residuals.size)
    number = int(labels.max()) + 1
    begin = tuple(_from(item, result.values[item.name]) for item in result.free)
    found = []
    for _ in range(count):
        weight = np.sqrt(generator.multinomial(number, np.full(number, 1.0 / number)).astype(np.float64))[labels]
        found.append(fit(_weighted(residuals, weight), begin, tolerance=1e-8).values[name])
    low, high = np.quantile(found, [0.5 - level / 2.0, 0.5 + level / 2.0])
    return Interval(float(low), float(high), level)


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """Errors on groups that a fit did not see.

    Attributes:
        groups: the label of each fold.
        rmse: on the fold that was left out, one a fold.
        pooled: root mean square over all residuals, each from the fit that did not see it.
        training: pooled root mean square on what the fits did see.
        values: fitted values of each fold.
    """

    groups: tuple[str, ...]
    rmse: tuple[float, ...]
    pooled: float
    training: float
    values: tuple[dict[str, float], ...]

    def jackknife(self, name: str) -> float:
        """Return the delete-a-group standard error of a parameter, in its unit.

        Unlike the residuals' it counts errors that a whole group shares, which is what a model that is not quite
        right leaves: sqrt[(g - 1) / g sum (value - mean)^2] (Efron 1982, doi:10.1137/1.9781611970319, chapter 3).
        """
        found = np.array([values[name] for values in self.values])
        return float(math.sqrt((found.size - 1.0) * found.var()))

    def record(self) -> dict[str, object]:
        """Return the errors as plain values for JSON."""
        return {
            "groups": list(self.groups),
            "rmse": list(self.rmse),
            "pooled_rmse": self.pooled,
            "training_rmse": self.training,
        }


def cross_validate(
    residuals: Residuals,
    free: Sequence[Free],
    groups: ArrayLike,
    *,
    records: ArrayLike | None = None,
    **options: object,
) -> CrossValidation:
    """Fit with one group left out, predict it, and go round all groups.

    Args:
        residuals: of all data, as for :func:`fit`; they must be independent of which others are looked at.
        free: the parameters.
        groups: label of each residual, shape (n,), e.g. the amplitude of its pulse.
        records: label of each residual, shape (n,), if each record counts from a constant of its own that is no
            parameter: it is the mean over what a fit sees, also for what it does not see.
        options: further arguments of :func:`fit`.

    Raises:
        ArgumentError: fewer than two groups, or labels of the wrong length.
    """
    size = np.asarray(residuals({item.name: item.start for item in free})).size
    labels = _labels(groups, size)
    shown = np.unique(np.asarray(groups))
    held, seen, errors, values = [], [], [], []
    for k in range(int(labels.max()) + 1):
        inside = labels != k
        own = residuals if records is None else _centred(residuals, inside, np.asarray(records))
        found = fit(_selected(own, inside), free, **options)  # type: ignore[arg-type]
        values.append(found.values)
        everything = own(found.values)
        held.append(everything[~inside])
        seen.append(everything[inside])
        errors.append(math.sqrt(float(np.mean(held[-1] ** 2))))
    return CrossValidation(
        tuple(str(label) for label in shown),
        tuple(errors),
        math.sqrt(float(np.mean(np.concatenate(held) ** 2))),
        math.sqrt(float(np.mean(np.concatenate(seen) ** 2))),
        tuple(values),
    )


def _weighted(residuals: Residuals, weight: Array) -> Residuals:
    return lambda values: weight * residuals(values)


def _selected(residuals: Residuals, inside: NDArray[np.bool_]) -> Residuals:
    return lambda values: residuals(values)[inside]


def _centred(residuals: Residuals, inside: NDArray[np.bool_], records: NDArray[np.generic]) -> Residuals:
    """Take off each record's mean over what is inside; a record that lies outside as a whole has its own."""
    parts = [(records == label, (records == label) & inside) for label in np.unique(records)]

    def centred(values: dict[str, float]) -> Array:
        found = np.array(residuals(values), dtype=np.float64)
        for whole, seen in parts:
            found[whole] -= found[seen if seen.any() else whole].mean()
        return found

    return centred


def _from(item: Free, value: float) -> Free:
    return replace(item, start=min(max(value, item.low), item.high))


def _labels(groups: ArrayLike, size: int) -> NDArray[np.intp]:
    _, labels = np.unique(np.asarray(groups), return_inverse=True)
    if labels.shape != (size,):
        raise argument_error("groups", f"be one label a residual, shape ({size},)", f"of shape {labels.shape}")
    if not size or labels.max() < 1:
        raise argument_error("groups", "hold at least two different labels", "only one")
    return labels.astype(np.intp)
