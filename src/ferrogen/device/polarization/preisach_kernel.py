"""The compiled walk of a Preisach model along a field: a stack of turning points a cell.

What it computes and why is told in :mod:`ferrogen.device.polarization.preisach`.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _logistic(x: float) -> float:
    """Return 1 / (1 + e^-x) without overflow."""
    if x >= 0.0:
        return 1.0 / (1.0 + math.exp(-x))
    small = math.exp(x)
    return small / (1.0 + small)


@njit(cache=True, nogil=True, error_model="numpy")
def everett_value(upper: float, lower: float, saturation: float, coercive: float, width: float) -> float:
    """Return the change of polarisation between two turning points; both fields without bias [V/m]."""
    if upper <= lower:
        return 0.0
    return (
        2.0
        * saturation
        * _logistic((upper - coercive) / width)
        * _logistic(-(lower + coercive) / width)
        * -math.expm1(-(upper - lower) / width)
    )


@njit(cache=True, nogil=True, error_model="numpy")
def walk(
    fields: NDArray[np.float64],
    durations: NDArray[np.float64],
    saturation: float,
    coercive: float,
    width: float,
    bias: float,
    relaxation: float,
    effective: NDArray[np.float64],
    turns: NDArray[np.float64],
    levels: NDArray[np.float64],
    depth: NDArray[np.int64],
    rising: NDArray[np.int8],
    out: NDArray[np.float64],
) -> int:
    """Follow all cells; return 1 if a stack is full, else 0.

    Args:
        fields: [V/m], shape ``(1 or cells, steps)``.
        durations: [s], shape ``(steps,)``.
        saturation: [C/m^2].
        coercive: [V/m].
        width: of the branches [V/m].
        bias: [V/m].
        relaxation: time of the effective field [s]; 0 for none.
        effective: effective field [V/m], shape ``(cells,)``.
        turns: fields of the turning points, shape ``(cells, room)``; entry 0 is minus or plus infinity.
        levels: polarisation at them.
        depth: number of turning points in each stack, at least 1.
        rising: 1 on an ascending branch, -1 on a descending one.
        out: polarisation after each step, shape ``(cells, steps)``.
    """
    cells, steps = out.shape
    room = turns.shape[1]
    for cell in range(cells):
        row = cell if fields.shape[0] > 1 else 0
        now = effective[cell]
        n = depth[cell]
        up = rising[cell] > 0
        for k in range(steps):
            old = now
            if relaxation > 0.0:
                # A constant field moves the effective field one way only: its end is all the branches see.
                now = fields[row, k] + (now - fields[row, k]) * math.exp(-durations[k] / relaxation)
            else:
                now = fields[row, k]
            if now != old and (now > old) != up:
                # The old point becomes a turning point.
                if n >= room:
                    return 1
                top = everett_value(
                    (old if up else turns[cell, n - 1]) - bias,
                    (turns[cell, n - 1] if up else old) - bias,
                    saturation, coercive, width,
                )  # fmt: skip
                levels[cell, n] = levels[cell, n - 1] + (top if up else -top)
                turns[cell, n] = old
                n += 1
                up = not up
            # Wiping out: the field has gone beyond the turning point where the inner loop began.
            while n >= 3 and ((up and now >= turns[cell, n - 2]) or (not up and now <= turns[cell, n - 2])):
                n -= 2
            change = everett_value(
                (now if up else turns[cell, n - 1]) - bias,
                (turns[cell, n - 1] if up else now) - bias,
                saturation, coercive, width,
            )  # fmt: skip
            out[cell, k] = levels[cell, n - 1] + (change if up else -change)
        effective[cell] = now
        depth[cell] = n
        rising[cell] = 1 if up else -1
    return 0
