"""What a trace is if it is not traps: white noise, a drift, or a continuous background with memory.

A first-order autoregressive process plus white noise stands for the background: with a short memory it is band-limited
noise, with a long one a random walk. It has the spectrum of a trap but Gaussian values, so the comparison with it asks
whether there are levels at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from ferrogen.calibration.rtn.chain import background_likelihood

Array = NDArray[np.float64]

BACKGROUND_PARAMETERS = 4
"""Mean, memory, and the variances of process and white noise."""


@dataclass(frozen=True, slots=True)
class Background:
    """A continuous background: AR(1) process plus white noise.

    Attributes:
        log_likelihood: of the trace.
        time_constant: of the process, in samples.
        deviation: standard deviation of the process.
        noise: standard deviation of the white noise.
    """

    log_likelihood: float
    time_constant: float
    deviation: float
    noise: float


def fit_background(x: Array) -> Background:
    """Fit the continuous background to a trace by maximum likelihood (exact, by a Kalman filter)."""
    centred = np.ascontiguousarray(x - x.mean())
    longest = 10.0 * x.shape[0]

    def unpack(p: Array) -> tuple[float, float]:
        tau = float(np.exp(np.clip(p[0], np.log(0.2), np.log(longest))))
        return float(np.exp(-1.0 / tau)), float(np.exp(np.clip(p[1], -12.0, 16.0)))

    def cost(p: Array) -> float:
        return -float(background_likelihood(centred, *unpack(p))[0])

    starts = [np.array([np.log(tau), ratio]) for tau in (2.0, 30.0, longest / 10.0) for ratio in (-1.0, 2.0)]
    first = min(starts, key=cost)
    best = minimize(cost, first, method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-3, "maxiter": 200})
    memory, ratio = unpack(np.asarray(best.x))
    value, white = background_likelihood(centred, memory, ratio)
    noise = float(np.sqrt(white))
    return Background(float(value), float(-1.0 / np.log(memory)), noise * float(np.sqrt(ratio)), noise)
