"""The exact law of a doubly sampled trap: its occupied fraction in one window minus that in the window before.

A trap's occupied time in a window of unit length has the moment generating function exp(Q + theta N) between the states
at its ends, where Q = [[-a, a], [b, -b]] holds the expected events of the window and N = diag(0, 1) marks the occupied
state (M. Kac's formula for additive functionals of a Markov chain). Two adjacent windows, the second minus the first:
E[e^(theta D)] = (1 - q, q) exp(Q - theta N) exp(Q + theta N) (1, 1)', q the probability of being occupied at the start,
which the periodic schedule fixes. Independent traps multiply, so everything about their sum follows.

Cumulants are the Taylor coefficients of its logarithm, by Cauchy's integral on the unit circle: the function is entire
and D lies within [-1, 1], so sixteen points give them to rounding (J. N. Lyness, C. B. Moler, SIAM J. Numer. Anal. 4,
202 (1967), doi:10.1137/0704019).
"""

from __future__ import annotations

import cmath
import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

_POINTS = 16
# Half of the circle's points and both real ones: the others are their conjugates.
_HALF = _POINTS // 2 + 1


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _exponential(a: float, b: float, theta: complex) -> tuple[complex, complex, complex, complex]:
    """Return exp([[-a, a], [b, theta - b]]), entry by entry."""
    middle = 0.5 * (theta - a - b)
    half = 0.5 * (b - a - theta)
    root = cmath.sqrt(half * half + a * b)
    one = middle + root
    other = middle - root
    # The eigenvalues' product is -a theta: the smaller one would suffer from cancellation.
    if abs(one) >= abs(other) and one != 0.0:
        other = -a * theta / one
    elif other != 0.0:
        one = -a * theta / other
    large = cmath.exp(one)
    small = cmath.exp(other)
    mean = 0.5 * (large + small)
    if abs(root) < 0.01:  # the series of sinh(root) / root, to rounding
        square = root * root
        slope = cmath.exp(middle) * (1.0 + square / 6.0 * (1.0 + square / 20.0))
    else:
        slope = 0.5 * (large - small) / root
    return mean + half * slope, a * slope, b * slope, mean - half * slope


@njit(cache=True, nogil=True, error_model="numpy")
def difference_transform(a: float, b: float, start: float, theta: complex) -> complex:
    """Return E[exp(theta D)] of one trap.

    Args:
        a: expected to-1 points of a window.
        b: expected to-0 points.
        start: probability that the trap is occupied when the first window opens.
        theta: where; imaginary for the characteristic function, real for the moment generating function.
    """
    p00, p01, p10, p11 = _exponential(a, b, theta)
    to_0, to_1 = p00 + p01, p10 + p11
    if theta.real == 0.0:  # the other window is the conjugate
        m00, m01, m10, m11 = p00.conjugate(), p01.conjugate(), p10.conjugate(), p11.conjugate()
    else:
        m00, m01, m10, m11 = _exponential(a, b, -theta)
    return (1.0 - start) * (m00 * to_0 + m01 * to_1) + start * (m10 * to_0 + m11 * to_1)


