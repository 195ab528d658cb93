"""The weight of a full window: clipping a few weights makes the levels of the many finer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ferrogen.mapping.coding.spec import CodingSpec

Array = NDArray[np.float64]

# Shares of the largest weight that are tried.
_CLIPS = np.linspace(1.0, 0.4, 13)


def full_weights(weight: Array, coding: CodingSpec, split: Sequence[int], carried: Callable[[Array], Array]) -> Array:
    """Return, for each output, the weight that fills the window, ``(outputs,)``.

    Args:
        weight: shape ``(outputs, inputs)``.
        coding: says who shares one, and how it is chosen.
        split: outputs of every column block.
        carried: what numbers in [-1, 1] become when cells are rounded to the levels.
    """
    outputs = weight.shape[0]
    if coding.scale == "column":
        group = np.arange(outputs)
    else:
        group = np.repeat(np.arange(len(split)), split) if coding.scale == "tile" else np.zeros(outputs, dtype=np.int64)
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    magnitude = np.abs(weight)
    largest = np.maximum.reduceat(magnitude.max(axis=1), starts)
    largest = np.where(largest > 0.0, largest, 1.0)  # outputs without weights: any scale will do
    if coding.clip is None:
        return np.asarray(largest[group])
    if coding.clip != "least-error":
        ends = [*starts[1:].tolist(), outputs]
        chosen = np.array(
            [np.percentile(magnitude[a:b], float(coding.clip)) for a, b in zip(starts, ends, strict=True)]
        )
        return np.asarray(np.where(chosen > 0.0, chosen, largest)[group])
    best, least = largest, np.full(largest.shape, np.inf)
    for clip in _CLIPS:
        full = (clip * largest)[group][:, None]
        missed = carried(np.clip(weight / full, -1.0, 1.0)) * full
        missed -= weight
        error = np.add.reduceat(np.einsum("oi,oi->o", missed, missed), starts)
        best, least = np.where(error < least, clip * largest, best), np.minimum(error, least)
    return np.asarray(best[group])
