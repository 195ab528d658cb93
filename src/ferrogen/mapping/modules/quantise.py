"""Inputs as converter codes, channels last, and how many of them were clipped: one pass instead of six."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor, library

from ferrogen.core.errors import argument_error

_STRIP = 64  # positions turned over together
_ROUND = np.float32(1.5 * 2.0**23)  # adding and subtracting it rounds to the nearest whole number, ties to even


@njit(cache=True, nogil=True, error_model="numpy")
def _codes(
    x: NDArray[np.float32], factor: np.float32, scale: np.float32, levels: np.float32, out: NDArray[np.int8]
) -> tuple[int, int]:
    """Write codes of ``(items, channels, positions)``, channels last; count those beyond scale, and NaN."""
    items, channels, positions = x.shape
    clipped, lost = 0, 0
    strip = np.empty((channels, _STRIP), dtype=np.int8)
    for item in range(items):
        for start in range(0, positions, _STRIP):
            count = min(_STRIP, positions - start)
            for channel in range(channels):
                line, code = x[item, channel, start : start + count], strip[channel, :count]
                beyond, missing = 0, 0
                for i in range(count):
                    beyond += 1 if abs(line[i]) > scale else 0
                    missing += 1 if line[i] != line[i] else 0
                    code[i] = np.int32(min(max((line[i] * factor + _ROUND) - _ROUND, -levels), levels))
                clipped += beyond
                lost += missing
            for i in range(count):
                for channel in range(channels):
                    out[item, start + i, channel] = strip[channel, i]
    return clipped, lost


def refuse_nan(x: Tensor) -> None:
    """Refuse inputs that are not numbers: no converter has a code for them.

    Raises:
        ArgumentError: NaN somewhere.
    """
    if bool(torch.isnan(x.sum())) and (lost := int(torch.isnan(x).sum())):  # the sum is quick, and seldom NaN
        raise _no_codes(lost, x.numel())


def _no_codes(lost: int, size: int) -> Exception:
    return argument_error(
        "inputs",
        "reach every layer on the chip as numbers",
        f"NaN in {lost} of {size} inputs of a layer",
        "A converter has no code for NaN: look at what is computed before.",
    )


# Not custom_op, whose first call imports torch's compiler: seconds.
_NAME = "ferrogen::channels_last_codes"
library.define(_NAME, "(Tensor x, Tensor input_scale, int levels) -> (Tensor, Tensor)")


def channels_last_codes(x: Tensor, input_scale: Tensor, levels: int) -> tuple[Tensor, Tensor]:
    """Return the converter's codes of inputs, and how many inputs are clipped.

    Args:
        x: float32, ``(items, channels, positions)``.
        input_scale: input of the largest code, shape ``()``.
        levels: largest code, at most 127.

    Returns:
        int8, ``(items, positions, channels)``; int64, shape ``()``.

    Raises:
        ArgumentError: NaN among the inputs.
    """
    result: tuple[Tensor, Tensor] = torch.ops.ferrogen.channels_last_codes.default(x, input_scale, levels)
    return result


@library.impl(_NAME, "CompositeExplicitAutograd")
def _coded(x: Tensor, input_scale: Tensor, levels: int) -> tuple[Tensor, Tensor]:
    factor = levels / input_scale
    if x.device.type != "cpu":
        refuse_nan(x)
        codes = (x * factor).round_().clamp_(-levels, levels).to(torch.int8)
        return codes.transpose(1, 2).contiguous(), (x.abs() > input_scale).sum()
    out = torch.empty((x.shape[0], x.shape[2], x.shape[1]), dtype=torch.int8)
    numbers = np.float32(factor.item()), np.float32(input_scale.item()), np.float32(levels)
    clipped, lost = _codes(x.detach().contiguous().numpy(), *numbers, out.numpy())
    if lost:
        raise _no_codes(lost, x.numel())
    return out, torch.tensor(clipped, dtype=torch.int64)


@library.register_fake(_NAME)  # type: ignore[untyped-decorator]
def _shapes(x: Tensor, input_scale: Tensor, levels: int) -> tuple[Tensor, Tensor]:  # noqa: ARG001
    return x.new_empty((x.shape[0], x.shape[2], x.shape[1]), dtype=torch.int8), x.new_empty((), dtype=torch.int64)


def _stacked(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> tuple[Any, tuple[int, int]]:
    results = []
    for chip in range(info.batch_size):
        own = [value if dim is None else value.select(dim, chip) for value, dim in zip(arguments, in_dims, strict=True)]
        results.append(channels_last_codes(*own))
    codes, clipped = zip(*results, strict=True)
    return (torch.stack(codes), torch.stack(clipped)), (0, 0)


library.register_vmap(_NAME, _stacked)