@njit(cache=True, nogil=True, error_model="numpy")
def _cumulants(
    a: NDArray[np.float64], b: NDArray[np.float64], start: NDArray[np.float64], out: NDArray[np.float64]
) -> None:
    circle = np.empty(_HALF, dtype=np.complex128)
    for j in range(_HALF):
        circle[j] = cmath.exp(1j * math.pi * j / (_POINTS // 2))
    values = np.empty(_HALF, dtype=np.complex128)
    moments = np.empty(5)
    for k in range(a.shape[0]):
        for j in range(_HALF):
            values[j] = difference_transform(a[k], b[k], start[k], circle[j])
        factorial = 1.0
        for n in range(1, 5):
            factorial *= n
            total = 0.0
            for j in range(_HALF):
                share = 1.0 if j in (0, _HALF - 1) else 2.0
                total += share * (values[j] * cmath.exp(-1j * math.pi * n * j / (_POINTS // 2))).real
            moments[n] = factorial * total / _POINTS
        mean = moments[1]
        second = moments[2] - mean**2
        third = moments[3] - 3.0 * mean * moments[2] + 2.0 * mean**3
        fourth = moments[4] - 4.0 * mean * moments[3] + 6.0 * mean**2 * moments[2] - 3.0 * mean**4
        out[0, k] = mean
        out[1, k] = max(second, 0.0)
        out[2, k] = third
        out[3, k] = fourth - 3.0 * second**2


def start_of_cycle(to_one: NDArray[np.float64], to_zero: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the steady probability that a trap is occupied when its periodic schedule begins anew.

    Args:
        to_one: capture rate x duration of every phase, shape ``(traps, phases)``.
        to_zero: emission rate x duration, same shape.

    A cycle maps the probability by q -> p_k + (q - p_k) e^-m_k, phase by phase; this is the fixed point.
    """
    means = to_one + to_zero
    p = np.divide(to_one, means, out=np.zeros_like(to_one), where=means > 0.0)
    later = np.cumsum(means[:, ::-1], axis=1)[:, ::-1] - means
    moved = -np.expm1(-means.sum(axis=1))
    gained = (p * -np.expm1(-means) * np.exp(-later)).sum(axis=1)
    return np.asarray(np.divide(gained, moved, out=np.zeros_like(moved), where=moved > 0.0))


def difference_cumulants(to_one: NDArray[np.float64], to_zero: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the first four cumulants of the occupied fraction of phase 1 minus that of phase 0, ``(4, traps)``.

    Args:
        to_one: capture rate x duration of every phase, shape ``(traps, phases)``; phases 0 and 1 must be alike.
        to_zero: emission rate x duration, same shape.

    They are exact to about 1e-15, absolutely.
    """
    out = np.empty((4, to_one.shape[0]))
    first = np.ascontiguousarray(to_one[:, 0]), np.ascontiguousarray(to_zero[:, 0])
    _cumulants(*first, start_of_cycle(to_one, to_zero), out)
    return out


def difference_memory(
    to_one: NDArray[np.float64], to_zero: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a trap's covariance of the differences of consecutive cycles, and what a further cycle leaves of it.

    Args:
        to_one: capture rate x duration of every phase, shape ``(traps, phases)``; phases 0 and 1 must be alike.
        to_zero: emission rate x duration, same shape.

    Returns:
        c and r, each of shape ``(traps,)``: the covariance of cycles m >= 1 apart is c r^(m - 1).

    The differences D of two cycles are linked by the state X between them. Given the state x at its start, a cycle has
    E[D | x] = (constant) + x phi (e^-u - 1), phi = (1 - e^-u) / u. In the cycle before, Cov(Y, X) at a window's end is
    int_0^1 P (1 - P) e^(-u (1 - s)) ds with P(s) = p + (q - p) e^(-u s), and fades by e^-m over m expected points.
    """
    means = to_one + to_zero
    u = means[:, 0]
    p = np.divide(to_one[:, 0], u, out=np.zeros_like(u), where=u > 0.0)
    kept = np.exp(-u)
    small = u < 1e-6
    phi = np.where(small, 1.0 - u / 2.0, -np.expm1(-np.where(small, 1.0, u)) / np.where(small, 1.0, u))

    def with_end(off: NDArray[np.float64]) -> NDArray[np.float64]:
        """Cov(Y, X) at the end of a window that starts at the probability p + off."""
        return np.asarray(p * (1.0 - p) * phi + off * (1.0 - 2.0 * p) * kept - off**2 * kept * phi)

    off = start_of_cycle(to_one, to_zero) - p
    left = with_end(off * kept) - kept * with_end(off)
    rest = means[:, 2:].sum(axis=1)
    return left * np.exp(-rest) * phi * np.expm1(-u), np.exp(-means.sum(axis=1))
