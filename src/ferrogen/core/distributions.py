"""Exact scalar samplers, compiled with numba, that draw from a small local generator seeded by address.

They are inlined where they are used: a call that passes an array costs more than a draw.

The local generator is xoroshiro128++ (Blackman & Vigna, ACM TOMS 47, 36 (2021), doi:10.1145/3460772). An object's
address gives it 128 Philox bits (:func:`seed_object`); along the object's own counter, its cycles say, each state comes
from those by the SplitMix64 finaliser (:func:`seed_local`), whose authors recommend it for just that.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ferrogen.core.philox import open_uniform, philox

# Up to this mean a Poisson draw inverts a tabulated distribution function; above it, rejection is cheaper.
_POISSON_SWITCH = 64.0
# A Poisson plan: five constants, then where to begin the search for a uniform of each of 64 ranges, then the table.
_GUIDE, _GUIDES = 5, 64
_TABLE = _GUIDE + _GUIDES
POISSON_PLAN = _TABLE + 160
"""Length of the array that :func:`prepare_poisson` fills (mean 64 plus twelve standard deviations)."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_LAYERS = 256
_NORMAL_EDGE, _NORMAL_AREA = 3.6541528853610088, 0.00492867323399
_EXPONENTIAL_EDGE, _EXPONENTIAL_AREA = 7.69711747013104972, 0.0039496598225815572
_INV52 = 2.0**-52


