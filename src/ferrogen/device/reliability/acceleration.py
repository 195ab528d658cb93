"""Lifetimes from accelerated tests: one distribution whose location falls with the voltage, fitted to all of them.

ln t = location_0 + sum_k slope_k x_k + scale z, with x the voltage [V] (exponential law) or its logarithm (power law)
and, if asked for, 1 / (k T) (activation energy): maximum likelihood with censoring, extrapolation to use conditions
with the delta method. Meeker and Escobar, Statistical Methods for Reliability Data (1998), chapters 17 and 19.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ferrogen.core.constants import BOLTZMANN_EV
from ferrogen.core.errors import argument_error, check_number
from ferrogen.device.noise.traps import REFERENCE_TEMPERATURE
from ferrogen.device.reliability.arrhenius import check_temperature, from_logarithm
from ferrogen.device.reliability.lifetime import (
    Failures,
    Family,
    Interval,
    covariance_at,
    log_likelihood,
    maximize,
    standard_quantile,
)


@dataclass(frozen=True, slots=True)
class AcceleratedFit:
    """Lifetimes over voltage (and temperature), fitted.

    Attributes:
        family: ``weibull`` or ``lognormal``.
        power_law: the life goes as a power of the voltage, else exponentially.
        coefficients: (location at the mean conditions, slope in V or ln V, [activation energy in eV], ln scale).
        covariance: of those, inverse of the observed information.
        centre: mean of the voltage's regressor, and of 1 / (k T) less that at 300 K if temperature is fitted.
        stress_range: least and largest voltage of the test [V].
        log_likelihood: at the maximum.
    """

    family: Family
    power_law: bool
    coefficients: NDArray[np.float64]
    covariance: NDArray[np.float64]
    centre: tuple[float, ...]
    stress_range: tuple[float, float]
    log_likelihood: float

    @property
    def acceleration(self) -> float:
        """Fall of ln t per volt [1/V], or exponent of the power law [1]."""
        return -float(self.coefficients[1])

    @property
    def acceleration_error(self) -> float:
        """Standard error of :attr:`acceleration`."""
        return math.sqrt(float(self.covariance[1, 1]))

    @property
    def activation_energy(self) -> float | None:
        """Fitted activation energy [eV]; None if temperature was not fitted."""
        return float(self.coefficients[2]) if len(self.centre) == 2 else None

    @property
    def scale(self) -> float:
        """1 / shape of the Weibull, or standard deviation of ln t."""
        return math.exp(float(self.coefficients[-1]))


def _regressors(
    voltage: NDArray[np.float64], temperature: NDArray[np.float64] | None, *, power_law: bool
) -> list[NDArray[np.float64]]:
    columns = [np.log(voltage) if power_law else voltage]
    if temperature is not None:
        columns.append((1.0 / temperature - 1.0 / REFERENCE_TEMPERATURE) / BOLTZMANN_EV)
    return columns


def fit_accelerated(
    data: Failures,
    voltage: ArrayLike,
    temperature: ArrayLike | None = None,
    family: Family = "weibull",
    *,
    power_law: bool = False,
) -> AcceleratedFit:
    """Fit lifetimes of one test at several voltages (and temperatures).

    Args:
        data: failure and censoring times.
        voltage: of each junction's stress [V], positive, shape ``(junctions,)``.
        temperature: of each junction [K]; absent if all had the same.
        family: of the distribution.
        power_law: life as a power of the voltage in place of the exponential.

    Raises:
        ArgumentError: a wrong shape or value, or conditions that do not vary.
    """
    standard_quantile(family, 0.5)
    stress = np.asarray(voltage, dtype=np.float64)
    heat = None if temperature is None else np.asarray(temperature, dtype=np.float64)
    for name, values in (("voltage", stress), ("temperature", heat)):
        if values is None:
            continue
        if values.shape != data.time.shape or not np.all(np.isfinite(values)) or np.any(values <= 0.0):
            raise argument_error(
                name, f"be positive and finite, of shape {data.time.shape}", f"of shape {values.shape}"
            )
        if np.ptp(values) == 0.0:
            raise argument_error(name, "differ between junctions", f"{values[0]:g} for all of them")
    columns = _regressors(stress, heat, power_law=power_law)
    centre = tuple(float(column.mean()) for column in columns)
    design = np.stack([np.ones(stress.size), *(column - c for column, c in zip(columns, centre, strict=True))], axis=1)
    logs = np.log(data.time)
    guess, *_ = np.linalg.lstsq(design, logs, rcond=None)
    residual = max(float(np.std(logs - design @ guess)), 1e-3)
    # Scaled so that a step of one in every coordinate matters alike: the simplex is else badly shaped.
    unit = np.array([residual, *(residual / np.maximum(np.std(design[:, 1:], axis=0), 1e-12)), 1.0])

    def value(x: NDArray[np.float64]) -> float:
        scaled = x * unit
        return log_likelihood(family, data, design @ scaled[:-1], float(scaled[-1]))

    best, _ = maximize(value, np.array([*guess, math.log(residual)]) / unit)
    best, top = maximize(value, best)  # a second simplex from there: the first may have stalled
    inner = covariance_at(value, best, np.full(best.size, 1e-3))
    return AcceleratedFit(
        family=family,
        power_law=power_law,
        coefficients=best * unit,
        covariance=inner * np.outer(unit, unit),
        centre=centre,
        stress_range=(float(stress.min()), float(stress.max())),
        log_likelihood=top,
    )


@dataclass(frozen=True, slots=True)
class ExtrapolatedLife:
    """A life at conditions of use.

    Attributes:
        life: with its interval [s].
        extrapolation: one sentence if the voltage lies outside of the tested ones, else "".
    """

    life: Interval
    extrapolation: str


def life_in_use(
    fit: AcceleratedFit, voltage: float, failed: float, temperature: float | None = None, level: float = 0.95
) -> ExtrapolatedLife:
    """Return by when [s] a share ``failed`` has failed at a voltage [V] and temperature [K] of use.

    The interval is that of the fitted law (delta method): that the law itself goes on beyond the tested voltages is an
    assumption, which :attr:`ExtrapolatedLife.extrapolation` points out.

    Raises:
        ArgumentError: a value out of range; a temperature given to a fit without one, or the other way round.
    """
    check_number("voltage", voltage, "V")
    if not 0.0 < level < 1.0:
        raise argument_error("level", "lie between 0 and 1", level)
    if (temperature is None) != (len(fit.centre) == 1):
        raise argument_error("temperature", "be given if, and only if, the fit had temperatures", temperature)
    if temperature is not None:
        check_temperature(temperature)
    heat = None if temperature is None else np.array([temperature])
    columns = _regressors(np.array([voltage]), heat, power_law=fit.power_law)
    z = standard_quantile(fit.family, failed)
    x = np.array([1.0, *(float(column[0]) - c for column, c in zip(columns, fit.centre, strict=True)), 0.0])
    middle = float(x @ fit.coefficients) + fit.scale * z
    x[-1] = fit.scale * z
    reach = float(stats.norm.isf((1.0 - level) / 2.0)) * math.sqrt(float(x @ fit.covariance @ x))
    times = [from_logarithm(y, "voltage", voltage, "s") for y in (middle, middle - reach, middle + reach)]
    low, high = fit.stress_range
    outside = (
        ""
        if low <= voltage <= high
        else f"Voltage {voltage:g} V lies outside of the tested {low:g} V to {high:g} V: the law is extrapolated."
    )
    return ExtrapolatedLife(Interval(times[0], times[1], times[2], level), outside)
