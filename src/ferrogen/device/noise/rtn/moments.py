"""The moments of one phase of a schedule for millions of traps: :func:`scheduled_moments` as one compiled pass.

:func:`ferrogen.device.noise.rtn.closed_form.scheduled_moments` is the readable form; a test holds the two together.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True, error_model="numpy")
def _window(p: float, q: float, u: float, moved: float) -> tuple[float, float]:
    """Return mean and mean square of the occupied fraction of a window with u = L T entered with probability q.

    ``moved`` is 1 - exp(-u).
    """
    if u < 1e-3:
        first = 1.0 - u / 2.0 + u * u / 6.0
        ramp = 0.5 - u / 6.0 + u * u / 24.0
        hump = 0.5 - u / 3.0 + u * u / 8.0
    else:
        first = moved / u
        ramp = (u - moved) / (u * u)
        hump = (moved - u * (1.0 - moved)) / (u * u)
    mean = p + (q - p) * first
    square = p * p + 2.0 * ((p * (1.0 - p) + p * (q - p)) * ramp + (q - p) * (1.0 - p) * hump)
    return mean, square


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_moments(
    to_one: NDArray[np.float64],
    to_zero: NDArray[np.float64],
    phase: int,
    mean: NDArray[np.float64],
    variance: NDArray[np.float64],
) -> None:
    phases = to_one.shape[1]
    for trap in range(to_one.shape[0]):
        # q -> q (1 - left) + gain over a whole cycle; the steady state is gain / left. One exponential a phase.
        gain, left = 0.0, 0.0
        left_before, gain_before, moved_read = 0.0, 0.0, 0.0
        for k in range(phases):
            m = to_one[trap, k] + to_zero[trap, k]
            moved = -math.expm1(-m)
            if k == phase:
                left_before, gain_before, moved_read = left, gain, moved
            if m > 0.0:
                gain = gain * (1.0 - moved) + to_one[trap, k] / m * moved
            left += moved * (1.0 - left)
        q = gain / left if left > 0.0 else 0.0
        q = q * (1.0 - left_before) + gain_before
        u = to_one[trap, phase] + to_zero[trap, phase]
        p = to_one[trap, phase] / u if u > 0.0 else 0.0
        average, square = _window(p, q, u, moved_read)
        mean[trap] = average
        variance[trap] = max(square - average * average, 0.0)


def phase_moments(
    to_one: NDArray[np.float64], to_zero: NDArray[np.float64], phase: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (mean, variance) of the occupied fraction of one phase in the steady state of a periodic schedule.

    Args:
        to_one: capture rate x duration of every phase, shape ``(traps, phases)``.
        to_zero: emission rate x duration, same shape.
        phase: which phase is read.
    """
    mean, variance = np.empty(to_one.shape[0]), np.empty(to_one.shape[0])
    _fill_moments(to_one, to_zero, phase, mean, variance)
    return mean, variance
