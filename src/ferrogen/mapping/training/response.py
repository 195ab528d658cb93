"""What one weight matrix meets on its tiles: the way from a master weight to what products see of it.

A master weight becomes a level, the level a current, and to it comes what the chip makes different: programming errors,
traps that stay where they are, the drop along wires. These deviations are found once, when the tiles have been
programmed, and stay while the weights are trained; so do the cells' variances. Both are found anew after the next
programming.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from ferrogen.core.philox import addressed_normals
from ferrogen.mapping.training.product import Conversion, noisy_product
from ferrogen.mapping.training.straight_through import input_shares


class _Currents(torch.autograd.Function):
    """Master weights as mean currents: clipped, on levels, with deviations."""

    @staticmethod
    def forward(
        ctx: Any,
        weight: torch.Tensor,
        full_weight: torch.Tensor,
        steps: int,
        window_current: torch.Tensor,
        deviation: torch.Tensor,
    ) -> torch.Tensor:
        share = weight / full_weight[:, None]
        ctx.save_for_backward(share, full_weight, window_current)
        ctx.inputs = weight.shape[1]
        level = share.clamp(-1.0, 1.0)
        if steps:
            level.mul_(steps).round_().mul_(window_current / steps)
        else:
            level.mul_(window_current)
        if weight.shape[1] == deviation.shape[1]:
            return level.add_(deviation)
        whole = deviation.clone()
        whole[:, : weight.shape[1]] += level
        return whole

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        share, full_weight, window_current = ctx.saved_tensors
        gradient = gradients[0][:, : ctx.inputs]
        # A weight beyond the window may come back, but is not pushed further out.
        kept = (share.abs() <= 1.0).logical_or_(gradient * share > 0.0)
        return gradient * (window_current / full_weight)[:, None] * kept, None, None, None, None


@dataclass(frozen=True, slots=True, eq=False)
class TileResponse:
    """How the tiles of one weight matrix answer, as differential pairs.

    Attributes:
        full_weight: weight that fills the conductance window, shape ``(outputs,)``.
        steps: between the levels of a window; 0: cells take any conductance.
        window_current: of a full window at full input [A], shape ``()``.
        deviation: of the tiles' mean currents from those of the levels [A], shape ``(outputs, row_tiles * rows)``.
        variance: of the currents from product to product [A^2], shape ``(row_tiles, rows, outputs)``.
        conversion: electronic noise and converter.
        input_scale: input of the largest code, shape ``()``.
        input_levels: largest input code; 0: an ideal converter.
        output_scale: output for a current [1/A], shape ``(outputs,)``.
        key: of the stream of training noise.
    """

    full_weight: torch.Tensor
    steps: int
    window_current: torch.Tensor
    deviation: torch.Tensor
    variance: torch.Tensor
    conversion: Conversion
    input_scale: torch.Tensor
    input_levels: int
    output_scale: torch.Tensor
    key: np.uint64

    def currents(self, weight: torch.Tensor) -> torch.Tensor:
        """Return the mean currents at full input [A] of a weight matrix, shape ``(row_tiles, rows, outputs)``.

        The gradient passes the rounding unchanged. Of a weight beyond the window it is the projected gradient: nothing
        that would push the weight further out in descent, all that brings it back.

        Args:
            weight: shape ``(outputs, inputs)``.
        """
        row_tiles, rows, outputs = self.variance.shape
        whole: torch.Tensor = _Currents.apply(  # type: ignore[no-untyped-call]
            weight, self.full_weight, self.steps, self.window_current, self.deviation
        )
        return whole.view(outputs, row_tiles, rows).permute(1, 2, 0)

    def found(self, weight: torch.Tensor, mean: torch.Tensor) -> TileResponse:
        """Return this response with the deviations that tiles show.

        Args:
            weight: that was programmed, shape ``(outputs, inputs)``.
            mean: what the tiles present [A], shape ``(row_tiles, rows, outputs)``.
        """
        ideal = replace(self, deviation=torch.zeros_like(self.deviation)).currents(weight.detach())
        return replace(self, deviation=(mean - ideal).permute(2, 0, 1).reshape(self.deviation.shape).contiguous())

    def multiply(self, x: torch.Tensor, weight: torch.Tensor, addresses: torch.Tensor) -> torch.Tensor:
        """Multiply vectors by a weight matrix as the chip would, with gradients; the bias is not added.

        Args:
            x: inputs, shape ``(vectors, inputs)``.
            weight: master weights, shape ``(outputs, inputs)``.
            addresses: of the vectors' noise, int64, shape ``(vectors,)``.

        Returns:
            outputs, shape ``(vectors, outputs)``.
        """
        row_tiles, _, outputs = self.variance.shape
        shares = input_shares(x, self.input_scale, self.input_levels)
        drawn = torch.from_numpy(addressed_normals(self.key, addresses.cpu().numpy(), row_tiles * outputs))
        normals = drawn.to(x).view(-1, row_tiles, outputs).transpose(0, 1)
        current = noisy_product(shares, self.currents(weight), self.variance, self.conversion, normals)
        return current * self.output_scale
