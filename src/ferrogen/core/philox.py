"""Philox 4x32-10, the counter-based generator behind every addressed draw, compiled with numba.

Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011, doi:10.1145/2063384.2063405.
A draw is a pure function of (key, counter): any thread can make any draw, in any order. The tests hold the function
to the authors' known-answer vectors.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

_M0 = np.uint64(0xD2511F53)
_M1 = np.uint64(0xCD9E8D57)
_W0 = np.uint64(0x9E3779B9)
_W1 = np.uint64(0xBB67AE85)
_MASK = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_INV52 = 2.0**-52


@njit(cache=True, nogil=True, inline="always")
def philox(key: np.uint64, high: np.uint64, low: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Return 128 random bits, as two uint64, for a 64-bit key and the 128-bit counter (high, low)."""
    k0 = key & _MASK
    k1 = key >> _SHIFT
    c0 = low & _MASK
    c1 = low >> _SHIFT
    c2 = high & _MASK
    c3 = high >> _SHIFT
    for _ in range(10):
        p0 = _M0 * c0
        p1 = _M1 * c2
        c0, c1, c2, c3 = (p1 >> _SHIFT) ^ c1 ^ k0, p1 & _MASK, (p0 >> _SHIFT) ^ c3 ^ k1, p0 & _MASK
        k0 = (k0 + _W0) & _MASK
        k1 = (k1 + _W1) & _MASK
    return c0 | (c1 << _SHIFT), c2 | (c3 << _SHIFT)


@njit(cache=True, nogil=True, inline="always")
def open_uniform(bits: np.uint64) -> float:
    """Map 64 random bits to a double in the open interval (0, 1); 52 bits, for with 53 the sum could round up to 1."""
    return (np.float64(bits >> np.uint64(12)) + 0.5) * _INV52


@njit(cache=True, nogil=True)
def _fill_normals(key: np.uint64, rows: NDArray[np.int64], out: NDArray[np.float32]) -> None:
    for r in range(rows.shape[0]):
        row = np.uint64(rows[r])
        for pair in range((out.shape[1] + 1) // 2):
            a, b = philox(key, row, np.uint64(pair))
            radius = math.sqrt(-2.0 * math.log(open_uniform(a)))
            angle = 2.0 * math.pi * open_uniform(b)
            out[r, 2 * pair] = radius * math.cos(angle)
            if 2 * pair + 1 < out.shape[1]:
                out[r, 2 * pair + 1] = radius * math.sin(angle)


def addressed_normals(key: np.uint64, rows: NDArray[np.int64], columns: int) -> NDArray[np.float32]:
    """Draw standard normals whose row depends only on the row's own address.

    Args:
        key: from :meth:`ferrogen.core.streams.Streams.key`.
        rows: addresses, e.g. image numbers; shape ``(rows,)``, not negative.
        columns: how many normals each address gets.

    Returns:
        float32 array of shape ``(rows, columns)`` (Box-Muller from 52-bit uniforms).
    """
    out = np.empty((rows.shape[0], columns), dtype=np.float32)
    _fill_normals(key, np.ascontiguousarray(rows, dtype=np.int64), out)
    return out
