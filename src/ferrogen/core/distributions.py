"""Exact scalar samplers, compiled with numba, that draw from a small local generator seeded by address.

The local generator is xoroshiro128++ (Blackman & Vigna, doi:10.1145/3460772), seeded with 128 Philox bits for each
address: one Philox call an address, then about two nanoseconds a draw.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ferrogen.core.philox import open_uniform, philox

# Below this mean a Poisson draw inverts the distribution function; above it, transformed rejection is cheaper.
_POISSON_SWITCH = 12.0


@njit(cache=True, nogil=True, inline="always")
def seed_local(state: NDArray[np.uint64], key: np.uint64, high: np.uint64, low: np.uint64) -> None:
    """Fill the two-word ``state`` of a local generator from an address."""
    state[0], state[1] = philox(key, high, low)


@njit(cache=True, nogil=True, inline="always")
def uniform(state: NDArray[np.uint64]) -> float:
    """Draw from the open interval (0, 1); advances ``state``."""
    s0 = state[0]
    s1 = state[1]
    total = s0 + s1
    result = ((total << np.uint64(17)) | (total >> np.uint64(47))) + s0
    s1 ^= s0
    state[0] = ((s0 << np.uint64(49)) | (s0 >> np.uint64(15))) ^ s1 ^ (s1 << np.uint64(21))
    state[1] = (s1 << np.uint64(28)) | (s1 >> np.uint64(36))
    return open_uniform(result)


@njit(cache=True, nogil=True)
def normal(state: NDArray[np.uint64]) -> float:
    """Draw from N(0, 1) by Marsaglia's polar method (one of the pair is dropped: no hidden state)."""
    while True:
        x = 2.0 * uniform(state) - 1.0
        y = 2.0 * uniform(state) - 1.0
        r = x * x + y * y
        if 0.0 < r < 1.0:
            return x * math.sqrt(-2.0 * math.log(r) / r)


@njit(cache=True, nogil=True)
def poisson(state: NDArray[np.uint64], mean: float, exp_minus_mean: float) -> int:
    """Draw from Poisson(mean); ``exp_minus_mean`` is exp(-mean), which callers compute once.

    Inversion below mean 12, else Hoermann's PTRS (Insurance: Mathematics and Economics 12, 39 (1993),
    doi:10.1016/0167-6687(93)90997-4).
    """
    if mean < _POISSON_SWITCH:
        u = uniform(state)
        k = 0
        term = exp_minus_mean
        cumulative = term
        while u > cumulative and term > 1e-300:
            k += 1
            term *= mean / k
            cumulative += term
            if k > 1000:
                break
        return k
    b = 0.931 + 2.53 * math.sqrt(mean)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    v_r = 0.9277 - 3.6224 / (b - 2.0)
    log_mean = math.log(mean)
    while True:
        u = uniform(state) - 0.5
        v = uniform(state)
        us = 0.5 - abs(u)
        k = math.floor((2.0 * a / us + b) * u + mean + 0.43)
        if us >= 0.07 and v <= v_r:
            return int(k)
        if k < 0 or (us < 0.013 and v > us):
            continue
        if math.log(v * inverse_alpha / (a / (us * us) + b)) <= k * log_mean - mean - math.lgamma(k + 1.0):
            return int(k)


@njit(cache=True, nogil=True)
def gamma_integer(state: NDArray[np.uint64], shape: int) -> float:
    """Draw from Gamma(shape, 1) for a whole number ``shape`` >= 1.

    Up to 4 the product of uniforms, above Marsaglia & Tsang (ACM TOMS 26, 363 (2000), doi:10.1145/358407.358414).
    """
    if shape <= 4:
        product = uniform(state)
        for _ in range(shape - 1):
            product *= uniform(state)
        return -math.log(product)
    d = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        x = normal(state)
        v = 1.0 + c * x
        if v <= 0.0:
            continue
        v = v * v * v
        u = uniform(state)
        if u < 1.0 - 0.0331 * x * x * x * x or math.log(u) < 0.5 * x * x + d * (1.0 - v + math.log(v)):
            return d * v


@njit(cache=True, nogil=True)
def beta_integer(state: NDArray[np.uint64], first: int, second: int) -> float:
    """Draw from Beta(first, second) for whole numbers >= 1."""
    if second == 1:
        return float(uniform(state) ** (1.0 / first))
    if first == 1:
        return 1.0 - float(uniform(state) ** (1.0 / second))
    x = gamma_integer(state, first)
    return x / (x + gamma_integer(state, second))
