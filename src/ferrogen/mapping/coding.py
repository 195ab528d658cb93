"""Weights as differential pairs: the left bit line of a pair carries positive weights, the right one negative ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferrogen.array.levels import ConductanceWindow, Levels
from ferrogen.core.errors import argument_error


@dataclass(frozen=True, slots=True)
class CodedWeights:
    """Target conductances of a layer's tiles.

    Attributes:
        targets: [S], shape ``(row_tiles, column_tiles, rows, columns)``; cells without a weight are at the window's
        bottom.
        scale: weight per differential conductance [1/S] of each output, shape ``(outputs,)``.
    """

    targets: NDArray[np.float64]
    scale: NDArray[np.float64]


# Shares of an output's largest weight that are tried as the weight of a full window.
_CLIPS = np.linspace(1.0, 0.4, 13)


def _full_weights(weight: NDArray[np.float64], levels: Levels) -> NDArray[np.float64]:
    """Return, for each output, the weight that fills the window: clipping a few makes the levels of the many finer.

    Of :data:`_CLIPS`, the one with the least squared error after rounding to the levels.
    """
    largest = np.max(np.abs(weight), axis=1)
    largest = np.where(largest > 0.0, largest, 1.0)  # an output without weights: any scale will do
    best, least = largest, np.full(weight.shape[0], np.inf)
    for clip in _CLIPS:
        full = clip * largest
        share = np.clip(np.abs(weight) / full[:, None], 0.0, 1.0)
        error = np.sum((levels.quantise(share) * full[:, None] - np.abs(weight)) ** 2, axis=1)
        best, least = np.where(error < least, full, best), np.minimum(error, least)
    return best


def code_weights(
    weight: NDArray[np.float64], window: ConductanceWindow, levels: Levels, rows: int, columns: int
) -> CodedWeights:
    """Code a weight matrix ``(outputs, inputs)`` as differential pairs on tiles.

    Each output has its own scale, chosen for its weights and the levels, and undone digitally.

    Args:
        weight: float weights.
        window: conductances that cells can be asked for.
        levels: to which targets will be rounded.
        rows: of a tile.
        columns: of a tile.

    Raises:
        ArgumentError: weights that are not finite, or an empty matrix.
    """
    if weight.ndim != 2 or weight.size == 0 or not np.all(np.isfinite(weight)):
        raise argument_error("weight", "be a non-empty matrix of finite numbers", f"of shape {weight.shape}")
    outputs, inputs = weight.shape
    full_weight = _full_weights(weight, levels)
    fraction = np.clip(weight / full_weight[:, None], -1.0, 1.0).T
    pairs = columns // 2
    row_tiles, column_tiles = -(-inputs // rows), -(-outputs // pairs)
    full = np.zeros((row_tiles * rows, column_tiles * pairs))
    full[:inputs, :outputs] = fraction
    lines = np.empty((full.shape[0], 2 * full.shape[1]))
    lines[:, 0::2] = np.maximum(full, 0.0)
    lines[:, 1::2] = np.maximum(-full, 0.0)
    tiled = lines.reshape(row_tiles, rows, column_tiles, columns).transpose(0, 2, 1, 3)
    return CodedWeights(targets=window.low + window.span * tiled, scale=full_weight / window.span)
