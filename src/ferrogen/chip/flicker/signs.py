"""Signs that keep for a while: + or -, drawn anew every D cycles, found by their address alone.

Line n of bin b has the duration D = 2^e and the phase f; in cycle t its sign is bit (t + f) >> e of a sequence of
random bits that belongs to (key, kind, b, n). Philox gives 128 of them at a time.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ferrogen.core.philox import philox

ROW_SIGNS, OUTPUT_SIGNS = 0, 1
"""Kinds of lines. Part of the reproducibility promise: never renumber."""


@njit(cache=True, nogil=True)
def _fill_signs(
    key: np.uint64,
    kind: int,
    exponents: NDArray[np.int64],
    phases: NDArray[np.int64],
    cycles: NDArray[np.int64],
    out: NDArray[np.int8],
) -> None:
    bins, lines = exponents.shape
    block = np.empty(lines, dtype=np.int64)
    held = np.empty(lines, dtype=np.int64)  # which 64 draws `word` has
    word = np.empty(lines, dtype=np.uint64)
    for b in range(bins):
        for n in range(lines):
            held[n] = -1
        for c in range(cycles.shape[0]):
            t = cycles[c]
            changed = 0
            for n in range(lines):
                k = (t + phases[b, n]) >> exponents[b, n]
                block[n] = k
                changed |= (k >> 6) ^ held[n]
            if changed != 0:
                for n in range(lines):
                    wanted = block[n] >> 6
                    if wanted != held[n]:
                        high = np.uint64(wanted >> 1) | (np.uint64(b) << np.uint64(56))
                        low = np.uint64(n) | (np.uint64(kind) << np.uint64(40))
                        first, second = philox(key, high, low)
                        word[n] = second if wanted & 1 else first
                        held[n] = wanted
            for n in range(lines):
                bit = (word[n] >> np.uint64(block[n] & 63)) & np.uint64(1)
                out[b, c, n] = np.int8(1) - np.int8(2) * np.int8(bit)


def signs(
    key: np.uint64, kind: int, exponents: NDArray[np.int64], phases: NDArray[np.int64], cycles: NDArray[np.int64]
) -> NDArray[np.int8]:
    """Return the signs of all lines of all bins in some cycles, int8 ``(bins, cycles, lines)``.

    Args:
        key: of the stream.
        kind: ``ROW_SIGNS`` or ``OUTPUT_SIGNS``.
        exponents: binary logarithm of the duration, ``(bins, lines)``.
        phases: from 0 to the duration less one, same shape.
        cycles: not negative; fastest if sorted.
    """
    out = np.empty((exponents.shape[0], cycles.shape[0], exponents.shape[1]), dtype=np.int8)
    _fill_signs(key, kind, exponents, phases, cycles, out)
    return out