def _layers(edge: float, area: float, *, normal: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the right ends of a ziggurat's layers, and the density there.

    Source: Marsaglia & Tsang, J. Stat. Softw. 5, issue 8 (2000), doi:10.18637/jss.v005.i08. Every layer has the same
    area; layer 0 is the base, tail included.
    """

    def density(x: float) -> float:
        return math.exp(-0.5 * x * x) if normal else math.exp(-x)

    x = np.zeros(_LAYERS + 1)
    x[0], x[1] = area / density(edge), edge
    for i in range(1, _LAYERS - 1):
        top = math.log(area / x[i] + density(x[i]))
        x[i + 1] = math.sqrt(-2.0 * top) if normal else -top
    return x, np.array([density(value) for value in x])


_NORMAL_X, _NORMAL_F = _layers(_NORMAL_EDGE, _NORMAL_AREA, normal=True)
_EXPONENTIAL_X, _EXPONENTIAL_F = _layers(_EXPONENTIAL_EDGE, _EXPONENTIAL_AREA, normal=False)


@njit(cache=True, nogil=True, inline="always")
def _mix(word: np.uint64) -> np.uint64:
    """Finalise as SplitMix64 does: a bijection in which every input bit flips half of the output bits."""
    word = (word ^ (word >> np.uint64(30))) * _MIX_1
    word = (word ^ (word >> np.uint64(27))) * _MIX_2
    return word ^ (word >> np.uint64(31))


@njit(cache=True, nogil=True, inline="always")
def seed_object(key: np.uint64, address: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Return the 128 bits that belong to one object (a trap, say) below a stream key."""
    return philox(key, address, np.uint64(0))


@njit(cache=True, nogil=True, inline="always")
def seed_local(state: NDArray[np.uint64], own: tuple[np.uint64, np.uint64], counter: int) -> None:
    """Fill the two-word ``state`` of a local generator for an object's bits and a counter (which may be negative)."""
    step = np.uint64(counter) * _GOLDEN
    state[0] = _mix(own[0] + step)
    state[1] = _mix(own[1] ^ step)


@njit(cache=True, nogil=True, inline="always")
def next_bits(state: NDArray[np.uint64]) -> np.uint64:
    """Return 64 random bits; advances ``state``."""
    s0 = state[0]
    s1 = state[1]
    total = s0 + s1
    result: np.uint64 = ((total << np.uint64(17)) | (total >> np.uint64(47))) + s0
    s1 ^= s0
    state[0] = ((s0 << np.uint64(49)) | (s0 >> np.uint64(15))) ^ s1 ^ (s1 << np.uint64(21))
    state[1] = (s1 << np.uint64(28)) | (s1 >> np.uint64(36))
    return result


@njit(cache=True, nogil=True, inline="always")
def uniform(state: NDArray[np.uint64]) -> float:
    """Draw from the open interval (0, 1); advances ``state``."""
    return open_uniform(next_bits(state))


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def exponential(state: NDArray[np.uint64]) -> float:
    """Draw from the exponential distribution of mean 1 (ziggurat: no logarithm in 98.9 % of draws)."""
    offset = 0.0
    while True:
        bits = next_bits(state)
        layer = np.int64(bits & np.uint64(255))
        x = (np.float64(bits >> np.uint64(12)) + 0.5) * _INV52 * _EXPONENTIAL_X[layer]
        if x < _EXPONENTIAL_X[layer + 1]:
            return float(offset + x)
        if layer == 0:  # the tail is the same distribution again, further out
            offset += _EXPONENTIAL_EDGE
            continue
        low, high = _EXPONENTIAL_F[layer], _EXPONENTIAL_F[layer + 1]
        if low + uniform(state) * (high - low) < math.exp(-x):
            return float(offset + x)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def normal(state: NDArray[np.uint64]) -> float:
    """Draw from N(0, 1) (ziggurat: no logarithm in 98.8 % of draws)."""
    while True:
        bits = next_bits(state)
        layer = np.int64(bits & np.uint64(255))
        sign = 1.0 if bits & np.uint64(256) else -1.0
        x = (np.float64(bits >> np.uint64(12)) + 0.5) * _INV52 * _NORMAL_X[layer]
        if x < _NORMAL_X[layer + 1]:
            return float(sign * x)
        if layer == 0:  # Marsaglia's tail
            while True:
                beyond = -math.log(uniform(state)) / _NORMAL_EDGE
                if -2.0 * math.log(uniform(state)) > beyond * beyond:
                    return sign * (_NORMAL_EDGE + beyond)
        low, high = _NORMAL_F[layer], _NORMAL_F[layer + 1]
        if low + uniform(state) * (high - low) < math.exp(-0.5 * x * x):
            return float(sign * x)


@njit(cache=True, nogil=True, error_model="numpy")
def prepare_poisson(mean: float, plan: NDArray[np.float64], at: int) -> None:
    """Fill ``plan[at : at + POISSON_PLAN]`` with what :func:`poisson` needs for one mean."""
    guide, table = at + _GUIDE, at + _TABLE
    plan[at] = mean
    if mean < _POISSON_SWITCH:
        term = math.exp(-mean)
        cumulative = term
        k = 0
        plan[table] = cumulative
        while k + 1 < POISSON_PLAN - _TABLE:
            k += 1
            term *= mean / k
            cumulative += term
            plan[table + k] = cumulative
            if k > mean and term < 1e-18:
                break
        plan[table + k] = 1.0  # what is left out here has less probability than one uniform
        k = 0
        for i in range(_GUIDES):
            while plan[table + k] < i / _GUIDES:
                k += 1
            plan[guide + i] = k
        return
    b = 0.931 + 2.53 * math.sqrt(mean)
    plan[at + 1] = b
    plan[at + 2] = -0.059 + 0.02483 * b
    plan[at + 3] = 1.1239 + 1.1328 / (b - 3.4)
    plan[at + 4] = 0.9277 - 3.6224 / (b - 2.0)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def poisson(state: NDArray[np.uint64], plan: NDArray[np.float64], at: int) -> int:
    """Draw from the Poisson distribution that was prepared at ``plan[at]``.

    Inversion with a guide table, or Hoermann's PTRS (Insurance: Mathematics and Economics 12, 39 (1993),
    doi:10.1016/0167-6687(93)90997-4).
    """
    mean = plan[at]
    if mean < _POISSON_SWITCH:
        guide, table = at + _GUIDE, at + _TABLE
        u = uniform(state)
        k = int(plan[guide + int(u * _GUIDES)])
        while u > plan[table + k]:
            k += 1
        return k
    b, a = plan[at + 1], plan[at + 2]
    while True:
        u = uniform(state) - 0.5
        v = uniform(state)
        us = 0.5 - abs(u)
        k = math.floor((2.0 * a / us + b) * u + mean + 0.43)
        if us >= 0.07 and v <= plan[at + 4]:
            return int(k)
        if k < 0 or (us < 0.013 and v > us):
            continue
        if math.log(v * plan[at + 3] / (a / (us * us) + b)) <= k * math.log(mean) - mean - math.lgamma(k + 1.0):
            return int(k)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def gamma_integer(state: NDArray[np.uint64], shape: int) -> float:
    """Draw from Gamma(shape, 1) for a whole number ``shape`` >= 1.

    Up to 2 a sum of exponentials, above Marsaglia & Tsang (ACM TOMS 26, 363 (2000), doi:10.1145/358407.358414).
    """
    if shape == 1:
        return exponential(state)
    if shape == 2:
        return exponential(state) + exponential(state)
    d = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        x = normal(state)
        v = 1.0 + c * x
        if v <= 0.0:
            continue
        v = v * v * v
        u = uniform(state)
        square = x * x
        if u < 1.0 - 0.0331 * square * square or math.log(u) < 0.5 * square + d * (1.0 - v + math.log(v)):
            return d * v


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def beta_integer(state: NDArray[np.uint64], first: int, second: int) -> float:
    """Draw from Beta(first, second) for whole numbers >= 1."""
    if first + second == 2:
        return uniform(state)
    x = gamma_integer(state, first)
    return x / (x + gamma_integer(state, second))
