"""The two passes around the integer products on a processor: spreading codes before, noise and conversion after.

Everything is laid out with vectors innermost, so that all inner loops run over vectors with the constants of one
output, and fill vector registers whatever the number of outputs. Operations are single ones in single precision, in the
order of :mod:`ferrogen.chip.engine.plain`: the two give the same bits.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ferrogen.core.normals import philox_words, words_to_normals

REFERENCE_PLANE = 1 << 31  # normals of reference lines have planes of their own, from here
_LANES = 128
_TURN = 64  # vectors turned over together
_ZERO, _ONE = np.float32(0.0), np.float32(1.0)
_MEAN_BASE, _VARIANCE_BASE = np.float32(256.0), np.float32(128.0)
_INVERSE_BASE = np.float32(1.0 / 128.0)
_ROUND = np.float32(1.5 * 2.0**23)  # adding and subtracting it rounds to the nearest whole number, ties to even
_MASK, _SHIFT = np.uint64(0xFFFFFFFF), np.uint64(32)


@njit(cache=True, nogil=True, error_model="numpy")
def spread(
    codes: NDArray[np.int8],
    first: int,
    count: int,
    first_row: int,
    turned: NDArray[np.int8],
    powers: NDArray[np.int8],
    squares: NDArray[np.float32],
) -> None:
    """Turn codes ``(vectors, inputs)`` over, and square them: one row tile of some vectors, the rest is zero.

    Args:
        codes: of all vectors.
        first: first vector.
        count: number of vectors.
        first_row: of the row tile.
        turned: to write codes to, ``(rows, lanes)``.
        powers: to write squares to as 128 a + b: a of all rows, then b, ``(2 rows, lanes)``.
        squares: to write squares to, same shape as ``turned``.
    """
    rows = turned.shape[0]
    present = min(rows, codes.shape[1] - first_row)
    turned[present:] = 0
    turned[:, count:] = 0
    # Short writes along a line: whole columns of them would all fall into one set of the cache if lines are 4096 apart.
    for start in range(0, count, _TURN):
        for row in range(present):
            for i in range(start, min(start + _TURN, count)):
                turned[row, i] = codes[first + i, first_row + row]
    one, square = turned.reshape(-1), squares.reshape(-1)
    high, low = powers[:rows].reshape(-1), powers[rows:].reshape(-1)
    for i in range(one.shape[0]):
        code = np.float32(one[i])
        square[i] = code * code
    for i in range(one.shape[0]):
        digit = (square[i] * _INVERSE_BASE + _ROUND) - _ROUND
        high[i] = np.int8(np.int32(digit))
        low[i] = np.int8(np.int32(square[i] - digit * _VARIANCE_BASE))


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _variance(
    line: int,
    at: np.uint64,
    high: NDArray[np.int32],
    cross: NDArray[np.int32],
    squares: NDArray[np.float32],
    step: np.float32,
    noise: np.float32,
    rows: NDArray[np.int64],
    strongest: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Write a line's variance in as many vectors as ``out`` has, from ``at`` on.

    An index without a sign need not be asked whether it is negative, and so loops stay vectors. No loop touches more
    than seven arrays: LLVM gives up asking whether they overlap.
    """
    r0, r1, r2, r3 = rows[line, 0], rows[line, 1], rows[line, 2], rows[line, 3]
    v0, v1, v2, v3 = strongest[line, 0], strongest[line, 1], strongest[line, 2], strongest[line, 3]
    if cross.shape[0]:
        for i in range(out.shape[0]):
            j = at + np.uint64(i)
            whole = (np.float32(high[line, j]) * _VARIANCE_BASE + np.float32(cross[line, j])) * step
            part = max(whole, _ZERO) + noise
            part += squares[r0, j] * v0
            part += squares[r1, j] * v1
            part += squares[r2, j] * v2
            out[i] = part + squares[r3, j] * v3
    else:
        for i in range(out.shape[0]):
            j = at + np.uint64(i)
            part = np.float32(high[line, j]) * _VARIANCE_BASE * step + noise
            part += squares[r0, j] * v0
            part += squares[r1, j] * v1
            part += squares[r2, j] * v2
            out[i] = part + squares[r3, j] * v3
    for k in range(4, rows.shape[1], 4):
        r0, r1, r2, r3 = rows[line, k], rows[line, k + 1], rows[line, k + 2], rows[line, k + 3]
        v0, v1, v2, v3 = strongest[line, k], strongest[line, k + 1], strongest[line, k + 2], strongest[line, k + 3]
        for i in range(out.shape[0]):
            j = at + np.uint64(i)
            part = out[i] + squares[r0, j] * v0
            part += squares[r1, j] * v1
            part += squares[r2, j] * v2
            out[i] = part + squares[r3, j] * v3


