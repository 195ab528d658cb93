"""Least squares with its uncertainty: values, standard errors, correlations, and what the data do not determine.

``scipy.optimize.least_squares`` does the fit. Errors are those of the linearised problem, with the variance of the
residuals: covariance = rmse^2 n / (n - p) (J^T J)^-1 in the parameters that are searched (logarithms of those that
are marked so). Bates and Watts, Nonlinear regression analysis and its applications (1988), chapters 1 and 2.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import least_squares

from ferrogen.core.errors import argument_error

Array = NDArray[np.float64]
Values = Mapping[str, float]
Residuals = Callable[[dict[str, float]], Array]
Loss = Literal["linear", "soft_l1", "huber", "cauchy", "arctan"]

_CORRELATED = 0.95
_SINGULAR = 1e-10  # singular values below this share of the largest carry rounding only
_LOOSE = 1.0  # a direction is poorly determined if its standard deviation exceeds 100 %, or a factor of e
_AT_BOUND = 1e-6  # of the range
_HUGE = 1e100  # stands for a residual that overflowed: least squares then turns back


@dataclass(frozen=True, slots=True)
class Free:
    """A parameter to be fitted.

    Attributes:
        name: the field's word.
        start: where the search begins.
        low: lower bound.
        high: upper bound.
        logarithmic: search in the logarithm (positive parameters that may be off by orders of magnitude).
        unit: of all of these.

    Raises:
        ArgumentError: bounds that are not finite, do not enclose the start, or are not positive if logarithmic.
    """

    name: str
    start: float
    low: float
    high: float
    logarithmic: bool = False
    unit: str = "1"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise argument_error(self.name, "have finite bounds that rise", f"bounded by {self.low} and {self.high}")
        if not self.low <= self.start <= self.high:
            raise argument_error(
                self.name, f"start between its bounds {self.low:g} and {self.high:g} {self.unit}", self.start
            )
        if self.logarithmic and self.low <= 0.0:
            raise argument_error(self.name, "have positive bounds to be searched in the logarithm", self.low)

    def inward(self, value: float) -> float:
        """Return the searched coordinate of a value."""
        return math.log(value) if self.logarithmic else value

    def outward(self, coordinate: float) -> float:
        """Return the value at a searched coordinate."""
        return math.exp(coordinate) if self.logarithmic else float(coordinate)


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval for one parameter: its ends, and the level it is meant to cover."""

    low: float
    high: float
    level: float


@dataclass(frozen=True, slots=True)
class FitResult:
    """What a fit found, and how surely.

    Attributes:
        free: the parameters, in order.
        values: fitted values by name.
        standard_errors: by name, in the parameter's unit; infinite where the data do not determine it.
        correlation: of the searched coordinates, shape (p, p); NaN where undetermined.
        residuals: at the solution, shape (n,).
        rmse: root mean square of the residuals, in their unit.
        degrees_of_freedom: residuals minus parameters.
        evaluations: of the residuals, over all starts.
        converged: the search ended at a minimum.
        at_bound: parameters that ended at a bound.
        warnings: sentences: what did not converge, sits at a bound, is correlated, is poorly determined.
    """

    free: tuple[Free, ...]
    values: dict[str, float]
    standard_errors: dict[str, float]
    correlation: Array
    residuals: Array
    rmse: float
    degrees_of_freedom: int
    evaluations: int
    converged: bool
    at_bound: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def aic(self) -> float:
        """Akaike's criterion with its small-sample term, for normal residuals of unknown variance (lower is better).

        Hurvich and Tsai, Biometrika 76, 297 (1989), doi:10.1093/biomet/76.2.297.
        """
        n, k = self.residuals.size, len(self.free) + 1
        if n <= k + 1 or self.rmse == 0.0:
            return math.nan
        return n * math.log(self.rmse**2) + 2.0 * k + 2.0 * k * (k + 1.0) / (n - k - 1.0)

    def interval(self, name: str, level: float = 0.95) -> Interval:
        """Return the interval from the standard error and Student's t, in the searched coordinate.

        Raises:
            ArgumentError: no such parameter, or a level outside (0, 1).
        """
        from scipy.special import stdtrit

        item = _named(self.free, name)
        _check_level(level)
        error = self.standard_errors[name]
        width = float(stdtrit(self.degrees_of_freedom, 0.5 + level / 2.0)) * (
            error / self.values[name] if item.logarithmic else error
        )
        centre = item.inward(self.values[name])
        if not math.isfinite(width) or (item.logarithmic and centre + width > 700.0):
            return Interval(item.low, item.high, level)
        return Interval(item.outward(centre - width), item.outward(centre + width), level)

    def record(self) -> dict[str, object]:
        """Return everything but the residuals as plain values for JSON; what is not finite becomes None."""
        return {
            "parameters": {
                item.name: {
                    "value": self.values[item.name],
                    "standard_error": _finite(self.standard_errors[item.name]),
                    "unit": item.unit,
                    "bounds": [item.low, item.high],
                    "searched": "logarithm" if item.logarithmic else "value",
                }
                for item in self.free
            },
            "correlation": [[_finite(value) for value in row] for row in self.correlation.tolist()],
            "rmse": self.rmse,
            "aic": _finite(self.aic),
            "residuals": int(self.residuals.size),
            "degrees_of_freedom": self.degrees_of_freedom,
            "evaluations": self.evaluations,
            "converged": self.converged,
            "at_bound": list(self.at_bound),
            "warnings": list(self.warnings),
        }


