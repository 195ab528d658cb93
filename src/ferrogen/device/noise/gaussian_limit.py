"""How Gaussian telegraph noise is: cumulants and skewness of a trap's average, and its distance from a normal law.

A trap with capture rate a and emission rate b; L = a + b, p = a / L, u = L T. The occupied time of a long window has
the cumulants T kappa_n that the largest eigenvalue of the tilted generator gives,

    mu(theta) = 1/2 {theta - L + sqrt[(L - theta)^2 + 4 a theta]} = sum kappa_n theta^n / n!,

and the third moment of any window follows from E[x(r) x(s) x(t)] = p (1 - p) (1 - 2 p) e^(-L (t - r)), r < s < t, x the
occupancy minus p. Kolmogorov distances: Berry and Esseen's bound with Shevtsova's constants (arXiv:1111.6554).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.errors import ArgumentError, argument_error, is_whole
from ferrogen.device.noise.rtn.closed_form import averaging_factor

Array = NDArray[np.float64]

_IDENTICAL, _ANY = 0.4748, 0.56  # Shevtsova 2011: equal summands, any summands
_MOST_ORDER = 60


def cumulant_rates(capture_rate: float, emission_rate: float, order: int) -> Array:
    """Return kappa_1 to kappa_order of the occupied time, per unit of time: [s^(n - 1)], shape ``(order,)``.

    kappa_1 = p, kappa_2 = 2 a b / L^3, kappa_3 = 6 a b (b - a) / L^5; by the recursion that mu^2 + (L - theta) mu =
    a theta makes of its series.

    Args:
        capture_rate: a [1/s], positive.
        emission_rate: b [1/s], positive.
        order: highest cumulant, 1 to 60.

    Raises:
        ArgumentError: rates that are not positive, or another order.
    """
    if not is_whole(order, 1, _MOST_ORDER):
        raise argument_error("order", f"be a whole number from 1 to {_MOST_ORDER}", order)
    p, _ = _probability(capture_rate, emission_rate)
    total = float(capture_rate) + float(emission_rate)
    m = np.zeros(order + 1)
    m[1] = float(p)
    for n in range(2, order + 1):
        m[n] = m[n - 1] - m[1:n] @ m[1:n][::-1]
    powers = np.arange(1, order + 1)
    return np.asarray(m[1:] * np.array([math.factorial(n) for n in powers], dtype=np.float64) / total ** (powers - 1.0))


def _probability(capture_rate: ArrayLike, emission_rate: ArrayLike) -> tuple[Array, Array]:
    a, b = np.asarray(capture_rate, dtype=np.float64), np.asarray(emission_rate, dtype=np.float64)
    for name, rate in (("capture_rate", a), ("emission_rate", b)):
        if not np.all(np.isfinite(rate) & (rate > 0.0)):
            raise argument_error(name, "hold positive, finite rates in 1/s", np.ravel(rate)[:3])
    return np.asarray(a / (a + b)), np.asarray(b / (a + b))


def window_third_moment(capture_rate: ArrayLike, emission_rate: ArrayLike, duration: ArrayLike) -> Array:
    """Return the third central moment of the occupied fraction of a window: 6 p q (q - p) [u - 2 + (u + 2) e^-u] / u^3.

    Args:
        capture_rate: [1/s], positive.
        emission_rate: [1/s], positive.
        duration: of the window [s], positive. All broadcast.

    Raises:
        ArgumentError: an argument that is not positive.
    """
    p, q = _probability(capture_rate, emission_rate)
    time = np.asarray(duration, dtype=np.float64)
    if not np.all(np.isfinite(time) & (time > 0.0)):
        raise argument_error("duration", "hold positive, finite times in s", np.ravel(time)[:3])
    u = (np.asarray(capture_rate, dtype=np.float64) + np.asarray(emission_rate, dtype=np.float64)) * time
    small = u < 0.05  # there the closed form has 1e-16 / u^3 of error, and the series leaves u^6 / 8e3
    safe, low = np.where(small, 1.0, u), np.where(small, u, 0.05)
    exact = 6.0 * (safe - 2.0 + (safe + 2.0) * np.exp(-safe)) / safe**3
    # 6 sum of (-1)^n (n - 2) u^(n - 3) / n! from n = 3, with the sign of its first term
    series = 1.0 - low * (0.5 - low * (3.0 / 20.0 - low * (1.0 / 30.0 - low * (1.0 / 168.0 - low / 1120.0))))
    return np.asarray(p * q * (q - p) * np.where(small, series, exact))


def window_skewness(capture_rate: ArrayLike, emission_rate: ArrayLike, duration: ArrayLike) -> Array:
    """Return the skewness of the occupied fraction of a window, exact for every duration.

    (q - p) / sqrt(p q) for a short one, 3 (1 - 2 p) / sqrt(2 p q u) for a long one.

    Args:
        capture_rate: [1/s], positive.
        emission_rate: [1/s], positive.
        duration: of the window [s], positive. All broadcast.

    Raises:
        ArgumentError: an argument that is not positive.
    """
    third = window_third_moment(capture_rate, emission_rate, duration)
    p, q = _probability(capture_rate, emission_rate)
    rate = np.asarray(capture_rate, dtype=np.float64) + np.asarray(emission_rate, dtype=np.float64)
    u = rate * np.asarray(duration, dtype=np.float64)
    return np.asarray(third / (p * q * averaging_factor(u)) ** 1.5)


def total_skewness(steps: Array, variances: Array, third_moments: Array) -> float:
    """Return the skewness of a sum of independent traps.

    Args:
        steps: what an occupied trap adds, shape ``(traps,)``.
        variances: of each trap's occupancy, or its window average.
        third_moments: central ones, likewise.

    Raises:
        ArgumentError: traps without any variance.
    """
    variance = float(steps**2 @ variances)
    if not variance > 0.0:
        raise ArgumentError("Argument `variances` must not vanish for all traps: a constant has no skewness.")
    return float(steps**3 @ third_moments) / math.sqrt(variance) ** 3


def edgeworth_distance(skewness: ArrayLike) -> Array:
    """Return the leading Kolmogorov distance of a smooth, nearly normal law from a normal one, |s| / (6 sqrt(2 pi))."""
    return np.asarray(np.abs(np.asarray(skewness, dtype=np.float64)) / (6.0 * math.sqrt(2.0 * math.pi)))


def berry_esseen_bound(steps: Array, probability: Array) -> float:
    """Return a bound on the Kolmogorov distance of the sum of independent traps, read at once, from a normal law.

    C sum |w|^3 p q (p^2 + q^2) / (sum w^2 p q)^(3/2), C = 0.4748 if all traps are alike, 0.56 otherwise.

    Args:
        steps: what an occupied trap adds w, shape ``(traps,)``.
        probability: of being occupied p, same shape.

    Raises:
        ArgumentError: probabilities that are none, or traps without any variance.
    """
    w, p = np.abs(np.asarray(steps, dtype=np.float64)), np.asarray(probability, dtype=np.float64)
    if not np.all((p >= 0.0) & (p <= 1.0)):
        raise argument_error("probability", "lie between 0 and 1", np.ravel(p)[:3])
    variance = p * (1.0 - p)
    total = float(w**2 @ variance)
    if not total > 0.0:
        raise argument_error("steps", "give some trap a variance", np.ravel(w)[:3])
    alike = bool(np.ptp(w) == 0.0 and np.ptp(p) == 0.0)
    return float((_IDENTICAL if alike else _ANY) * (w**3 @ (variance * (p**2 + (1.0 - p) ** 2))) / total**1.5)


def equal_traps_distance(number: int, probability: float) -> float:
    """Return the exact Kolmogorov distance of a sum of ``number`` equal traps, read at once, from its normal law.

    Args:
        number: of traps, at least 1.
        probability: of being occupied, between 0 and 1.

    Raises:
        ArgumentError: another number, or a probability of 0 or 1.
    """
    from scipy.special import bdtr, ndtr

    if not is_whole(number, 1, 10_000_000):
        raise argument_error("number", "be a whole number of traps from 1 to 1e7", number)
    if not 0.0 < probability < 1.0:
        raise argument_error("probability", "lie between 0 and 1", probability)
    k = np.arange(number + 1, dtype=np.float64)
    normal = ndtr((k - number * probability) / math.sqrt(number * probability * (1.0 - probability)))
    upper = bdtr(k, number, probability)
    lower = np.concatenate([[0.0], upper[:-1]])
    return float(max(np.abs(upper - normal).max(), np.abs(lower - normal).max()))


def effective_number(variances: ArrayLike) -> float:
    """Return how many equal traps would share a variance as these do: (sum v)^2 / sum v^2; 1 if one dominates.

    Args:
        variances: step^2 p (1 - p) of each trap, shape ``(traps,)``.

    Raises:
        ArgumentError: traps without any variance.
    """
    v = np.asarray(variances, dtype=np.float64)
    if not np.all(np.isfinite(v) & (v >= 0.0)) or not np.any(v > 0.0):
        raise argument_error("variances", "be finite, not negative, and not all zero", np.ravel(v)[:3])
    share = v / v.max()
    return float(share.sum() ** 2 / (share @ share))
