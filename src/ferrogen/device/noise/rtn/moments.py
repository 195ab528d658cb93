"""The moments of one phase of a schedule for millions of traps: :func:`scheduled_moments` as one compiled pass.

:func:`ferrogen.device.noise.rtn.closed_form.scheduled_moments` is the readable form; a test holds the two together.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True, error_model="numpy")
def _window(p: float, q: float, u: float) -> tuple[float, float]:
    """Return mean and mean square of the occupied fraction of a window with u = L T entered with probability q."""
    if u < 1e-3:
        first = 1.0 - u / 2.0 + u * u / 6.0
        ramp = 0.5 - u / 6.0 + u * u / 24.0
        hump = 0.5 - u / 3.0 + u * u / 8.0
    else:
        decay = math.exp(-u)
        first = (1.0 - decay) / u
        ramp = (u - 1.0 + decay) / (u * u)
        hump = (1.0 - (1.0 + u) * decay) / (u * u)
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
        # q -> q decay + gain over a whole cycle; the steady state is gain / (1 - decay).
        gain, total, before = 0.0, 0.0, 0.0
        decay_before, gain_before = 1.0, 0.0
        for k in range(phases):
            if k == phase:
                decay_before, gain_before = math.exp(-before), gain
            m = to_one[trap, k] + to_zero[trap, k]
            if m > 0.0:
                moved = -math.expm1(-m)
                gain = gain * (1.0 - moved) + to_one[trap, k] / m * moved
            total += m
            before += m
        left = -math.expm1(-total)
        q = gain / left if left > 0.0 else 0.0
        q = q * decay_before + gain_before
        u = to_one[trap, phase] + to_zero[trap, phase]
        p = to_one[trap, phase] / u if u > 0.0 else 0.0
        average, square = _window(p, q, u)
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
