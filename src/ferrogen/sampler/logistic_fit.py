"""Logistic curves through counts: where a bit is 1 half of the time, and how wide its transition is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_STEPS = 40
# A weak prior (half a one and half a zero at each voltage) keeps the fit finite where all bits were equal.
_PRIOR = 0.5


def fit_logistic(
    voltage: NDArray[np.float64], ones: NDArray[np.float64], reads: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (half [V], width [V]) of p = 1 / (1 + exp(-(V - half) / width)) of many bits, by maximum likelihood.

    Newton's method on log-odds offset + slope V (D. R. Cox, J. R. Stat. Soc. B 20, 215 (1958)); the likelihood is
    concave, and every step is halved until it grows no worse.

    Args:
        voltage: at which bits were counted [V], shape ``(voltages,)``, at least two different ones.
        ones: how many of them were 1, shape ``(voltages, bits)``.
        reads: how many bits were counted at each voltage.
    """
    centre, scale = voltage.mean(), voltage.std()
    x = ((voltage - centre) / scale)[:, None]
    total = reads + 2.0 * _PRIOR
    share = (ones + _PRIOR) / total
    bits = ones.shape[1]
    offset, slope = np.zeros(bits), np.ones(bits)

    def likelihood(offset: NDArray[np.float64], slope: NDArray[np.float64]) -> NDArray[np.float64]:
        z = offset + slope * x
        return np.asarray((share * z - np.logaddexp(0.0, z)).sum(axis=0))

    now = likelihood(offset, slope)
    for _ in range(_STEPS):
        p = 0.5 * (1.0 + np.tanh(0.5 * (offset + slope * x)))
        weight = p * (1.0 - p) + 1e-12
        residue = share - p
        g0, g1 = residue.sum(axis=0), (residue * x).sum(axis=0)
        h00, h01, h11 = weight.sum(axis=0), (weight * x).sum(axis=0), (weight * x**2).sum(axis=0)
        determinant = h00 * h11 - h01**2
        d0 = (h11 * g0 - h01 * g1) / determinant
        d1 = (h00 * g1 - h01 * g0) / determinant
        size = np.ones(bits)
        for _ in range(30):
            tried = likelihood(offset + size * d0, slope + size * d1)
            worse = ~(tried >= now - 1e-12)
            if not worse.any():
                break
            size = np.where(worse, 0.5 * size, size)
        offset, slope = offset + size * d0, slope + size * d1
        now = likelihood(offset, slope)
        if np.max(np.abs(size * d0) + np.abs(size * d1)) < 1e-10:
            break
    return centre - scale * offset / slope, scale / slope
