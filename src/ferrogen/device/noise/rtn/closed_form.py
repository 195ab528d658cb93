"""Closed forms for a stationary two-state trap: moments of window averages, correlations, spectra.

Capture rate a, emission rate b [1/s]; L = a + b, p = a / L, u = L T. Every array argument broadcasts.
Sources: Machlup, J. Appl. Phys. 25, 341 (1954), doi:10.1063/1.1721637, for the spectrum; the window averages follow
from C(s) = p (1 - p) exp(-L |s|) by integration and are tested against simulation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def occupancy(capture_rate: ArrayLike, emission_rate: ArrayLike) -> NDArray[np.float64]:
    """Return p = a / (a + b), the stationary probability that the trap is occupied."""
    a, b = np.asarray(capture_rate, dtype=np.float64), np.asarray(emission_rate, dtype=np.float64)
    return a / (a + b)


def averaging_factor(u: ArrayLike) -> NDArray[np.float64]:
    """Return g(u) = 2 (u - 1 + e^-u) / u^2, the share of p (1 - p) that a window of u = L T leaves."""
    u = np.asarray(u, dtype=np.float64)
    small = u < 1e-3  # the closed form loses 1e-16/u^2 to cancellation; four series terms do not
    safe = np.where(small, 1.0, u)
    exact = 2.0 * (safe + np.expm1(-safe)) / safe**2
    return np.where(small, 1.0 - u / 3.0 + u**2 / 12.0 - u**3 / 60.0, exact)


def window_variance(capture_rate: ArrayLike, emission_rate: ArrayLike, duration: ArrayLike) -> NDArray[np.float64]:
    """Return the variance of the occupied fraction of one window of ``duration`` [s]."""
    p = occupancy(capture_rate, emission_rate)
    rate = np.asarray(capture_rate, dtype=np.float64) + np.asarray(emission_rate, dtype=np.float64)
    return p * (1.0 - p) * averaging_factor(rate * np.asarray(duration, dtype=np.float64))


def window_covariance(
    capture_rate: ArrayLike, emission_rate: ArrayLike, duration: ArrayLike, period: ArrayLike, lag: int
) -> NDArray[np.float64]:
    """Return the covariance of two windows of ``duration`` [s] that start ``lag`` >= 1 periods [s] apart."""
    p = occupancy(capture_rate, emission_rate)
    rate = np.asarray(capture_rate, dtype=np.float64) + np.asarray(emission_rate, dtype=np.float64)
    u = rate * np.asarray(duration, dtype=np.float64)
    gap = rate * (lag * np.asarray(period, dtype=np.float64)) - u
    small = u < 1e-4
    safe = np.where(small, 1.0, u)
    overlap = np.where(small, 1.0 - u, (np.expm1(-safe) / safe) ** 2)
    return p * (1.0 - p) * overlap * np.exp(-gap)


def window_lag_correlation(u: ArrayLike, lag: int) -> NDArray[np.float64]:
    """Return the correlation of two contiguous windows ``lag`` >= 1 apart, for u = L T."""
    u = np.asarray(u, dtype=np.float64)
    ones = np.ones_like(u)
    covariance = window_covariance(ones, ones, u / 2.0, u / 2.0, lag)
    return covariance / window_variance(ones, ones, u / 2.0)


def difference_variance(
    capture_rate: ArrayLike, emission_rate: ArrayLike, duration: ArrayLike, period: ArrayLike
) -> NDArray[np.float64]:
    """Return the variance of the difference of two windows one ``period`` [s] apart (double sampling)."""
    return 2.0 * (
        window_variance(capture_rate, emission_rate, duration)
        - window_covariance(capture_rate, emission_rate, duration, period, 1)
    )


def lorentzian(frequency: ArrayLike, capture_rate: ArrayLike, emission_rate: ArrayLike) -> NDArray[np.float64]:
    """Return the one-sided power spectral density [1/Hz] of the occupancy (unit amplitude), Machlup 1954."""
    p = occupancy(capture_rate, emission_rate)
    rate = np.asarray(capture_rate, dtype=np.float64) + np.asarray(emission_rate, dtype=np.float64)
    omega = 2.0 * np.pi * np.asarray(frequency, dtype=np.float64)
    return np.asarray(4.0 * p * (1.0 - p) * rate / (rate**2 + omega**2))


def sampled_lorentzian(
    frequency: ArrayLike, capture_rate: ArrayLike, emission_rate: ArrayLike, interval: float
) -> NDArray[np.float64]:
    """Return the one-sided spectrum of the occupancy sampled every ``interval`` [s], aliasing included."""
    p = occupancy(capture_rate, emission_rate)
    rate = np.asarray(capture_rate, dtype=np.float64) + np.asarray(emission_rate, dtype=np.float64)
    r = np.exp(-rate * interval)
    angle = 2.0 * np.pi * np.asarray(frequency, dtype=np.float64) * interval
    return np.asarray(2.0 * interval * p * (1.0 - p) * (1.0 - r**2) / (1.0 - 2.0 * r * np.cos(angle) + r**2))


def log_uniform_spectrum(frequency: ArrayLike, shortest: ArrayLike, longest: ArrayLike) -> NDArray[np.float64]:
    """Return the spectrum [1/Hz] per unit of summed p (1 - p) amplitude^2 of traps with log-uniform time constants.

    It is 1/(f ln(longest/shortest)) between the corner frequencies (McWhorter).
    """
    omega = 2.0 * np.pi * np.asarray(frequency, dtype=np.float64)
    low, high = np.asarray(shortest, dtype=np.float64), np.asarray(longest, dtype=np.float64)
    return np.asarray(4.0 / np.log(high / low) * (np.arctan(omega * high) - np.arctan(omega * low)) / omega)


def scheduled_moments(
    to_one: NDArray[np.float64], to_zero: NDArray[np.float64], phase: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (mean, variance) of the occupied fraction of one phase of a periodic schedule, in its steady state.

    Args:
        to_one: capture rate x duration of every phase, shape ``(traps, phases)``.
        to_zero: emission rate x duration, same shape.
        phase: which phase is read.

    The state's probability goes through a cycle by q -> p + (q - p) e^-m, phase by phase; its fixed point is the
    probability at the start of the cycle. E[Y^2] is linear in the state at the window's start.
    """
    means = to_one + to_zero
    p = np.divide(to_one, means, out=np.zeros_like(to_one), where=means > 0.0)
    later = np.cumsum(means[:, ::-1], axis=1)[:, ::-1] - means
    total = means.sum(axis=1)
    moved = -np.expm1(-total)
    q = np.divide(
        (p * -np.expm1(-means) * np.exp(-later)).sum(axis=1), moved, out=np.zeros_like(moved), where=moved > 0.0
    )
    for k in range(phase):
        q = p[:, k] + (q - p[:, k]) * np.exp(-means[:, k])
    u, p = means[:, phase], p[:, phase]
    small = u < 1e-3
    safe = np.where(small, 1.0, u)
    first = np.where(small, 1.0 - u / 2.0 + u**2 / 6.0, -np.expm1(-safe) / safe)
    ramp = np.where(small, 0.5 - u / 6.0 + u**2 / 24.0, (safe + np.expm1(-safe)) / safe**2)
    hump = np.where(small, 0.5 - u / 3.0 + u**2 / 8.0, (1.0 - (1.0 + safe) * np.exp(-safe)) / safe**2)
    mean = p + (q - p) * first
    square = p**2 + 2.0 * ((p * (1.0 - p) + p * (q - p)) * ramp + (q - p) * (1.0 - p) * hump)
    return mean, np.maximum(square - mean**2, 0.0)


