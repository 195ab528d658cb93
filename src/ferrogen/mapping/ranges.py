"""The range of a converter, chosen from typical values: clipping a few of them makes the steps of the many finer."""

from __future__ import annotations

from collections.abc import Callable

import torch

# Shares of the largest value that are tried; the first leaves headroom, and wins if nothing is rounded.
_SHARES = (1.05, *(1.0 - 0.05 * k for k in range(1, 14)))
_MOST_ROWS = 256


def least_error_range(values: torch.Tensor, convert: Callable[[torch.Tensor, float], torch.Tensor]) -> float:
    """Return the range with which conversion changes ``values`` least, in the mean square.

    Args:
        values: typical values, first dimension the samples (a few hundred of them are used).
        convert: what the converter makes of values, given its range.
    """
    used = values[:_MOST_ROWS]
    largest = max(float(values.abs().max()), 1e-15)
    best, least = _SHARES[0] * largest, float("inf")
    for share in _SHARES:
        error = float((convert(used, share * largest) - used).square().sum(dtype=torch.float64))
        if error < least:
            best, least = share * largest, error
    return best
