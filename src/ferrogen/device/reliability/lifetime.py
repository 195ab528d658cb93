"""Lifetimes from failure times, some of them censored: maximum likelihood, quantiles with intervals.

Weibull and log-normal are location-scale families in y = ln t: y = location + scale z with z of the smallest extreme
value distribution or the normal one. A failure adds ln f(z) - ln scale to the log-likelihood, a junction taken off the
test (or still alive at its end) adds ln S(z). Quantile: y_F = location + scale z_F. Meeker and Escobar, Statistical
Methods for Reliability Data (1998), chapters 8 and 9.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special, stats

from ferrogen.core.errors import argument_error
from ferrogen.device.reliability.arrhenius import counts, from_logarithm

Family = Literal["weibull", "lognormal"]
Method = Literal["fisher", "profile"]

_LEAST_FAILURES = 3  # two fix location and scale without telling how well
_HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)
_STEP = 1e-4  # of the finite differences, relative to the scale


@dataclass(frozen=True, slots=True)
class Failures:
    """Failure times of a test.

    Attributes:
        time: of failure, or of the end of observation [s], or of cycles [1]; shape ``(junctions,)``.
        failed: whether it is a failure; otherwise the junction was alive then (right-censored).
    """

    time: NDArray[np.float64]
    failed: NDArray[np.bool_]


def failures(time: ArrayLike, failed: ArrayLike | None = None) -> Failures:
    """Return checked failure times; all of them are failures if ``failed`` is absent.

    Raises:
        ArgumentError: shapes that differ, a time that is not positive, fewer than three failures or all alike.
    """
    times = counts("time", time, "s", positive=True)
    dead = np.ones(times.shape, dtype=np.bool_) if failed is None else np.asarray(failed, dtype=np.bool_)
    if times.ndim != 1 or dead.shape != times.shape:
        raise argument_error("failed", f"have the shape of the times, {times.shape}, with one axis", dead.shape)
    if dead.sum() < _LEAST_FAILURES or np.ptp(np.log(times[dead])) == 0.0:
        raise argument_error("failed", "mark at least three failures at different times", int(dead.sum()))
    return Failures(times, dead)


@dataclass(frozen=True, slots=True)
class LifetimeFit:
    """A location-scale distribution of ln t, fitted.

    Attributes:
        family: ``weibull`` or ``lognormal``.
        location: of ln t, t in s: ln eta, or the mean of ln t.
        scale: 1 / shape of the Weibull, or the standard deviation of ln t.
        covariance: of (location, ln scale), inverse of the observed information, shape ``(2, 2)``.
        log_likelihood: at the maximum.
        data: what was fitted.
    """

    family: Family
    location: float
    scale: float
    covariance: NDArray[np.float64]
    log_likelihood: float
    data: Failures


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with an interval, all in s (or cycles).

    Attributes:
        estimate: most likely value.
        low: lower end.
        high: upper end.
        level: confidence.
    """

    estimate: float
    low: float
    high: float
    level: float


