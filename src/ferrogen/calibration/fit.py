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
from numpy.typing import NDArray
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

        item = named(self.free, name)
        check_level(level)
        error = self.standard_errors[name]
        width = float(stdtrit(self.degrees_of_freedom, 0.5 + level / 2.0)) * (
            error / self.values[name] if item.logarithmic else error
        )
        centre = item.inward(self.values[name])
        if not math.isfinite(width) or (item.logarithmic and centre + width > 700.0):
            return Interval(item.low, item.high, level)
        return Interval(item.outward(centre - width), item.outward(centre + width), level)

    def stated_errors(self) -> dict[str, float]:
        """Return the standard errors as they may be quoted: infinite for a parameter that ended at a bound."""
        return {name: math.inf if name in self.at_bound else error for name, error in self.standard_errors.items()}

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
        f"`{name}` ended at a bound ({values[name]:.4g} {named(free, name).unit}): widen it, or fix the parameter;"
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


def _ends(free: Sequence[Free]) -> tuple[list[float], list[float]]:
    return [item.low for item in free], [item.high for item in free]


def _outward(free: Sequence[Free], coordinates: Array) -> dict[str, float]:
    return {
        item.name: min(max(item.outward(float(at)), item.low), item.high)
        for item, at in zip(free, coordinates, strict=True)
    }


def near(result: FitResult) -> list[Free]:
    """Return the parameters of a fit with its values as starts."""
    return [replace(item, start=result.values[item.name]) for item in result.free]


def named(free: Sequence[Free], name: str) -> Free:
    """Return the parameter of a name.

    Raises:
        ArgumentError: there is none.
    """
    for item in free:
        if item.name == name:
            return item
    raise argument_error("name", f"be one of {', '.join(item.name for item in free)}", repr(name))


def _size(item: Free, values: Values) -> float:
    return max(abs(values[item.name]), 1e-3 * (item.high - item.low))


def check_level(level: float) -> None:
    """Refuse a level of an interval that is no probability.

    Raises:
        ArgumentError: it does not lie between 0 and 1.
    """
    if not 0.0 < level < 1.0:
        raise argument_error("level", "lie between 0 and 1", level)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