@njit(cache=True, nogil=True, error_model="numpy")
def convert(
    means: NDArray[np.int32],
    high: NDArray[np.int32],
    cross: NDArray[np.int32],
    squares: NDArray[np.float32],
    mean_step: NDArray[np.float32],
    variance_step: NDArray[np.float32],
    rows: NDArray[np.int64],
    strongest: NDArray[np.float32],
    noise: NDArray[np.float32],
    reference_of: NDArray[np.int64],
    added: NDArray[np.float32],
    share: np.float32,
    levels: np.float32,
    key: np.uint64,
    plane: int,
    addresses: NDArray[np.int64],
    first: int,
    vectors: int,
    total: NDArray[np.float32],
) -> int:
    """Add noise to one row tile's currents, convert them, and add the codes to those of the tiles before.

    Args:
        means: sums of codes times means' digits, ``(2 outputs, lanes)``.
        high: of high digits of squares times high digits of variances, ``(lines, lanes)``.
        cross: of high digits times low ones, same shape; or without lines, and it is left out.
        squares: of codes, ``(rows, lanes)``.
        mean_step: these are those of :class:`ferrogen.chip.engine.prepared.Prepared` in this row tile.
        variance_step: likewise.
        rows: of the strongest cells.
        strongest: their variances.
        noise: variance of the conversions' electronic noise, a share of the full scale's square, ``(outputs,)``.
        reference_of: as there; without entries: there are no references.
        added: further currents [A], ``(vectors, outputs)``; or without vectors.
        share: the inverse of the full scale [1/A].
        levels: largest output code; 0: an ideal converter.
        key: of the noise.
        plane: number of the row tile.
        addresses: of all vectors.
        first: first vector of these lanes.
        vectors: number of vectors in them.
        total: sum of codes so far, ``(outputs, lanes)``; an ideal converter's are shares of the full scale.

    Returns:
        how many conversions were clipped.
    """
    outputs, references = mean_step.shape[0], variance_step.shape[0] - mean_step.shape[0]
    low_words, high_words = np.empty(_LANES, dtype=np.uint32), np.empty(_LANES, dtype=np.uint32)
    all_words, all_normals = np.empty(4 * _LANES, dtype=np.uint32), np.empty(4 * _LANES, dtype=np.float32)
    all_current, lost = np.empty(_LANES, dtype=np.float32), np.zeros(_LANES, dtype=np.float32)
    common = np.empty((references, _LANES), dtype=np.float32)
    clipped = 0.0
    for start in range(0, vectors, _LANES):
        at = np.uint64(start)
        lost[:] = _ZERO
        count = min(_LANES, total.shape[1] - start)
        words, normals = all_words[: 4 * count].reshape(4, count), all_normals[: 4 * count].reshape(4, count)
        low_of, high_of, current = low_words[:count], high_words[:count], all_current[:count]
        for i in range(count):
            address = np.uint64(addresses[first + min(start + i, vectors - 1)])
            low_of[i], high_of[i] = address & _MASK, address >> _SHIFT
        for line in range(outputs, outputs + references):
            which = line - outputs
            if which % 4 == 0:
                philox_words(key, which // 4, REFERENCE_PLANE + plane, low_of, high_of, words)
                words_to_normals(words, normals)
            _variance(line, at, high, cross, squares, variance_step[line], _ZERO, rows, strongest, current)
            for i in range(count):
                common[which, i] = np.sqrt(current[i]) * normals[which % 4, i]
        for n in range(outputs):
            if n % 4 == 0:
                philox_words(key, n // 4, plane, low_of, high_of, words)
                words_to_normals(words, normals)
            _variance(n, at, high, cross, squares, variance_step[n], noise[n], rows, strongest, current)
            step, second = mean_step[n], outputs + n
            for i in range(count):
                j = at + np.uint64(i)
                whole = np.float32(means[n, j]) * _MEAN_BASE + np.float32(means[second, j])
                current[i] = whole * step + np.sqrt(current[i]) * normals[n % 4, i]
            if reference_of.shape[0] and reference_of[n] >= 0:
                for i in range(count):
                    current[i] -= common[reference_of[n], i]
            if added.shape[0]:
                for i in range(min(count, vectors - start)):
                    current[i] += added[first + start + i, n] * share
            if levels > _ZERO:
                for i in range(count):
                    lost[i] += _ONE if abs(current[i]) > _ONE else _ZERO
                    code = min(max(current[i] * levels, -levels), levels)
                    total[n, at + np.uint64(i)] += (code + _ROUND) - _ROUND
            else:
                for i in range(count):
                    total[n, at + np.uint64(i)] += current[i]
        clipped += lost[: vectors - start].sum()  # not those of lanes without a vector
    return int(clipped)
