"""Codes turned over: eight by eight bytes at a time, in whole words.

A byte at a time, turning a matrix over costs more than multiplying by it. Three rounds of swaps turn eight words over
(H. S. Warren, Hacker's Delight, 2nd ed., Addison-Wesley 2013, section 7-3).
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

_ODD_BYTES, _ODD_PAIRS, _LOW_HALF = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0000FFFF0000FFFF), np.uint64(0xFFFFFFFF)
_BYTE, _PAIR, _HALF = np.uint64(8), np.uint64(16), np.uint64(32)


@njit(cache=True, nogil=True, inline="always")
def _swapped(a: np.uint64, b: np.uint64, shift: np.uint64, mask: np.uint64) -> tuple[np.uint64, np.uint64]:
    both = ((a >> shift) ^ b) & mask
    return a ^ (both << shift), b ^ both


@njit(cache=True, nogil=True, error_model="numpy")
def _turn(
    words: NDArray[np.uint64],
    first: int,
    first_word: int,
    lanes: int,
    chosen: NDArray[np.int64],
    out: NDArray[np.uint64],
) -> None:
    """Turn ``lanes`` lines over, from ``first`` on, into ``(rows, words of lanes)``; both are counts of eight.

    Only the ``chosen`` words of a line are.
    """
    for block in range(lanes // 8):
        i = first + 8 * block
        for word in chosen:
            w = first_word + word
            a0, a1, a2, a3 = words[i, w], words[i + 1, w], words[i + 2, w], words[i + 3, w]
            a4, a5, a6, a7 = words[i + 4, w], words[i + 5, w], words[i + 6, w], words[i + 7, w]
            a0, a1 = _swapped(a0, a1, _BYTE, _ODD_BYTES)
            a2, a3 = _swapped(a2, a3, _BYTE, _ODD_BYTES)
            a4, a5 = _swapped(a4, a5, _BYTE, _ODD_BYTES)
            a6, a7 = _swapped(a6, a7, _BYTE, _ODD_BYTES)
            a0, a2 = _swapped(a0, a2, _PAIR, _ODD_PAIRS)
            a1, a3 = _swapped(a1, a3, _PAIR, _ODD_PAIRS)
            a4, a6 = _swapped(a4, a6, _PAIR, _ODD_PAIRS)
            a5, a7 = _swapped(a5, a7, _PAIR, _ODD_PAIRS)
            a0, a4 = _swapped(a0, a4, _HALF, _LOW_HALF)
            a1, a5 = _swapped(a1, a5, _HALF, _LOW_HALF)
            a2, a6 = _swapped(a2, a6, _HALF, _LOW_HALF)
            a3, a7 = _swapped(a3, a7, _HALF, _LOW_HALF)
            row = 8 * word
            out[row, block], out[row + 1, block], out[row + 2, block], out[row + 3, block] = a0, a1, a2, a3
            out[row + 4, block], out[row + 5, block], out[row + 6, block], out[row + 7, block] = a4, a5, a6, a7


@njit(cache=True, nogil=True, error_model="numpy")
def turned_codes(
    codes: NDArray[np.int8], first: int, first_row: int, used: NDArray[np.bool_], out: NDArray[np.int8]
) -> None:
    """Write codes ``(vectors, inputs)`` to ``(rows, lanes)``.

    Args:
        codes: of all vectors, contiguous.
        first: first vector.
        first_row: first input.
        used: rows that are wanted; others may be written, too.
        out: to write to, contiguous; as many lanes as it has are turned over.
    """
    rows, lanes = out.shape
    if (rows | first_row | codes.shape[1] | lanes) % 8 == 0:
        chosen = np.empty(rows // 8, dtype=np.int64)
        count = 0
        for word in range(rows // 8):
            if used[8 * word : 8 * word + 8].any():
                chosen[count] = word
                count += 1
        _turn(codes.view(np.uint64), first, first_row // 8, lanes, chosen[:count], out.view(np.uint64))
        return
    for row in range(rows):
        if used[row]:
            for i in range(lanes):
                out[row, i] = codes[first + i, first_row + row]
