"""Inputs as converter codes, channels last, and how many of them were clipped: one pass instead of six."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

_STRIP = 64  # positions turned over together
_ROUND = np.float32(1.5 * 2.0**23)  # adding and subtracting it rounds to the nearest whole number, ties to even


@njit(cache=True, nogil=True, error_model="numpy")
def _codes(
    x: NDArray[np.float32], factor: np.float32, scale: np.float32, levels: np.float32, out: NDArray[np.int8]
) -> int:
    """Write codes of ``(items, channels, positions)`` to ``(items, positions, channels)``; count those beyond scale."""
    items, channels, positions = x.shape
    clipped = 0
    strip = np.empty((channels, _STRIP), dtype=np.int8)
    for item in range(items):
        for start in range(0, positions, _STRIP):
            count = min(_STRIP, positions - start)
            for channel in range(channels):
                line, code = x[item, channel, start : start + count], strip[channel, :count]
                beyond = 0
                for i in range(count):
                    beyond += 1 if abs(line[i]) > scale else 0
                    code[i] = np.int32(min(max((line[i] * factor + _ROUND) - _ROUND, -levels), levels))
                clipped += beyond
            for i in range(count):
                for channel in range(channels):
                    out[item, start + i, channel] = strip[channel, i]
    return clipped


@torch.library.custom_op("ferrogen::channels_last_codes", mutates_args=())
def channels_last_codes(x: Tensor, input_scale: Tensor, levels: int) -> tuple[Tensor, Tensor]:
    """Return the converter's codes of inputs, and how many inputs are clipped.

    Args:
        x: float32, ``(items, channels, positions)``.
        input_scale: input of the largest code, shape ``()``.
        levels: largest code, at most 127.

    Returns:
        int8, ``(items, positions, channels)``; int64, shape ``()``.
    """
    factor = levels / input_scale
    if x.device.type != "cpu":
        codes = (x * factor).round_().clamp_(-levels, levels).to(torch.int8)
        return codes.transpose(1, 2).contiguous(), (x.abs() > input_scale).sum()
    out = torch.empty((x.shape[0], x.shape[2], x.shape[1]), dtype=torch.int8)
    numbers = np.float32(factor.item()), np.float32(input_scale.item()), np.float32(levels)
    clipped = _codes(x.contiguous().numpy(), *numbers, out.numpy())
    return out, torch.tensor(clipped, dtype=torch.int64)


@channels_last_codes.register_fake
def _shapes(x: Tensor, input_scale: Tensor, levels: int) -> tuple[Tensor, Tensor]:  # noqa: ARG001
    return x.new_empty((x.shape[0], x.shape[2], x.shape[1]), dtype=torch.int8), x.new_empty((), dtype=torch.int64)


@channels_last_codes.register_vmap
def _stacked(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> tuple[Any, tuple[int, int]]:
    results = []
    for chip in range(info.batch_size):
        own = [value if dim is None else value.select(dim, chip) for value, dim in zip(arguments, in_dims, strict=True)]
        results.append(channels_last_codes(*own))
    codes, clipped = zip(*results, strict=True)
    return (torch.stack(codes), torch.stack(clipped)), (0, 0)