def fit(
    residuals: Residuals,
    free: Sequence[Free],
    *,
    starts: int = 1,
    generator: np.random.Generator | None = None,
    loss: Loss = "linear",
    loss_scale: float = 1.0,
    most_evaluations: int = 2000,
    tolerance: float = 1e-10,
) -> FitResult:
    """Minimise the sum of squares (or of a robust loss) of residuals within bounds.

    Args:
        residuals: parameter values by name -> residuals, shape (n,), data minus model or the reverse.
        free: the parameters.
        starts: searches; the first from the stated start, the others from uniform points within the bounds (in the
            searched coordinates), from which the least is taken.
        generator: where the further starts come from; needed for more than one.
        loss: ``linear``, or a robust one of ``least_squares``: ``soft_l1``, ``huber``, ``cauchy``, ``arctan``.
        loss_scale: residual, in its unit, beyond which a robust loss takes over.
        most_evaluations: of the residuals in one search, beside those for the Jacobian.
        tolerance: relative change of cost and parameters at which a search ends.

    Returns:
        The best fit. That no search converged is said in ``converged`` and ``warnings``, not raised.

    Raises:
        ArgumentError: no or doubled parameters, fewer residuals than parameters, residuals that are not finite at the
            start, several starts without a generator, or an unknown loss.
    """
    free = tuple(free)
    names = [item.name for item in free]
    if not free or len(set(names)) < len(names):
        raise argument_error("free", "hold at least one parameter, each once", names)
    if loss not in get_args(Loss):
        raise argument_error("loss", f"be one of {', '.join(get_args(Loss))}", repr(loss))
    if starts > 1 and generator is None:
        raise argument_error("generator", "be given for more than one start", "absent")
    low, high = (np.array([item.inward(end) for item, end in zip(free, ends, strict=True)]) for ends in _ends(free))
    first = np.array([item.inward(item.start) for item in free])
    at_start = np.asarray(residuals(_outward(free, first)), dtype=np.float64)
    if at_start.ndim != 1 or at_start.size <= len(free):
        raise argument_error(
            "residuals", f"be more than the {len(free)} parameters", at_start.size,
            "Give more data, or fit fewer parameters.",
        )  # fmt: skip
    if not np.isfinite(at_start).all():
        raise argument_error("residuals", "be finite at the start", "not", "Choose another start.")
    best, evaluations = None, 0

    def guarded(coordinates: Array) -> Array:
        found = residuals(_outward(free, coordinates))
        return np.where(np.isfinite(found), found, _HUGE)

    for k in range(max(starts, 1)):
        begin = first if k == 0 or generator is None else generator.uniform(low, high)
        inside = np.clip(begin, low + 1e-9 * (high - low), high - 1e-9 * (high - low))
        found = least_squares(
            guarded, inside, bounds=(low, high), loss=loss, f_scale=loss_scale, x_scale="jac",
            max_nfev=most_evaluations, ftol=tolerance, xtol=tolerance, gtol=tolerance,
        )  # fmt: skip
        evaluations += int(found.nfev) + len(free) * int(found.njev or 0)
        if best is None or found.cost < best.cost:
            best = found
    if best is None:  # not reached: there is always a first search
        raise argument_error("starts", "be at least 1", starts)
    plain = np.asarray(residuals(_outward(free, best.x)), dtype=np.float64)
    return _result(free, best.x, plain, np.asarray(best.jac), low, high, evaluations, best.status > 0)


