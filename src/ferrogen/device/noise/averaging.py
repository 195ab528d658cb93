"""Variance against averaging: what remains of a noise when K reads are averaged, or a read lasts K times as long.

White noise leaves 1 / K. Noise with memory leaves more, by its autocovariance c_k from read to read,

    Var(mean of K) = [c_0 + 2 sum over k < K of (1 - k / K) c_k] / K,

and a record of M reads whose own mean is subtracted, as every measured one, shows Var(K) - Var(M): exact for averages
over the M / K consecutive blocks of a stationary record.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.errors import argument_error, check_number, is_whole
from ferrogen.device.noise.rtn.closed_form import window_covariance, window_variance

Array = NDArray[np.float64]

_NODES_PER_DECADE = 8  # of the integral over log-uniform time constants, which is smooth on the scale of a decade


def averaged_variance(autocovariance: Array, counts: ArrayLike) -> Array:
    """Return the variance of the mean of K consecutive reads of a stationary record.

    Args:
        autocovariance: c_0, c_1, ... from read to read, shape ``(lags,)``; at least as many as the largest count.
        counts: K, whole numbers of at least 1.

    Raises:
        ArgumentError: a count that is no such number, or exceeds the lags given.
    """
    c = np.asarray(autocovariance, dtype=np.float64)
    k = np.asarray(counts)
    if c.ndim != 1 or not np.all(np.isfinite(c)):
        raise argument_error("autocovariance", "be a list of finite numbers", f"of shape {c.shape}")
    if not np.issubdtype(k.dtype, np.integer) or not np.all((k >= 1) & (k <= c.shape[0])):
        raise argument_error("counts", f"be whole numbers from 1 to the {c.shape[0]} lags given", np.ravel(k)[:3])
    # sum over j < K of (1 - j / K) c_j from the running sums of c_j and j c_j
    plain, ramp = np.cumsum(c), np.cumsum(np.arange(c.shape[0]) * c)
    return np.asarray((2.0 * (plain[k - 1] - ramp[k - 1] / k) - c[0]) / k)


def visible_variance(autocovariance: Array, counts: ArrayLike, record: int) -> Array:
    """Return the expected variance of means of K reads about the mean of their own record of M reads, Var(K) - Var(M).

    Args:
        autocovariance: c_0, c_1, ..., at least M of them.
        counts: K; exact where M is a multiple of it.
        record: M.

    Raises:
        ArgumentError: a count above the record, or too few lags.
    """
    if not is_whole(record, int(np.max(counts))):
        raise argument_error("record", "be a whole number, at least as large as every count", record)
    return np.asarray(averaged_variance(autocovariance, counts) - averaged_variance(autocovariance, record))


def white_autocovariance(variance: float, lags: int) -> Array:
    """Return c_k of white noise: the variance, then zeros; shape ``(lags,)``."""
    _check_lags(lags)
    return np.concatenate([[float(variance)], np.zeros(lags - 1)])


def trap_autocovariance(
    capture_rate: Array, emission_rate: Array, steps: Array, *, duration: float, period: float, lags: int
) -> Array:
    """Return c_k of reads of traps: windows of ``duration`` [s], one every ``period`` [s]; shape ``(lags,)``.

    Args:
        capture_rate: [1/s], shape ``(traps,)``.
        emission_rate: [1/s], same shape.
        steps: what an occupied trap adds to the signal, same shape.
        duration: of a read [s].
        period: from read to read [s], not shorter.
        lags: how many values.

    Raises:
        ArgumentError: times that are not positive, a shorter period, fewer than one lag.
    """
    _check_reads(duration, period, lags)
    squares = np.asarray(steps, dtype=np.float64) ** 2
    covariances = [
        squares @ window_covariance(capture_rate, emission_rate, duration, period, lag) for lag in range(1, lags)
    ]
    return np.array([squares @ window_variance(capture_rate, emission_rate, duration), *covariances])


def log_uniform_autocovariance(shortest: float, longest: float, *, duration: float, period: float, lags: int) -> Array:
    """Return c_k of reads, per p (1 - p), of traps whose time constants are log-uniform; shape ``(lags,)``.

    It depends on p no more, so that it is that of traps with p = 1/2, integrated by Gauss' rule.

    Args:
        shortest: time constant [s].
        longest: [s].
        duration: of a read [s].
        period: from read to read [s], not shorter.
        lags: how many values.

    Raises:
        ArgumentError: times that are not positive or not in order, fewer than one lag.
    """
    _check_reads(duration, period, lags)
    check_number("shortest", shortest, "s")
    check_number("longest", longest, "s")
    if longest <= shortest:
        raise argument_error("longest", f"exceed the shortest time constant, {shortest:g} s", f"{longest:g} s")
    low, high = np.log(shortest), np.log(longest)
    x, weight = np.polynomial.legendre.leggauss(max(16, int(_NODES_PER_DECADE * (high - low) / np.log(10.0))))
    rate = 0.5 * np.exp(-(low + (high - low) * (x + 1.0) / 2.0))
    return trap_autocovariance(rate, rate, np.sqrt(2.0 * weight), duration=duration, period=period, lags=lags)


def _check_lags(lags: int) -> None:
    if not is_whole(lags, 1):
        raise argument_error("lags", "be a whole number of at least 1", lags)


def _check_reads(duration: float, period: float, lags: int) -> None:
    check_number("duration", duration, "s")
    check_number("period", period, "s")
    if period < duration:
        raise argument_error("period", f"be at least the duration of a read, {duration:g} s", f"{period:g} s")
    _check_lags(lags)
