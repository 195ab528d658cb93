"""Master weights as currents of cells on levels, scheme by scheme, with gradients.

What is asked of cells is that of :mod:`ferrogen.mapping.coding`; here it is in PyTorch, and differentiable: rounding
passes gradients unchanged. Of a bit-sliced weight it is the first slice that follows a small change of the weight
(rounding passed over, the others carry what it leaves: nothing), so the gradient goes through that one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from ferrogen.array.levels import DiscreteLevels, Levels
from ferrogen.mapping.coding.schemes import centre, slice_weights
from ferrogen.mapping.coding.spec import CodingSpec


@dataclass(frozen=True, slots=True)
class SignedLevels:
    """What conversions can show of numbers in [-1, 1].

    Attributes:
        steps: levels from 0 to 1; 0: any number.
        reach: what a full number takes of a conductance window.
        slice_weights: what each slice is worth of a number, most significant first; ``(1.0,)`` without slices.
        digit_steps: from 0 to 1 of all slices but the last.
    """

    steps: int
    reach: float
    slice_weights: tuple[float, ...] = (1.0,)
    digit_steps: int = 0


def signed_levels(coding: CodingSpec, levels: Levels) -> SignedLevels:
    """Return the levels of a coding."""
    steps = levels.count - 1 if isinstance(levels, DiscreteLevels) else 0
    if coding.scheme == "offset-column":
        half = centre(levels)[1]
        return SignedLevels(steps=round(half * steps), reach=half)
    if coding.scheme == "bit-sliced":
        weights = tuple(float(weight) for weight in slice_weights(coding))
        return SignedLevels(steps, 1.0, weights, 2**coding.bits_per_slice - 1)
    return SignedLevels(steps, 1.0)


def _rounded(share: torch.Tensor, steps: int) -> torch.Tensor:
    """Round in place."""
    return share.mul_(steps).round_().div_(steps) if steps else share


def _carried(share: torch.Tensor, levels: SignedLevels) -> torch.Tensor:
    """Return what conversions show of clipped numbers, ``(outputs * slices, inputs)``; works in place."""
    weights = levels.slice_weights
    if len(weights) == 1:
        return _rounded(share, levels.steps)
    digits = []
    for number, weight in enumerate(weights):
        digit = (share / weight).clamp_(-1.0, 1.0)
        if number < len(weights) - 1:
            digit = _rounded(_rounded(digit, levels.digit_steps), levels.steps)
            share = share - weight * digit
        digits.append(_rounded(digit, levels.steps))
    return torch.stack(digits, dim=1).flatten(0, 1)


class _Currents(torch.autograd.Function):
    """Master weights as mean currents: clipped, on levels, with deviations."""

    @staticmethod
    def forward(
        ctx: Any,
        weight: torch.Tensor,
        full_weight: torch.Tensor,
        levels: SignedLevels,
        window_current: torch.Tensor,
        deviation: torch.Tensor,
        held: torch.Tensor | None,
    ) -> torch.Tensor:
        ctx.save_for_backward(weight, full_weight, window_current, held)
        ctx.levels, inputs = levels, weight.shape[1]
        unit = window_current * levels.reach
        if len(levels.slice_weights) == 1 and levels.steps:
            shown = (weight * (levels.steps / full_weight)[:, None]).clamp_(-levels.steps, levels.steps).round_()
            unit = unit / levels.steps
        else:
            shown = _carried((weight / full_weight[:, None]).clamp_(-1.0, 1.0), levels)
        shown.mul_(unit)
        if held is not None:  # what a stuck cell shows is among the deviations
            shown.masked_fill_((held[0, :, :inputs] & (shown > 0.0)) | (held[1, :, :inputs] & (shown < 0.0)), 0.0)
        if inputs == deviation.shape[1]:
            return shown.add_(deviation)
        whole = deviation.clone()
        whole[:, :inputs] += shown
        return whole

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        weight, full_weight, window_current, held = ctx.saved_tensors
        levels = ctx.levels
        gradient = gradients[0][:: len(levels.slice_weights), : weight.shape[1]]
        slope = window_current * (levels.reach / levels.slice_weights[0]) / full_weight
        through = gradient * slope[:, None]
        # A weight beyond the window may come back, but is not pushed further out.
        beyond = weight.abs() > full_weight[:, None]
        if bool(beyond.any()):
            through.masked_fill_(beyond.logical_and_(gradient * weight <= 0.0), 0.0)
        if held is not None:
            # With one cell of a pair stuck the gradient passes on either side of zero: the way to the working cell.
            through.masked_fill_(held.all(dim=0)[:, : weight.shape[1]], 0.0)
        return through, None, None, None, None, None


def level_currents(
    weight: torch.Tensor,
    full_weight: torch.Tensor,
    levels: SignedLevels,
    window_current: torch.Tensor,
    deviation: torch.Tensor,
    held: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the mean currents at full input [A] of every conversion, ``(conversions, word lines)``, with gradients.

    The gradient passes the rounding unchanged. Of a weight beyond the window it is the projected gradient: nothing that
    would push the weight further out in descent, all that brings it back.

    Args:
        weight: master weights, shape ``(outputs, inputs)``.
        full_weight: weight that fills the window, shape ``(outputs,)``.
        levels: of the cells.
        window_current: of a cell's whole window at full input [A], shape ``()``.
        deviation: what is added to the currents of the levels [A], shape ``(conversions, word lines)``.
        held: which cells of differential pairs are stuck and follow no weight, bool, shape ``(2, conversions, word
            lines)``, those of positive weights first; None: none. What they show is a deviation.
    """
    currents: torch.Tensor = _Currents.apply(weight, full_weight, levels, window_current, deviation, held)  # type: ignore[no-untyped-call]
    return currents