def _result(
    free: tuple[Free, ...],
    at: Array,
    residuals: Array,
    jacobian: Array,
    low: Array,
    high: Array,
    evaluations: int,
    converged: bool,  # noqa: FBT001
) -> FitResult:
    values = _outward(free, at)
    freedom = residuals.size - len(free)
    variance = float(residuals @ residuals) / freedom
    covariance, loose = _covariance(jacobian, variance, free, values)
    deviation = np.sqrt(np.diag(covariance))
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = covariance / np.outer(deviation, deviation)
    correlation = np.where(np.isfinite(correlation), np.clip(correlation, -1.0, 1.0), np.nan)
    np.fill_diagonal(correlation, np.where(np.isfinite(deviation), 1.0, np.nan))
    errors = {
        item.name: float(deviation[k] * (values[item.name] if item.logarithmic else 1.0)) for k, item in enumerate(free)
    }
    reach = _AT_BOUND * (high - low)
    touching = [bool(at[k] - low[k] < reach[k] or high[k] - at[k] < reach[k]) for k in range(len(free))]
    at_bound = tuple(item.name for item, touches in zip(free, touching, strict=True) if touches)
    warnings = [] if converged else ["The search did not converge: raise the number of evaluations or of starts."]
    warnings += [
        f"`{name}` ended at a bound ({values[name]:.4g} {_named(free, name).unit}): widen it, or fix the parameter;"
        " its standard error means nothing."
        for name in at_bound
    ]
    for k, one in enumerate(free):
        for j in range(k):
            if abs(correlation[k, j]) > _CORRELATED:
                warnings.append(
                    f"`{free[j].name}` and `{one.name}` are correlated (r = {correlation[k, j]:+.3f}): the data"
                    " determine a combination of them better than either; quote them together."
                )
    warnings += loose
    rmse = math.sqrt(float(residuals @ residuals) / residuals.size)
    return FitResult(
        free, values, errors, correlation, residuals, rmse, freedom, evaluations, converged, at_bound, tuple(warnings)
    )  # fmt: skip


def _covariance(jacobian: Array, variance: float, free: Sequence[Free], values: Values) -> tuple[Array, list[str]]:
    """Return the covariance of the searched coordinates, infinite where undetermined, and a sentence a loose direction.

    Directions are judged with each parameter in units of its value (one unit of its logarithm), in which a standard
    deviation of 1 means 100 %.
    """
    unit = np.array([1.0 if item.logarithmic else _size(item, values) for item in free])
    _, singular, rows = np.linalg.svd(jacobian * unit, full_matrices=False)
    known = singular > _SINGULAR * max(float(singular[0]), 1e-300)
    inverse = np.where(known, 1.0 / np.where(known, singular, 1.0), 0.0)
    scaled = (rows.T * (inverse * inverse)) @ rows * variance
    unknown = (np.abs(rows[~known]) > 1e-6).any(axis=0) if not known.all() else np.zeros(len(free), dtype=bool)
    scaled[unknown, unknown] = np.inf
    sentences = []
    for k, row in enumerate(rows):
        width = math.sqrt(variance) * float(inverse[k]) if known[k] else math.inf
        if width > _LOOSE:
            parts = [
                f"{'+' if row[j] > 0 else '-'}{abs(row[j]):.2f} {'ln ' if free[j].logarithmic else ''}{free[j].name}"
                for j in np.argsort(-np.abs(row))
                if abs(row[j]) > 0.15
            ]
            size = "not at all" if not math.isfinite(width) else f"only to {100.0 * width:.3g} %"
            sentences.append(f"The data determine the direction {' '.join(parts)} {size}.")
    return scaled * np.outer(unit, unit), sentences


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

    item = _named(result.free, name)
    _check_level(level)
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
    _named(result.free, name)
    _check_level(level)
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


def cross_validate(residuals: Residuals, free: Sequence[Free], groups: ArrayLike, **options: object) -> CrossValidation:
    """Fit with one group left out, predict it, and go round all groups.

    Args:
        residuals: of all data, as for :func:`fit`; they must be independent of which others are looked at.
        free: the parameters.
        groups: label of each residual, shape (n,), e.g. the amplitude of its pulse.
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
        found = fit(_selected(residuals, inside), free, **options)  # type: ignore[arg-type]
        values.append(found.values)
        everything = residuals(found.values)
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


def _from(item: Free, value: float) -> Free:
    return replace(item, start=min(max(value, item.low), item.high))


def _labels(groups: ArrayLike, size: int) -> NDArray[np.intp]:
    _, labels = np.unique(np.asarray(groups), return_inverse=True)
    if labels.shape != (size,):
        raise argument_error("groups", f"be one label a residual, shape ({size},)", f"of shape {labels.shape}")
    if not size or labels.max() < 1:
        raise argument_error("groups", "hold at least two different labels", "only one")
    return labels.astype(np.intp)


def _ends(free: Sequence[Free]) -> tuple[list[float], list[float]]:
    return [item.low for item in free], [item.high for item in free]


def _outward(free: Sequence[Free], coordinates: Array) -> dict[str, float]:
    return {
        item.name: min(max(item.outward(float(at)), item.low), item.high)
        for item, at in zip(free, coordinates, strict=True)
    }


def _named(free: Sequence[Free], name: str) -> Free:
    for item in free:
        if item.name == name:
            return item
    raise argument_error("name", f"be one of {', '.join(item.name for item in free)}", repr(name))


def _size(item: Free, values: Values) -> float:
    return max(abs(values[item.name]), 1e-3 * (item.high - item.low))


def _check_level(level: float) -> None:
    if not 0.0 < level < 1.0:
        raise argument_error("level", "lie between 0 and 1", level)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
