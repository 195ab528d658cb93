"""Flicker noise of cells with very many traps: a few Ornstein-Uhlenbeck processes, one for each bin of time constants.

Sums of many telegraph signals become Gaussian (how soon: :mod:`ferrogen.device.noise.gaussian_limit`); one Gaussian
process per bin then replaces them all. Process and integral over a window are updated together, exactly for any step
(Gillespie, Phys. Rev. E 54, 2084 (1996), doi:10.1103/PhysRevE.54.2084).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.errors import argument_error, check_number, is_whole

Array = NDArray[np.float64]


def joint_covariance(u: ArrayLike) -> tuple[Array, Array, Array]:
    """Return the covariances of what chance adds to an Ornstein-Uhlenbeck process of variance 1 in u = rate x time.

    With x1 = e^-u x0 + eta and the mean over the step y = x0 (1 - e^-u) / u + xi:

        Var eta = 1 - e^-2u,   Var xi = (2 u - 3 + 4 e^-u - e^-2u) / u^2,   Cov = (1 - e^-u)^2 / u.

    Args:
        u: positive.

    Returns:
        Var eta, Var xi, Cov.
    """
    step = np.asarray(u, dtype=np.float64)
    moved = -np.expm1(-step)
    small = step < 0.02  # there the closed form has 1e-16 / u^3 of error, and the series leaves u^5 / 1e3
    safe, low = np.where(small, 1.0, step), np.where(small, step, 0.02)
    exact = (2.0 * safe - 3.0 + 4.0 * np.exp(-safe) - np.exp(-2.0 * safe)) / safe**2
    # sum of (-1)^n (4 - 2^n) u^(n - 2) / n! from n = 3
    series = low * (2.0 / 3.0 - low * (0.5 - low * (7.0 / 30.0 - low * (1.0 / 12.0 - low * (31.0 / 1260.0)))))
    return np.asarray(-np.expm1(-2.0 * step)), np.asarray(np.where(small, series, exact)), np.asarray(moved**2 / step)


def step_processes(
    state: Array, rate: Array, variance: Array, duration: float, generator: np.random.Generator
) -> tuple[Array, Array]:
    """Advance stationary processes by ``duration`` and return (state at the end, mean over the step).

    Args:
        state: at the start, shape ``(..., bins)``.
        rate: of each bin [1/s], shape ``(bins,)``.
        variance: of each bin, same shape.
        duration: [s].
        generator: from :meth:`ferrogen.core.streams.Streams.generator`.

    Raises:
        ArgumentError: a duration or rate that is not positive, a negative variance.
    """
    check_number("duration", duration, "s")
    if not np.all(np.isfinite(rate) & (rate > 0.0)):
        raise argument_error("rate", "hold positive, finite rates in 1/s", rate[:3])
    if not np.all(np.isfinite(variance) & (variance >= 0.0)):
        raise argument_error("variance", "hold finite numbers that are not negative", variance[:3])
    u = rate * duration
    end, average, cross = joint_covariance(u)
    normals = generator.standard_normal((2, *state.shape))
    root = np.sqrt(variance)
    # eta, and xi given eta
    share = cross / end
    rest = np.sqrt(np.maximum(average - cross * share, 0.0))
    eta = np.sqrt(end) * normals[0]
    xi = share * eta + rest * normals[1]
    mean = -np.expm1(-u) / u * state + root * xi
    return np.exp(-u) * state + root * eta, mean


@dataclass(frozen=True, slots=True)
class FlickerBins:
    """Bins of time constants that stand for a log-uniform range.

    Attributes:
        rate: of each process [1/s], shape ``(bins,)``.
        variance: of each, summing to 1.
    """

    rate: Array
    variance: Array

    def spectrum(self, frequency: ArrayLike) -> Array:
        """Return the one-sided spectrum [1/Hz] of their sum at each ``frequency`` [Hz], which has variance 1."""
        omega = 2.0 * np.pi * np.asarray(frequency, dtype=np.float64)[..., None]
        return np.asarray((4.0 * self.variance * self.rate / (self.rate**2 + omega**2)).sum(axis=-1))


def flicker_bins(shortest: float, longest: float, per_decade: float) -> FlickerBins:
    """Return equal bins, in the logarithm, of the time constants from ``shortest`` to ``longest`` [s].

    Args:
        shortest: time constant [s].
        longest: [s].
        per_decade: least number of bins a decade; their whole number is rounded up.

    Raises:
        ArgumentError: times that are not positive or not in order, a number of bins that is not positive.
    """
    check_number("shortest", shortest, "s")
    check_number("longest", longest, "s")
    check_number("per_decade", per_decade, "bins per decade")
    if longest <= shortest:
        raise argument_error("longest", f"exceed the shortest time constant, {shortest:g} s", f"{longest:g} s")
    number = math.ceil(math.log10(longest / shortest) * per_decade - 1e-9)
    if not is_whole(number, 1, 100_000):
        raise argument_error("per_decade", "make 1 to 100000 bins", per_decade)
    middles = (np.arange(number) + 0.5) / number
    rate = np.exp(-(math.log(shortest) + math.log(longest / shortest) * middles))
    return FlickerBins(rate, np.full(number, 1.0 / number))


def spectral_ripple(per_decade: float) -> float:
    """Return the largest relative error that bins give a 1/f spectrum, far from its ends.

    The sum of Lorentzians a step h of ln(tau) apart is the trapezoidal rule for 1/f, with the error
    2 sum over m of sech(m pi^2 / h) by Poisson's summation: 5.5 % for one bin a decade.

    Raises:
        ArgumentError: a number of bins that is not positive.
    """
    check_number("per_decade", per_decade, "bins per decade")
    step = math.log(10.0) / per_decade
    orders = np.arange(1, 2 + int(750.0 * step / math.pi**2))
    return float(2.0 * (1.0 / np.cosh(np.minimum(orders * math.pi**2 / step, 700.0))).sum())


def bins_per_decade(error: float) -> float:
    """Return how many bins a decade keep the ripple of a 1/f spectrum at a relative ``error`` e.

    ln 10 acosh(2 / e) / pi^2.

    Args:
        error: below 1; the leading term of :func:`spectral_ripple` is inverted, which is exact to the error squared.

    Raises:
        ArgumentError: an error that is not between 0 and 1.
    """
    check_number("error", error, "1")
    if error >= 1.0:
        raise argument_error("error", "be below 1", error)
    return math.log(10.0) * math.acosh(2.0 / error) / math.pi**2
