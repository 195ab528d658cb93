"""The two passes around the integer products on a processor: spreading codes before, noise and conversion after.

Everything is laid out with vectors innermost, so that all inner loops run over vectors with the constants of one
output, and fill vector registers whatever the number of outputs. Operations are single ones in single precision, in the
order of :mod:`ferrogen.chip.engine.plain`: the two give the same bits.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ferrogen.chip.engine.turn import turned_codes
from ferrogen.core.normals import philox_words, words_to_normals

REFERENCE_PLANE = 1 << 31  # normals of reference lines have planes of their own, from here
_LANES = 128
_ZERO, _ONE = np.float32(0.0), np.float32(1.0)
_MEAN_BASE, _VARIANCE_BASE = np.float32(256.0), np.float32(128.0)
_SEVEN, _UNIT, _BELOW_HALF = np.uint16(7), np.uint16(1), np.uint16(63)
_ROUND = np.float32(1.5 * 2.0**23)  # adding and subtracting it rounds to the nearest whole number, ties to even
_MASK, _SHIFT = np.uint64(0xFFFFFFFF), np.uint64(32)


@njit(cache=True, nogil=True, error_model="numpy")
def spread(
    codes: NDArray[np.int8],
    first: int,
    first_row: int,
    powers: NDArray[np.int8],
    turned: NDArray[np.int8],
    used: NDArray[np.bool_],
) -> None:
    """Square the codes ``(vectors, inputs)`` of one row tile and some vectors.

    Args:
        codes: of all vectors.
        first: first vector.
        first_row: of the row tile.
        powers: to write squares to as 128 a + b: a of all rows, then b, ``(lanes, 2 rows)``. Ties go to even a: half of
            all squares are divisible by four.
        turned: to write the codes themselves to, ``(rows, lanes)``.
        used: rows whose codes are wanted there; others may be left as they are.
    """
    rows, lanes = turned.shape
    for i in range(lanes):
        code = codes[first + i, first_row : first_row + rows]
        high, low = powers[i, :rows], powers[i, rows:]
        # In 16 bits throughout: twice as many fit a register as in single precision.
        for row in range(rows):
            value = np.int16(code[row])
            square = np.uint16(value * value)
            odd = np.uint16(square >> _SEVEN) & _UNIT
            a = np.uint16(np.uint16(square + _BELOW_HALF + odd) >> _SEVEN)
            high[row] = np.int8(a)
            low[row] = np.int8(np.uint16(square - np.uint16(a << _SEVEN)))
    turned_codes(codes, first, first_row, used, turned)


@njit(cache=True, nogil=True, inline="always")
def _square(code: np.int8) -> np.float32:
    """Return the square of a code, exact in single precision."""
    value = np.float32(code)
    return value * value


@njit(cache=True, nogil=True, error_model="numpy")
def _variances(
    first: int,
    last: int,
    at: np.uint64,
    high: NDArray[np.int32],
    cross: NDArray[np.int32],
    codes: NDArray[np.int8],
    steps: NDArray[np.float32],
    noise: NDArray[np.float32],
    rows: NDArray[np.int64],
    strongest: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Write variances of the lines from ``first`` to before ``last`` in as many vectors as ``out`` has, from ``at`` on.

    An index without a sign need not be asked whether it is negative, and so loops stay vectors. No loop touches more
    than seven arrays: LLVM gives up asking whether they overlap.
    """
    for line in range(first, last):
        step, own, k = steps[line], noise[line] if line < noise.shape[0] else _ZERO, line - first
        r0, r1, r2, r3 = rows[line, 0], rows[line, 1], rows[line, 2], rows[line, 3]
        v0, v1, v2, v3 = strongest[line, 0], strongest[line, 1], strongest[line, 2], strongest[line, 3]
        if cross.shape[0]:
            for i in range(out.shape[1]):
                j = at + np.uint64(i)
                whole = (np.float32(high[line, j]) * _VARIANCE_BASE + np.float32(cross[line, j])) * step
                part = max(whole, _ZERO) + own
                part += _square(codes[r0, j]) * v0
                part += _square(codes[r1, j]) * v1
                part += _square(codes[r2, j]) * v2
                out[k, i] = part + _square(codes[r3, j]) * v3
        else:
            for i in range(out.shape[1]):
                j = at + np.uint64(i)
                part = np.float32(high[line, j]) * _VARIANCE_BASE * step + own
                part += _square(codes[r0, j]) * v0
                part += _square(codes[r1, j]) * v1
                part += _square(codes[r2, j]) * v2
                out[k, i] = part + _square(codes[r3, j]) * v3
        for more in range(4, rows.shape[1], 4):
            r0, r1, r2, r3 = rows[line, more], rows[line, more + 1], rows[line, more + 2], rows[line, more + 3]
            v0, v1 = strongest[line, more], strongest[line, more + 1]
            v2, v3 = strongest[line, more + 2], strongest[line, more + 3]
            for i in range(out.shape[1]):
                j = at + np.uint64(i)
                part = out[k, i] + _square(codes[r0, j]) * v0
                part += _square(codes[r1, j]) * v1
                part += _square(codes[r2, j]) * v2
                out[k, i] = part + _square(codes[r3, j]) * v3


