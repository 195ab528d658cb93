"""The tensors that a product uses, and how large sums of their digits can be."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True, eq=False)
class Tiles:
    """What :class:`ferrogen.chip.engine.prepared.Prepared` holds for products; attributes are described there."""

    mean_digits: torch.Tensor
    mean_step: torch.Tensor
    variance_digits: torch.Tensor
    variance_step: torch.Tensor
    strongest_rows: torch.Tensor
    strongest_variance: torch.Tensor
    noise: torch.Tensor
    full_scale: torch.Tensor
    key: torch.Tensor
    reference_of: torch.Tensor | None
    output_levels: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """Largest magnitude of the sums over the rows of a tile: of means, of variances' high digits, and of mixed ones."""

    mean: int
    high: int
    cross: int


def largest_sums(rows: int) -> Bounds:
    """Bound the sums over ``rows``: bytes are within 128, high digits of squares within 126, low ones within 64."""
    return Bounds(mean=rows * 127 * 128, high=rows * 126 * 127, cross=rows * (126 * 127 + 64 * 127))
