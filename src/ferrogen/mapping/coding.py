"""Weights as differential pairs: the left bit line of a pair carries positive weights, the right one negative ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferrogen.array.levels import ConductanceWindow
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


def code_weights(weight: NDArray[np.float64], window: ConductanceWindow, rows: int, columns: int) -> CodedWeights:
    """Code a weight matrix ``(outputs, inputs)`` as differential pairs on tiles.

    Each output has its own scale, so that its largest weight uses the whole window; the scale is undone digitally.

    Raises:
        ArgumentError: weights that are not finite, or an empty matrix.
    """
    if weight.ndim != 2 or weight.size == 0 or not np.all(np.isfinite(weight)):
        raise argument_error("weight", "be a non-empty matrix of finite numbers", f"of shape {weight.shape}")
    outputs, inputs = weight.shape
    largest = np.max(np.abs(weight), axis=1)
    largest = np.where(largest > 0.0, largest, 1.0)  # an output without weights: any scale will do
    fraction = (weight / largest[:, None]).T
    pairs = columns // 2
    row_tiles, column_tiles = -(-inputs // rows), -(-outputs // pairs)
    full = np.zeros((row_tiles * rows, column_tiles * pairs))
    full[:inputs, :outputs] = fraction
    lines = np.empty((full.shape[0], 2 * full.shape[1]))
    lines[:, 0::2] = np.maximum(full, 0.0)
    lines[:, 1::2] = np.maximum(-full, 0.0)
    tiled = lines.reshape(row_tiles, rows, column_tiles, columns).transpose(0, 2, 1, 3)
    return CodedWeights(targets=window.low + window.span * tiled, scale=largest / window.span)