@njit(cache=True, nogil=True, error_model="numpy")
def convert(
    means: NDArray[np.int32],
    high: NDArray[np.int32],
    cross: NDArray[np.int32],
    codes: NDArray[np.int8],
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
        codes: in the rows of the strongest cells, ``(rows, lanes)``.
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
    all_current, lost = np.empty(4 * _LANES, dtype=np.float32), np.empty(_LANES, dtype=np.float32)
    common = np.empty((references, _LANES), dtype=np.float32)
    clipped = 0.0
    for start in range(0, vectors, _LANES):
        at = np.uint64(start)
        count = min(_LANES, total.shape[1] - start)
        words, normals = all_words[: 4 * count].reshape(4, count), all_normals[: 4 * count].reshape(4, count)
        low_of, high_of = low_words[:count], high_words[:count]
        current = all_current[: 4 * count].reshape(4, count)
        lost[:] = _ZERO
        for i in range(count):
            address = np.uint64(addresses[first + min(start + i, vectors - 1)])
            low_of[i], high_of[i] = address & _MASK, address >> _SHIFT
        for group in range(0, references, 4):
            last = min(group + 4, references)
            philox_words(key, group // 4, REFERENCE_PLANE + plane, low_of, high_of, words)
            words_to_normals(words, normals)
            _variances(
                outputs + group,
                outputs + last,
                at,
                high,
                cross,
                codes,
                variance_step,
                noise,
                rows,
                strongest,
                current,
            )
            for k in range(last - group):
                for i in range(count):
                    common[group + k, i] = np.sqrt(current[k, i]) * normals[k, i]
        for group in range(0, outputs, 4):
            last = min(group + 4, outputs)
            philox_words(key, group // 4, plane, low_of, high_of, words)
            words_to_normals(words, normals)
            _variances(group, last, at, high, cross, codes, variance_step, noise, rows, strongest, current)
            for k in range(last - group):
                n = group + k
                step, second = mean_step[n], outputs + n
                for i in range(count):
                    j = at + np.uint64(i)
                    whole = np.float32(means[n, j]) * _MEAN_BASE + np.float32(means[second, j])
                    current[k, i] = whole * step + np.sqrt(current[k, i]) * normals[k, i]
                if reference_of.shape[0] and reference_of[n] >= 0:
                    line = reference_of[n]
                    for i in range(count):
                        current[k, i] -= common[line, i]
                if added.shape[0]:
                    for i in range(min(count, vectors - start)):
                        current[k, i] += added[first + start + i, n] * share
                if levels > _ZERO:
                    for i in range(count):
                        lost[i] += _ONE if abs(current[k, i]) > _ONE else _ZERO
                        code = min(max(current[k, i] * levels, -levels), levels)
                        total[n, at + np.uint64(i)] += (code + _ROUND) - _ROUND
                else:
                    for i in range(count):
                        total[n, at + np.uint64(i)] += current[k, i]
        clipped += lost[: vectors - start].sum()  # not those of lanes without a vector
    return int(clipped)
