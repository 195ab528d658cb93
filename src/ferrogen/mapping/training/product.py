"""The noisy product with gradients: two products forwards, three backwards, and one pass over the outputs each way.

Outputs are I = convert(s M + sigma(s) z), with shares s of the full drive, mean currents M, sigma^2 = s^2 V + e^2, V
the cells' variances, e the electronic noise and z addressed standard normals (reparameterisation: Kingma and Welling
2014, arXiv:1312.6114). With g the gradient of the outputs inside the converter's range:

    dL/dM = s^T g,    dL/ds = g M^T + s * ((g z / sigma) V^T),    dL/dV = (s^2)^T (g z / sigma) / 2.

A reference line that several outputs subtract is one more line with noise, and no output of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from ferrogen.chip.product import split_rows
from ferrogen.mapping.training.straight_through import converted, to_codes


@dataclass(frozen=True, slots=True, eq=False)
class Conversion:
    """What turns a row tile's currents into codes.

    Attributes:
        noise: rms of amplifier and shot noise in a conversion [A], shape ``(row_tiles, outputs)``.
        full_scale: of integrator and converter [A], shape ``()``.
        levels: largest code; 0: an ideal converter, which neither rounds nor clips.
        reference_of: which reference line an output subtracts, int64, shape ``(outputs,)``; None: there are none.
    """

    noise: torch.Tensor
    full_scale: torch.Tensor
    levels: int
    reference_of: torch.Tensor | None = None


def _line_deviations(split: torch.Tensor, variance: torch.Tensor, conversion: Conversion) -> torch.Tensor:
    """Return the standard deviations of all lines' currents [A], ``(row_tiles, vectors, lines)``."""
    squared = torch.bmm(split.square(), variance)
    outputs = conversion.noise.shape[1]
    squared[:, :, :outputs] += conversion.noise[:, None].square()
    return squared.sqrt_()


class _NoisyProduct(torch.autograd.Function):
    """Forwards and backwards as in the head of this file."""

    @staticmethod
    def forward(
        ctx: Any,
        shares: torch.Tensor,
        mean: torch.Tensor,
        variance: torch.Tensor,
        conversion: Conversion,
        normals: torch.Tensor,
    ) -> torch.Tensor:
        row_tiles, rows, outputs = mean.shape
        split = split_rows(shares, row_tiles, rows)
        current = torch.bmm(split, mean)
        deviation = _line_deviations(split, variance, conversion)
        if conversion.reference_of is None:
            current.addcmul_(deviation, normals)
        else:
            noise = deviation * normals
            current += noise[:, :, :outputs]
            current -= noise[:, :, outputs:].index_select(2, conversion.reference_of)
        # Where nothing varies, the root's slope is infinite, but there is no noise to follow.
        ratio = torch.where(deviation > 0.0, normals / deviation, 0.0)
        inside = current.abs() <= conversion.full_scale if conversion.levels else None
        ctx.save_for_backward(shares, mean, variance, ratio, inside)
        ctx.conversion = conversion
        if conversion.levels:
            current = to_codes(current, conversion.full_scale, conversion.levels)
        return current[0] if row_tiles == 1 else current.sum(dim=0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        shares, mean, variance, ratio, inside = ctx.saved_tensors
        row_tiles, rows, outputs = mean.shape
        split = split_rows(shares, row_tiles, rows)
        through = gradients[0][None].expand(row_tiles, -1, -1)
        if inside is not None:
            through = through * inside
        to_shares = to_mean = to_variance = None
        if ctx.needs_input_grad[1]:
            # In the layout of weights, outputs first: what comes before it works element by element.
            to_mean = torch.bmm(through.transpose(1, 2), split).transpose(1, 2)
        if ctx.needs_input_grad[0] or ctx.needs_input_grad[2]:
            of_lines = _of_lines(through, ctx.conversion.reference_of, variance.shape[2] - outputs)
            of_noise = ratio * of_lines
            if ctx.needs_input_grad[0]:
                back = torch.bmm(of_noise, variance.transpose(1, 2)).mul_(split)
                back.baddbmm_(through, mean.transpose(1, 2))
                to_shares = back.transpose(0, 1).reshape(shares.shape[0], -1)[:, : shares.shape[1]]
            if ctx.needs_input_grad[2]:
                to_variance = torch.bmm(split.square().transpose(1, 2), of_noise).mul_(0.5)
        return to_shares, to_mean, to_variance, None, None


def _of_lines(through: torch.Tensor, reference_of: torch.Tensor | None, references: int) -> torch.Tensor:
    """Return the gradients of all lines' currents: of a reference, minus the sum of its outputs'."""
    if reference_of is None:
        return through
    common = through.new_zeros((*through.shape[:2], references))
    common.index_add_(2, reference_of, through, alpha=-1)
    return torch.cat([through, common], dim=2)


def noisy_product(
    shares: torch.Tensor, mean: torch.Tensor, variance: torch.Tensor, conversion: Conversion, normals: torch.Tensor
) -> torch.Tensor:
    """Return the sums of the row tiles' converted currents [A], shape ``(vectors, outputs)``, with gradients.

    Args:
        shares: inputs as shares of the full drive, shape ``(vectors, inputs)``; missing rows of the last tile count as
            zero.
        mean: differential currents at full input [A], shape ``(row_tiles, rows, outputs)``.
        variance: of lines' currents from product to product [A^2], shape ``(row_tiles, rows, lines)``: outputs, and
            behind them reference lines, if there are any.
        conversion: electronic noise and converter.
        normals: standard normals, shape ``(row_tiles, vectors, lines)``.
    """
    outputs: torch.Tensor = _NoisyProduct.apply(shares, mean, variance, conversion, normals)  # type: ignore[no-untyped-call]
    return outputs


def noisy_currents(
    current: torch.Tensor, shares: torch.Tensor, variance: torch.Tensor, conversion: Conversion, normals: torch.Tensor
) -> torch.Tensor:
    """Return the same as :func:`noisy_product` for mean currents that were found otherwise, e.g. behind wires.

    Args:
        current: mean currents [A], shape ``(row_tiles, vectors, outputs)``.
        shares: as in :func:`noisy_product`; likewise the others.
        variance: of the lines' currents at full input.
        conversion: electronic noise and converter.
        normals: of the lines.
    """
    split = split_rows(shares, variance.shape[0], variance.shape[1])
    outputs = current.shape[2]
    electronic = torch.nn.functional.pad(conversion.noise, (0, variance.shape[2] - outputs))
    squared = torch.bmm(split.square(), variance) + electronic[:, None].square()
    noise = torch.where(squared > 0.0, squared, 1.0).sqrt() * (squared > 0.0) * normals
    noisy = current + noise[:, :, :outputs]
    if conversion.reference_of is not None:
        noisy = noisy - noise[:, :, outputs:].index_select(2, conversion.reference_of)
    return converted(noisy, conversion.full_scale, conversion.levels).sum(dim=0)