def scheduled_difference_moments(
    to_one: NDArray[np.float64], to_zero: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (mean, variance) of the occupied fraction of phase 1 minus that of phase 0, in the steady state.

    Args:
        to_one: capture rate x duration of every phase, shape ``(traps, phases)``; phases 0 and 1 must be alike.
        to_zero: emission rate x duration, same shape.

    With Y0, Y1 the fractions and X the state between them, E[Y0 Y1] = E[Y0 (p + (X - p) phi)], phi = (1 - e^-u) / u,
    and E[Y0 X] follows from P(X = 1 | state s at an earlier time) = p + (s - p) e^-gap.
    """
    mean_0, variance_0 = scheduled_moments(to_one, to_zero, 0)
    mean_1, variance_1 = scheduled_moments(to_one, to_zero, 1)
    u = to_one[:, 0] + to_zero[:, 0]
    p = np.divide(to_one[:, 0], u, out=np.zeros_like(u), where=u > 0.0)
    small = u < 1e-6
    phi = np.where(small, 1.0 - u / 2.0, -np.expm1(-np.where(small, 1.0, u)) / np.where(small, 1.0, u))
    start = p + (mean_0 - p) / phi  # the probability at the start, from E[Y0] = p + (q - p) phi
    with_end = p * mean_0 + (1.0 - p) * (p * phi + (start - p) * np.exp(-u))
    product = p * mean_0 * (1.0 - phi) + phi * with_end
    covariance = product - mean_0 * mean_1
    return mean_1 - mean_0, np.maximum(variance_0 + variance_1 - 2.0 * covariance, 0.0)
