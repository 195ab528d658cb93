"""Fast addressed standard normals in single precision: a pure function of (key, plane, address, column).

Four normals come from one block of Philox 4x32-10 (Salmon et al. 2011, doi:10.1145/2063384.2063405) with the counter
(column // 4, plane, address mod 2**32, address // 2**32), by two transforms of Box and Muller (1958,
doi:10.1214/aoms/1177706645). Every loop runs over addresses and calls no library, so that LLVM puts it into vector
registers; nothing is contracted or reordered, so that whoever repeats the operations in single precision gets the same
bits on any machine. :func:`ferrogen.core.philox.addressed_normals` is the readable form with 52-bit uniforms.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

_MULTIPLIER_0 = np.uint64(0xD2511F53)
_MULTIPLIER_1 = np.uint64(0xCD9E8D57)
_WEYL_0 = np.uint64(0x9E3779B9)
_WEYL_1 = np.uint64(0xBB67AE85)
_MASK = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_LANES = 256  # addresses worked on together: words and normals of a block stay in the first-level cache

# Single precision throughout; also used by the twin in torch.
HALF = np.float32(0.5)
UNIFORM_STEP = np.float32(2.0**-31)
ROOT_HALF_OFFSET = np.int32(0x3F800000 - 0x3F3504F3)  # the mantissa's interval is divided at sqrt(2)
ROOT_HALF_BITS = np.int32(0x3F3504F3)
MANTISSA = np.int32(0x007FFFFF)
LN2 = np.float32(math.log(2.0))
LOG_SERIES = tuple(np.float32(1.0 / k) for k in (9, 7, 5, 3))  # of artanh
ANGLE_MASK = np.uint32(0x3FFFFFFF)
ANGLE_HALF = np.int32(0x20000000)
ANGLE_STEP = np.float32(0.5 * math.pi * 2.0**-30)  # a quarter turn has 2**30 steps
COSINE_SERIES = tuple(np.float32((-1.0) ** k / math.factorial(2 * k)) for k in (4, 3, 2, 1, 0))
SINE_SERIES = tuple(np.float32((-1.0) ** k / math.factorial(2 * k + 1)) for k in (4, 3, 2, 1))
_L9, _L7, _L5, _L3 = LOG_SERIES
_C8, _C6, _C4, _C2, _C0 = COSINE_SERIES
_S9, _S7, _S5, _S3 = SINE_SERIES
_ONE, _TWO, _MINUS_TWO = np.float32(1.0), np.float32(2.0), np.float32(-2.0)


@njit(cache=True, nogil=True, error_model="numpy")
def philox_words(
    key: np.uint64, block: int, plane: int, low: NDArray[np.uint32], high: NDArray[np.uint32], words: NDArray[np.uint32]
) -> None:
    """Write the four words of the counters (block, plane, low, high) to ``words``, shape ``(4, addresses)``."""
    for i in range(low.shape[0]):
        c0, c1, c2, c3 = np.uint64(block), np.uint64(plane), np.uint64(low[i]), np.uint64(high[i])
        k0, k1 = key & _MASK, key >> _SHIFT
        for _ in range(10):
            p0, p1 = _MULTIPLIER_0 * c0, _MULTIPLIER_1 * c2
            c0, c1, c2, c3 = (p1 >> _SHIFT) ^ c1 ^ k0, p1 & _MASK, (p0 >> _SHIFT) ^ c3 ^ k1, p0 & _MASK
            k0, k1 = (k0 + _WEYL_0) & _MASK, (k1 + _WEYL_1) & _MASK
        words[0, i], words[1, i], words[2, i], words[3, i] = c0, c1, c2, c3


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _two_normals(radius_word: np.uint32, angle_word: np.uint32) -> tuple[np.float32, np.float32]:
    uniform = (np.float32(np.int32(radius_word >> np.uint32(1))) + HALF) * UNIFORM_STEP
    bits = np.int32(np.float32(uniform).view(np.int32) + ROOT_HALF_OFFSET)
    exponent = np.float32((bits >> np.int32(23)) - np.int32(127))
    mantissa = np.int32((bits & MANTISSA) + ROOT_HALF_BITS).view(np.float32)
    s = (mantissa - _ONE) / (mantissa + _ONE)
    z = s * s
    q = _L7 + z * _L9
    q = _L5 + z * q
    q = _L3 + z * q
    radius = np.sqrt(_MINUS_TWO * (exponent * LN2 + (_TWO * s + _TWO * s * z * q)))
    # An angle within a quarter turn, and two bits that say which quarter.
    angle = np.float32(np.int32(angle_word & ANGLE_MASK) - ANGLE_HALF) * ANGLE_STEP
    square = angle * angle
    cosine = _C6 + square * _C8
    cosine = _C4 + square * cosine
    cosine = _C2 + square * cosine
    cosine = _C0 + square * cosine
    sine = _S7 + square * _S9
    sine = _S5 + square * sine
    sine = _S3 + square * sine
    sine = angle + angle * square * sine
    cosine = -cosine if (angle_word >> np.uint32(30)) & np.uint32(1) else cosine
    turned = (angle_word >> np.uint32(31)) != 0
    return radius * (sine if turned else cosine), radius * (cosine if turned else sine)


@njit(cache=True, nogil=True, error_model="numpy")
def words_to_normals(words: NDArray[np.uint32], out: NDArray[np.float32]) -> None:
    """Turn words ``(4, addresses)`` into as many standard normals: the first two words into the first two, and so on.

    A radius has 31 bits, so that no normal is beyond 6.7; an angle has 32.
    """
    for i in range(words.shape[1]):
        out[0, i], out[1, i] = _two_normals(words[0, i], words[1, i])
    for i in range(words.shape[1]):
        out[2, i], out[3, i] = _two_normals(words[2, i], words[3, i])


@njit(cache=True, nogil=True)
def _fill(key: np.uint64, plane: int, addresses: NDArray[np.int64], out: NDArray[np.float32]) -> None:
    columns = out.shape[1]
    for start in range(0, addresses.shape[0], _LANES):
        count = min(_LANES, addresses.shape[0] - start)
        low, high = np.empty(count, dtype=np.uint32), np.empty(count, dtype=np.uint32)
        words, normals = np.empty((4, count), dtype=np.uint32), np.empty((4, count), dtype=np.float32)
        for i in range(count):
            address = np.uint64(addresses[start + i])
            low[i], high[i] = address & _MASK, address >> _SHIFT
        for block in range((columns + 3) // 4):
            philox_words(key, block, plane, low, high, words)
            words_to_normals(words, normals)
            for i in range(count):
                for k in range(min(4, columns - 4 * block)):
                    out[start + i, 4 * block + k] = normals[k, i]


def standard_normals(
    key: np.uint64, addresses: NDArray[np.int64], columns: int, *, plane: int = 0
) -> NDArray[np.float32]:
    """Draw standard normals, each of which depends only on its key, plane, address and column.

    Args:
        key: from :meth:`ferrogen.core.streams.Streams.key`.
        addresses: e.g. image numbers, shape ``(addresses,)``.
        columns: how many normals each address gets; more columns do not change the first ones.
        plane: a further address, 0 to 2**32 - 1, e.g. a row tile.

    Returns:
        float32 array of shape ``(addresses, columns)``.
    """
    out = np.empty((addresses.shape[0], columns), dtype=np.float32)
    _fill(np.uint64(key), plane, np.ascontiguousarray(addresses, dtype=np.int64), out)
    return out
