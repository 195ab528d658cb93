"""Products of integer input codes with prepared tiles: the readable form, in double precision."""

from __future__ import annotations

import numpy as np
import torch

from ferrogen.chip.engine.prepared import Prepared
from ferrogen.core.philox import addressed_normals


def input_codes(x: torch.Tensor, input_scale: torch.Tensor | float, levels: int) -> torch.Tensor:
    """Return the converter's codes of inputs of any shape, int8; ``input_scale`` is the input of the largest code."""
    return (x * (levels / input_scale)).round_().clamp_(-levels, levels).to(torch.int8)


def product(
    codes: torch.Tensor,
    prepared: Prepared,
    addresses: torch.Tensor,
    *,
    added: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Multiply vectors of input codes by prepared tiles, convert every row tile's currents, and add the codes.

    Args:
        codes: int8, shape ``(vectors, inputs)``; missing rows of the last tile count as zero.
        prepared: the tiles.
        addresses: of the vectors' noise, int64, shape ``(vectors,)``: a vector's result depends on nothing else.
        added: further currents before conversion [A], ``(row_tiles, vectors, outputs)``, e.g. noise with a memory.

    Returns:
        sums of the row tiles' converted currents [A], float32 ``(vectors, outputs)``; number of clipped conversions.
    """
    row_tiles, rows, outputs = prepared.mean.shape
    padded = torch.nn.functional.pad(codes, (0, row_tiles * rows - codes.shape[1]))
    shares = padded.reshape(-1, row_tiles, rows).transpose(0, 1).double() / prepared.input_levels
    current = torch.bmm(shares, prepared.mean.double())
    variance = torch.bmm(shares.square(), prepared.variance.double()) + prepared.noise.double()[:, None].square()
    key = np.int64(prepared.key.item()).astype(np.uint64)
    normals = torch.from_numpy(addressed_normals(key, addresses.numpy(), row_tiles * outputs))
    current += variance.sqrt() * normals.reshape(-1, row_tiles, outputs).transpose(0, 1)
    if added is not None:
        current += added
    if prepared.output_levels == 0:
        return current.sum(dim=0).float(), torch.zeros((), dtype=torch.int64)
    step = prepared.full_scale.double() / prepared.output_levels
    clipped = (current.abs() > prepared.full_scale).sum()
    converted = (current / step).round().clamp(-prepared.output_levels, prepared.output_levels)
    return (converted.sum(dim=0) * step).float(), clipped
