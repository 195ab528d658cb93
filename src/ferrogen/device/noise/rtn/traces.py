"""Telegraph traces on a time grid: exact at every grid point, at a cost of one draw a switch.

Between grid points dt apart a trap keeps its state with probability p + (1 - p) e^(-L dt) if occupied, and so on: on
the grid it is a two-state Markov chain whose dwell times are geometric. Each dwell is one draw, whatever its length.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ferrogen.core.distributions import exponential, seed_local, seed_object, uniform
from ferrogen.core.errors import argument_error


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_traces(
    key: np.uint64,
    trap_address: NDArray[np.uint64],
    capture_rate: NDArray[np.float64],
    emission_rate: NDArray[np.float64],
    interval: float,
    out: NDArray[np.uint8],
) -> None:
    state = np.empty(2, dtype=np.uint64)
    steps = out.shape[1]
    for trap in range(out.shape[0]):
        rate = capture_rate[trap] + emission_rate[trap]
        p = capture_rate[trap] / rate if rate > 0.0 else 0.0
        moves = -math.expm1(-rate * interval)
        leave_zero = p * moves
        leave_one = (1.0 - p) * moves
        # -1 / ln(1 - leave): mean of the exponential whose floor is the geometric dwell; 0 if left for certain
        scale_zero = -1.0 / math.log1p(-leave_zero) if 0.0 < leave_zero < 1.0 else 0.0
        scale_one = -1.0 / math.log1p(-leave_one) if 0.0 < leave_one < 1.0 else 0.0
        seed_local(state, seed_object(key, trap_address[trap]), 0)
        occupied = uniform(state) < p
        k = 0
        while k < steps:
            leave = leave_one if occupied else leave_zero
            if leave <= 0.0:
                end = steps
            else:
                # compared as a float: for a slow trap the dwell exceeds every integer type
                dwell = exponential(state) * (scale_one if occupied else scale_zero)
                end = steps if dwell >= steps - k - 1 else k + 1 + int(dwell)
            value = np.uint8(1) if occupied else np.uint8(0)
            for j in range(k, end):
                out[trap, j] = value
            k = end
            occupied = not occupied


def occupancy_traces(
    key: np.uint64,
    capture_rate: NDArray[np.float64],
    emission_rate: NDArray[np.float64],
    *,
    interval: float,
    steps: int,
    trap_address: NDArray[np.uint64] | None = None,
) -> NDArray[np.uint8]:
    """Sample stationary occupancy traces of independent two-state traps.

    Args:
        key: stream key (:meth:`ferrogen.core.streams.Streams.key`).
        capture_rate: [1/s], shape ``(traps,)``, not negative.
        emission_rate: [1/s], same shape.
        interval: time between grid points [s].
        steps: number of grid points; a longer trace begins with the shorter one.
        trap_address: address of each trap below the key; 0, 1, 2, ... if not given.

    Returns:
        uint8 array ``(traps, steps)`` of 0 and 1.

    Raises:
        ArgumentError: an interval or a number of steps that is not positive, a rate that is negative or not finite.
    """
    if not (math.isfinite(interval) and interval > 0.0):
        raise argument_error("interval", "be a positive time in seconds", f"{interval} s")
    if steps < 1:
        raise argument_error("steps", "be at least 1", steps)
    capture = np.ascontiguousarray(capture_rate, dtype=np.float64)
    emission = np.ascontiguousarray(emission_rate, dtype=np.float64)
    for name, rates in (("capture_rate", capture), ("emission_rate", emission)):
        if not np.all(np.isfinite(rates) & (rates >= 0.0)):
            raise argument_error(name, "hold rates in 1/s that are finite and not negative", rates[:3])
    if trap_address is None:
        trap_address = np.arange(capture.shape[0], dtype=np.uint64)
    out = np.empty((capture.shape[0], steps), dtype=np.uint8)
    _fill_traces(key, trap_address, capture, emission, interval, out)
    return out