def log_density(family: Family, z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ln f(z) of the standardised ln t."""
    if family == "weibull":
        return np.asarray(z - np.exp(np.minimum(z, 700.0)))
    return -0.5 * z * z - _HALF_LOG_TWO_PI


def log_survival(family: Family, z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ln S(z) of the standardised ln t."""
    if family == "weibull":
        return np.asarray(-np.exp(np.minimum(z, 700.0)))
    return special.log_ndtr(-z)


def standard_quantile(family: Family, share: float) -> float:
    """Return z below which a ``share`` (between 0 and 1) of the standardised ln t lies.

    Raises:
        ArgumentError: a share out of range or an unknown family.
    """
    if not 0.0 < share < 1.0:
        raise argument_error("failed", "lie between 0 and 1", share)
    if family not in ("weibull", "lognormal"):
        raise argument_error("family", "be 'weibull' or 'lognormal'", repr(family))
    return math.log(-math.log1p(-share)) if family == "weibull" else float(stats.norm.ppf(share))


def log_likelihood(family: Family, data: Failures, location: ArrayLike, log_scale: float) -> float:
    """Return the log-likelihood of ln t (without the constant -sum ln t).

    Args:
        family: of the distribution.
        data: failure and censoring times.
        location: one, or one a junction, shape ``(junctions,)``.
        log_scale: natural logarithm of the scale.
    """
    z = (np.log(data.time) - np.asarray(location, dtype=np.float64)) * math.exp(-min(max(log_scale, -50.0), 50.0))
    terms = np.where(data.failed, log_density(family, z) - log_scale, log_survival(family, z))
    return float(terms.sum())


def maximize(
    value: Callable[[NDArray[np.float64]], float], start: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Return where a smooth function of a few numbers is largest, and its value there.

    Raises:
        ArgumentError: no maximum was found.
    """

    def loss(x: NDArray[np.float64]) -> float:
        return -value(x)

    result = optimize.minimize(
        loss, start.tolist(), method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-9, "maxiter": 4000}
    )
    if not result.success or not math.isfinite(result.fun):
        raise argument_error("time", "have a likelihood with a maximum", "otherwise", "Give more failures.")
    return np.asarray(result.x, dtype=np.float64), -float(result.fun)


def covariance_at(
    value: Callable[[NDArray[np.float64]], float], best: NDArray[np.float64], steps: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the inverse of the observed information, by central second differences of a log-likelihood.

    Raises:
        ArgumentError: the information is singular: the data do not tell all of the parameters.
    """
    count = best.size
    information = np.empty((count, count))
    unit = np.diag(steps)
    for i in range(count):
        for j in range(i + 1):
            second = (
                value(best + unit[i] + unit[j])
                - value(best + unit[i] - unit[j])
                - value(best - unit[i] + unit[j])
                + value(best - unit[i] - unit[j])
            ) / (4.0 * steps[i] * steps[j])
            information[i, j] = information[j, i] = -second
    if not np.all(np.isfinite(information)) or np.linalg.eigvalsh(information)[0] <= 0.0:
        raise argument_error("time", "tell all parameters apart", "degenerate", "Vary the conditions, or fit fewer.")
    return np.asarray(np.linalg.inv(information))


def fit_lifetime(data: Failures, family: Family = "weibull") -> LifetimeFit:
    """Fit a distribution of lifetimes by maximum likelihood.

    Raises:
        ArgumentError: an unknown family, or data that have no maximum of the likelihood.
    """
    standard_quantile(family, 0.5)
    logs = np.log(data.time)
    spread = float(np.std(logs[data.failed]))
    start = np.array([float(logs.mean()), math.log(spread)])

    def value(x: NDArray[np.float64]) -> float:
        return log_likelihood(family, data, x[0], float(x[1]))

    best, top = maximize(value, start)
    scale = math.exp(float(best[1]))
    covariance = covariance_at(value, best, np.array([_STEP * 10 * scale, _STEP * 10]))
    return LifetimeFit(family, float(best[0]), scale, covariance, top, data)


def life_interval(fit: LifetimeFit, failed: float, level: float = 0.95, method: Method = "profile") -> Interval:
    """Return by when [s] a share ``failed`` has failed, with an interval for it.

    Args:
        fit: of :func:`fit_lifetime`.
        failed: share, between 0 and 1; extrapolates the fitted family where it is below one over the junctions tested.
        level: confidence of the interval.
        method: ``profile`` (likelihood ratio; right in small samples and asymmetric, as it should be) or ``fisher``
            (normal in ln t with the observed information).

    Raises:
        ArgumentError: a value out of range.
    """
    if not 0.0 < level < 1.0:
        raise argument_error("level", "lie between 0 and 1", level)
    z = standard_quantile(fit.family, failed)
    middle, deviation = _quantile(fit, z)
    if method == "fisher":
        reach = float(stats.norm.isf((1.0 - level) / 2.0)) * deviation
        ends = (middle - reach, middle + reach)
    elif method == "profile":
        ends = (
            _profile_end(fit, z, middle, deviation, level, -1.0),
            _profile_end(fit, z, middle, deviation, level, 1.0),
        )
    else:
        raise argument_error("method", "be 'profile' or 'fisher'", repr(method))
    times = [from_logarithm(y, "failed", failed, "s") for y in (middle, *ends)]
    return Interval(times[0], times[1], times[2], level)


def _profile_end(fit: LifetimeFit, z: float, middle: float, deviation: float, level: float, side: float) -> float:
    """Return where the profile likelihood of the quantile has fallen by half of the chi-square quantile."""
    drop = 0.5 * float(stats.chi2.isf(1.0 - level, 1))
    around = math.log(fit.scale)

    def deficit(distance: float) -> float:
        quantile = middle + side * distance
        inner = optimize.minimize_scalar(
            lambda s: -log_likelihood(fit.family, fit.data, quantile - math.exp(s) * z, s),
            bounds=(around - 6.0, around + 6.0),
            method="bounded",
            options={"xatol": 1e-6},
        )
        return fit.log_likelihood + float(inner.fun) - drop

    far = 2.0 * deviation
    while deficit(far) < 0.0:
        far *= 1.6
        if far > 500.0:
            raise argument_error(
                "failed", "have a bounded interval", "otherwise", "Give more failures, or ask for a larger share."
            )
    return middle + side * float(optimize.brentq(deficit, 0.0, far, xtol=1e-7))


def bootstrap_life(
    fit: LifetimeFit, failed: float, generator: np.random.Generator, resamples: int = 400, level: float = 0.95
) -> Interval:
    """Return the same interval by a parametric bootstrap: tests drawn from the fit, studentised in ln t.

    Each drawn test tells by how many of its own standard errors its quantile misses that of the fit. That ratio hardly
    depends on the parameters, as the plain miss does: small tests find too small a scale. Censored junctions keep their
    censoring time; one that is drawn to fail later is censored there. Failures are taken to be under observation until
    the last time of the test.

    Raises:
        ArgumentError: a value out of range, or most resamples with too few failures.
    """
    if not 0.0 < level < 1.0:
        raise argument_error("level", "lie between 0 and 1", level)
    if resamples < 40:
        raise argument_error("resamples", "be at least 40", resamples)
    z = standard_quantile(fit.family, failed)
    middle, own = _quantile(fit, z)
    data = fit.data
    until = np.where(data.failed, np.inf if data.failed.all() else float(data.time.max()), data.time)
    drawn: list[float] = []
    for _ in range(resamples):
        if fit.family == "weibull":
            noise = np.log(generator.standard_exponential(data.time.size))
        else:
            noise = generator.standard_normal(data.time.size)
        logs = np.clip(fit.location + fit.scale * noise, -230.0, 230.0)
        time = np.exp(logs)
        dead = time <= until
        if dead.sum() >= _LEAST_FAILURES:
            found, error = _quantile(fit_lifetime(Failures(np.minimum(time, until), dead), fit.family), z)
            drawn.append((found - middle) / error)
    if len(drawn) < resamples // 2:
        raise argument_error("fit", "have failures enough to draw such tests again", f"{len(drawn)} of {resamples}")
    tail = (1.0 - level) / 2.0
    high, low = np.quantile(drawn, [tail, 1.0 - tail])
    times = [
        from_logarithm(y, "failed", failed, "s")
        for y in (middle, middle - own * float(low), middle - own * float(high))
    ]
    return Interval(times[0], times[1], times[2], level)


def _quantile(fit: LifetimeFit, z: float) -> tuple[float, float]:
    """Return a quantile of ln t and its standard error."""
    gradient = np.array([1.0, fit.scale * z])
    return fit.location + fit.scale * z, math.sqrt(float(gradient @ fit.covariance @ gradient))
