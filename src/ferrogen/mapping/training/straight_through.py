"""Converters with gradients: straight through what is rounded, nothing through what is clipped.

The derivative of a staircase is zero almost everywhere; what training needs is the derivative of its mean over noise
(or over the neighbourhood of a value), and that is the slope of the line through the steps: Bengio et al. 2013,
arXiv:1308.3432. How far the two are apart, and when, is in docs/how-to/train-on-a-chip.md.
"""

from __future__ import annotations

from typing import Any

import torch


class _InputShares(torch.autograd.Function):
    """Inputs as shares of the full drive, on the codes of a converter."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, input_scale: torch.Tensor, levels: int) -> torch.Tensor:
        share = x / input_scale
        ctx.save_for_backward(input_scale, share.abs() <= 1.0)
        ctx.levels = levels
        return (share * levels).round_().clamp_(-levels, levels).div_(levels) if levels else share

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        input_scale, inside = ctx.saved_tensors
        through = gradients[0] / input_scale
        return (through * inside if ctx.levels else through), None, None


def input_shares(x: torch.Tensor, input_scale: torch.Tensor, levels: int) -> torch.Tensor:
    """Return inputs as shares of the full drive, rounded to a converter's codes and clipped to [-1, 1].

    The gradient passes the rounding unchanged; it is zero where inputs are clipped.

    Args:
        x: inputs, any shape.
        input_scale: input of the largest code, shape ``()``.
        levels: largest code; 0: an ideal converter, which neither rounds nor clips.
    """
    shares: torch.Tensor = _InputShares.apply(x, input_scale, levels)  # type: ignore[no-untyped-call]
    return shares


class _Converted(torch.autograd.Function):
    """Currents on the codes of an output converter."""

    @staticmethod
    def forward(ctx: Any, current: torch.Tensor, full_scale: torch.Tensor, levels: int) -> torch.Tensor:
        ctx.save_for_backward(current.abs() <= full_scale)
        return to_codes(current, full_scale, levels)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (inside,) = ctx.saved_tensors
        return gradients[0] * inside, None, None


def to_codes(current: torch.Tensor, full_scale: torch.Tensor, levels: int) -> torch.Tensor:
    """Return currents [A] rounded to a converter's codes and clipped to the full scale, without a gradient."""
    step = full_scale / levels
    return (current / step).round_().clamp_(-levels, levels).mul_(step)


def converted(current: torch.Tensor, full_scale: torch.Tensor, levels: int) -> torch.Tensor:
    """Return currents [A] as an output converter gives them; the gradient is one inside the range, zero outside.

    Args:
        current: any shape.
        full_scale: of integrator and converter [A], shape ``()``.
        levels: largest code; 0: an ideal converter, which neither rounds nor clips.
    """
    if levels == 0:
        return current
    codes: torch.Tensor = _Converted.apply(current, full_scale, levels)  # type: ignore[no-untyped-call]
    return codes
