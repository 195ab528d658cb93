"""Matrix exponential of a generator of rates, and its integrals over a window, to nearly all digits.

A trap's rates may differ by ten decades and more, where an ordinary matrix exponential loses the slow ones. Here
nothing is subtracted: from a step h so short that a few terms of Taylor's series do, every quantity is doubled,

    e^(2 Q h) = e^(Q h) e^(Q h),   F(2 h) = F(h) + e^(Q h) F(h),   H(2 h) = H(h) + h F(h) + e^(Q h) H(h),

F = int e^(Q s) ds and H = int (h - s) e^(Q s) ds, all of them matrices without negative entries; and the rows of
e^(Q h), whose sums are known, are normalised at every step. (That such exponentials can be had accurately entry by
entry: Xue and Ye, Math. Comp. 82, 1577 (2013).)
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ferrogen.core.errors import argument_error

Array = NDArray[np.float64]

_SHORT = 2.0**-10  # largest rate x time of the first step: six terms of the series leave less than 1e-24
_LONGEST = 1e100


def _first_step(rates: Array, duration: float) -> tuple[int, Array]:
    """Return (doublings, Q h) with h = duration / 2^doublings short against every rate."""
    leaving = rates.sum(axis=1)
    largest = float(leaving.max()) * duration
    if not math.isfinite(duration) or largest > _LONGEST:
        raise argument_error("duration", f"be finite and at most {_LONGEST:g} mean stays of the trap", f"{duration} s")
    doublings = math.ceil(math.log2(largest / _SHORT)) if largest > _SHORT else 0
    return doublings, (rates - np.diag(leaving)) * (duration / 2.0**doublings)


def _normalised(matrix: Array) -> Array:
    return np.asarray(matrix / matrix.sum(axis=1, keepdims=True))


def _steps(rates: Array, duration: float) -> tuple[int, Array, Array, Array]:
    """Return (doublings, e^(Q h), F(h) / h, H(h) / h^2) of the first, short step."""
    doublings, q = _first_step(rates, duration)
    one = np.eye(rates.shape[0])
    # Horner's form of the series of e^q, (e^q - 1) / q and (e^q - 1 - q) / q^2
    whole, flat, ramp = one, one, one
    for k in range(6, 0, -1):
        whole = one + q @ whole / k
        flat = one + q @ flat / (k + 1)
        ramp = one + q @ ramp / (k + 2)
    return doublings, _normalised(whole), _normalised(flat), _normalised(ramp) / 2.0


def propagator(rates: Array, duration: float) -> Array:
    """Return e^(Q t), the probability of state j a ``duration`` [s] after state i.

    Args:
        rates: from i to j [1/s], shape ``(states, states)``, zero on the diagonal.
        duration: [s], not negative.
    """
    doublings, whole, _, _ = _steps(rates, duration)
    for _ in range(doublings):
        whole = _normalised(whole @ whole)
    return whole


def window_matrices(rates: Array, duration: float) -> tuple[Array, Array, Array]:
    """Return (e^(Q T), F(T) / T, H(T) / T^2) for a window of ``duration`` T [s]; their rows sum to 1, 1 and 1/2.

    Args:
        rates: from i to j [1/s], shape ``(states, states)``, zero on the diagonal.
        duration: [s], positive.
    """
    doublings, whole, flat, ramp = _steps(rates, duration)
    for _ in range(doublings):
        ramp = (ramp + flat + whole @ ramp) / 4.0
        flat = _normalised(flat + whole @ flat)
        whole = _normalised(whole @ whole)
        ramp = _normalised(ramp) / 2.0
    return whole, flat, ramp


def resolvent(
    rates: Array, killing: NDArray[np.complex128], stationary: Array, values: Array
) -> NDArray[np.complex128]:
    """Return u with (s - Q) u = values and no stationary mean, for every ``killing`` s; shape ``(killings, states)``.

    States are cut out one by one, as for the stationary distribution: s is a rate at which the chain is killed, and no
    diagonal is ever formed, in which slow rates would be lost beside fast ones. Where s vanishes, the constant that
    (s - Q) cannot tell is fixed by the mean.

    Args:
        rates: from i to j, shape ``(states, states)``, zero on the diagonal.
        killing: s, shape ``(killings,)``.
        stationary: probabilities, shape ``(states,)``.
        values: with mean zero under them, same shape.
    """
    order = np.argsort(-stationary)  # the most probable state remains to the end
    p, states = stationary[order], rates.shape[0]
    a = np.repeat(rates[np.ix_(order, order)][None].astype(np.complex128), killing.shape[0], axis=0)
    leak = np.repeat(killing[:, None], states, axis=1)
    b = np.repeat(values[order][None].astype(np.complex128), killing.shape[0], axis=0)
    total = np.ones_like(leak)
    for k in range(states - 1, 0, -1):
        total[:, k] = leak[:, k] + a[:, k, :k].sum(axis=1)
        into = a[:, :k, k] / total[:, k, None]
        a[:, :k, :k] += into[:, :, None] * a[:, k, None, :k]
        leak[:, :k] += into * leak[:, k, None]
        b[:, :k] += into * b[:, k, None]
    # u = part + (value in the last state) x reach; reach is the probability of getting there alive
    part, reach = np.zeros_like(b), np.ones_like(b)
    for k in range(1, states):
        part[:, k] = (b[:, k] + (a[:, k, :k] * part[:, :k]).sum(axis=1)) / total[:, k]
        reach[:, k] = (a[:, k, :k] * reach[:, :k]).sum(axis=1) / total[:, k]
    u = part - ((part @ p) / (reach @ p))[:, None] * reach
    out = np.empty_like(u)
    out[:, order] = u
    return out
