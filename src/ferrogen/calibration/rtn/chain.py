"""The compiled loops over a trace: expectation step and most likely path of a hidden Markov chain.

The chain is the product of M independent two-state chains, so it has S = 2**M states; bit m of a state's number is the
state of trap m. Forward and backward passes are scaled (Rabiner, Proc. IEEE 77, 257 (1989), doi:10.1109/5.18626).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True, error_model="numpy")
def expectation(
    x: NDArray[np.float64],
    ramp: NDArray[np.float64],
    means: NDArray[np.float64],
    drift: float,
    noise: float,
    transition: NDArray[np.float64],
    forward: NDArray[np.float64],
    emission: NDArray[np.float64],
    pairs: NDArray[np.float64],
    sums: NDArray[np.float64],
) -> float:
    """Run one expectation step; return the log-likelihood.

    Args:
        x: trace, shape ``(N,)``.
        ramp: regressor of the linear baseline, shape ``(N,)``.
        means: mean of each state, shape ``(S,)``.
        drift: factor of ``ramp`` in the mean.
        noise: standard deviation of the read noise.
        transition: probability of each state (column) after each state (row), shape ``(S, S)``.
        forward: room, shape ``(N, S)``; the filtered probabilities afterwards.
        emission: room, shape ``(N, S)``; the smoothed probabilities afterwards.
        pairs: filled with the expected number of transitions, shape ``(S, S)``.
        sums: filled with the sums over time of gamma, gamma x, gamma ramp, shape ``(3, S)``.

    The chain starts in any state with the same probability: this costs M ln 2 of likelihood at most, and leaves
    the expectation-maximisation monotone.
    """
    n, states = x.shape[0], means.shape[0]
    factor = -0.5 / (noise * noise)
    total = -n * math.log(noise * math.sqrt(2.0 * math.pi))
    for t in range(n):
        # the nearest mean is factored out, so that an outlier does not make every density vanish
        nearest = -np.inf
        for s in range(states):
            gap = x[t] - drift * ramp[t] - means[s]
            emission[t, s] = factor * gap * gap
            nearest = max(nearest, emission[t, s])
        for s in range(states):
            emission[t, s] = math.exp(emission[t, s] - nearest)
            forward[t, s] = 1.0 / states if t == 0 else 0.0
        if t > 0:
            for s in range(states):
                weight = forward[t - 1, s]
                for q in range(states):
                    forward[t, q] += weight * transition[s, q]
        scale = 0.0
        for s in range(states):
            forward[t, s] *= emission[t, s]
            scale += forward[t, s]
        inverse = 1.0 / scale
        for s in range(states):
            forward[t, s] *= inverse
            emission[t, s] *= inverse
        total += math.log(scale) + nearest
    backward = transition.T.copy()
    beta = np.ones(states)
    after = np.empty(states)
    pairs[:] = 0.0
    sums[:] = 0.0
    for t in range(n - 1, -1, -1):
        for s in range(states):
            after[s] = emission[t, s] * beta[s]
            gamma = forward[t, s] * beta[s]
            emission[t, s] = gamma
            sums[0, s] += gamma
            sums[1, s] += gamma * x[t]
            sums[2, s] += gamma * ramp[t]
        if t == 0:
            break
        for s in range(states):
            beta[s] = 0.0
        for q in range(states):
            weight = after[q]
            for s in range(states):
                beta[s] += backward[q, s] * weight
        for s in range(states):
            weight = forward[t - 1, s]
            for q in range(states):
                pairs[s, q] += weight * after[q]
    for s in range(states):
        for q in range(states):
            pairs[s, q] *= transition[s, q]
    return float(total)


@njit(cache=True, nogil=True, error_model="numpy")
def most_likely_path(
    x: NDArray[np.float64], means: NDArray[np.float64], noise: float, transition: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """Return the most likely sequence of states (Viterbi), shape ``(N,)``; the baseline is taken off ``x`` before."""
    n, states = x.shape[0], means.shape[0]
    step = np.log(np.maximum(transition, 1e-300))
    factor = -0.5 / (noise * noise)
    came_from = np.empty((n, states), dtype=np.uint8)
    score = factor * (x[0] - means) ** 2
    fresh = np.empty(states)
    for t in range(1, n):
        for q in range(states):
            best, where = -np.inf, 0
            for s in range(states):
                value = score[s] + step[s, q]
                if value > best:
                    best, where = value, s
            gap = x[t] - means[q]
            fresh[q] = best + factor * gap * gap
            came_from[t, q] = where
        score[:] = fresh
    path = np.empty(n, dtype=np.uint8)
    path[n - 1] = np.argmax(score)
    for t in range(n - 1, 0, -1):
        path[t - 1] = came_from[t, path[t]]
    return path


@njit(cache=True, nogil=True, error_model="numpy")
def background_likelihood(x: NDArray[np.float64], memory: float, ratio: float) -> tuple[float, float]:
    """Return (log-likelihood, white variance) of x = AR(1) + white noise, the overall variance profiled out.

    Args:
        x: trace with its mean taken off.
        memory: r of the AR(1) process, 0 <= r < 1; towards 1 it is a random walk.
        ratio: variance of the process over that of the white noise.

    A scalar Kalman filter, started in the stationary state (Durbin & Koopman, Time Series Analysis by State Space
    Methods, 2nd ed. (2012), chapter 2).
    """
    n = x.shape[0]
    state, spread = 0.0, ratio
    kick = ratio * (1.0 - memory * memory)
    squares, logs = 0.0, 0.0
    for t in range(n):
        total = spread + 1.0
        surprise = x[t] - state
        squares += surprise * surprise / total
        logs += math.log(total)
        gain = spread / total
        state = memory * (state + gain * surprise)
        spread = memory * memory * spread * (1.0 - gain) + kick
    white = squares / n
    return -0.5 * (n * (math.log(2.0 * math.pi * white) + 1.0) + logs), white
