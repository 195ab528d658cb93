"""How long a read phase of a periodic schedule is remembered: the covariance of reads that are k cycles apart.

Let Y be the occupied fraction of the phase and X the state at its end. Over the rest of the cycle and the phases before
the next read, the state's deviation from its steady probability shrinks by e^-(M - u), over each further cycle by e^-M,
with u the expected moves of the read phase and M those of the whole cycle. A read entered with the deviation d deviates
by d phi, phi = (1 - e^-u) / u. Hence

    Cov(Y_0, Y_k) = Cov(Y, X) phi e^-(M - u) e^-M (k - 1),    k >= 1,
    Cov(Y, X) = p (1 - p) phi + d e^-u (1 - 2 p - d phi),     d = q - p,

where p is the occupancy at the phase's voltage and q the probability with which the phase is entered. The second line
is E[Y X] - E[Y] E[X] with E[Y X] = (1 / T) int P(X_s = 1) [p + (1 - p) e^-L (T - s)] ds. For one voltage it is
:func:`ferrogen.device.noise.rtn.closed_form.window_covariance`.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_covariances(
    to_one: NDArray[np.float64],
    to_zero: NDArray[np.float64],
    phase: int,
    covariance: NDArray[np.float64],
    moves: NDArray[np.float64],
) -> None:
    phases = to_one.shape[1]
    for trap in range(to_one.shape[0]):
        # q -> q decay + gain over the cycle that begins with the read; the steady state is gain / (1 - decay).
        gain, total = 0.0, 0.0
        for step in range(phases):
            k = (phase + step) % phases
            m = to_one[trap, k] + to_zero[trap, k]
            if m > 0.0:
                moved = -math.expm1(-m)
                gain = gain * (1.0 - moved) + to_one[trap, k] / m * moved
            total += m
        moves[trap] = total
        u = to_one[trap, phase] + to_zero[trap, phase]
        if total == 0.0:
            covariance[trap] = 0.0
            continue
        p = to_one[trap, phase] / u if u > 0.0 else 0.0
        d = gain / -math.expm1(-total) - p
        phi = 1.0 - 0.5 * u + u * u / 6.0 if u < 1e-4 else -math.expm1(-u) / u
        with_end = p * (1.0 - p) * phi + d * math.exp(-u) * (1.0 - 2.0 * p - d * phi)
        covariance[trap] = max(with_end, 0.0) * phi * math.exp(u - total)


def phase_covariances(
    to_one: NDArray[np.float64], to_zero: NDArray[np.float64], phase: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (covariance of consecutive reads, moves per cycle M) of every trap in its steady state.

    Reads that are k >= 1 cycles apart have the covariance of consecutive ones times e^-M (k - 1).

    Args:
        to_one: capture rate x duration of every phase, shape ``(traps, phases)``.
        to_zero: emission rate x duration, same shape.
        phase: which phase is read.
    """
    covariance, moves = np.empty(to_one.shape[0]), np.empty(to_one.shape[0])
    _fill_covariances(to_one, to_zero, phase, covariance, moves)
    return covariance, moves
