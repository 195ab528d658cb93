"""Numbers in [-1, 1] as positions of cells in the window (0 to 1), scheme by scheme.

*Differential*: a pair's left cell carries positive numbers, its right one negative ones.

*Offset column*: a cell is at ``centre + half x``, the reference at ``centre``. The centre is a level, so that zero is
exact; with an even number of levels the one at the end that lies further away stays unused.

*Bit-sliced*: with base B = 2^bits and S slices, slice s carries digits of weight B^s; what is asked of a slice is what
the levels of the slices above leave, so digits may have either sign. A full number is B^S - 1 units. The last slice is
rounded to the chip's levels only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ferrogen.array.levels import DiscreteLevels, Levels
from ferrogen.mapping.coding.spec import CodingSpec

Array = NDArray[np.float64]


def centre(levels: Levels) -> tuple[float, float]:
    """Return (position of zero, distance of one) of an offset column."""
    middle = float(levels.quantise(np.array([0.5]))[0])
    return middle, min(middle, 1.0 - middle)


def slice_weights(coding: CodingSpec) -> Array:
    """Return what a full slice is worth of a full number, most significant first; they add up to one."""
    base = 2.0**coding.bits_per_slice
    powers = base ** np.arange(coding.conversions_per_output - 1, -1, -1)
    return np.asarray((base - 1.0) * powers / (base**coding.conversions_per_output - 1.0))


def signed_levels(fraction: Array, levels: Levels) -> Array:
    """Round numbers in [-1, 1] to what differential pairs can hold."""
    if not isinstance(levels, DiscreteLevels):
        return fraction
    steps = levels.count - 1
    rounded = fraction * steps
    np.rint(rounded, out=rounded)
    rounded *= 1.0 / steps
    return rounded


def digits(fraction: Array, coding: CodingSpec, levels: Levels) -> Array:
    """Return what is asked of every slice, in [-1, 1], most significant first, shape ``(slices, ...)``."""
    weights, steps = slice_weights(coding), 2.0**coding.bits_per_slice - 1.0
    left = fraction
    asked = []
    for number, weight in enumerate(weights):
        digit = np.clip(left / weight, -1.0, 1.0)
        if number < weights.size - 1:
            digit = signed_levels(np.rint(digit * steps) / steps, levels)
            left = left - weight * digit
        asked.append(digit)
    return np.stack(asked)


def carried(fraction: Array, coding: CodingSpec, levels: Levels) -> Array:
    """Return what numbers in [-1, 1] become when cells are rounded to the levels."""
    if coding.scheme == "differential":
        return signed_levels(fraction, levels)
    if coding.scheme == "offset-column":
        middle, half = centre(levels)
        return np.asarray((levels.quantise(middle + half * fraction) - middle) / half)
    kept = signed_levels(digits(fraction, coding, levels), levels)
    return np.asarray(np.tensordot(slice_weights(coding), kept, axes=1))


def positions(fraction: Array, coding: CodingSpec, levels: Levels) -> Array:
    """Return the positions in the window of a block's cells, shape ``(inputs, 2 * pairs)``.

    Args:
        fraction: weights over the weight of a full window, ``(outputs, inputs)``.
        coding: how.
        levels: of the window.
    """
    outputs, inputs = fraction.shape
    lines = np.zeros((2 * coding.pairs_for(outputs), inputs))
    if coding.scheme == "offset-column":
        middle, half = centre(levels)
        lines[: coding.references] = middle
        lines[coding.references : coding.references + outputs] = middle + half * fraction
    else:
        signed = fraction if coding.scheme == "differential" else _sliced(fraction, coding, levels)
        np.maximum(signed, 0.0, out=lines[0::2])
        np.maximum(-signed, 0.0, out=lines[1::2])
    return lines.T


def _sliced(fraction: Array, coding: CodingSpec, levels: Levels) -> Array:
    """Return the digits of outputs one below the other, ``(outputs * slices, inputs)``."""
    return digits(fraction, coding, levels).transpose(1, 0, 2).reshape(-1, fraction.shape[1])


def conversion_weights(coding: CodingSpec, levels: Levels) -> Array:
    """Return the number that a full window's difference stands for, of each conversion of an output, ``(n,)``."""
    if coding.scheme == "offset-column":
        return np.array([1.0 / centre(levels)[1]])
    return slice_weights(coding) if coding.scheme == "bit-sliced" else np.ones(1)
