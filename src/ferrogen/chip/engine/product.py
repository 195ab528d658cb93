"""Products of integer input codes with prepared tiles."""

from __future__ import annotations

import numpy as np
import torch

from ferrogen.chip.engine.prepared import Prepared
from ferrogen.chip.engine.reference import reference_product
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
    row_tiles, lines = prepared.mean.shape[0], prepared.variance_step.shape[1]
    key = np.int64(prepared.key.item()).astype(np.uint64)
    normals = torch.from_numpy(addressed_normals(key, addresses.numpy(), row_tiles * lines))
    turned = normals.double().reshape(-1, row_tiles, lines).transpose(0, 1)
    result, clipped = reference_product(codes, prepared, turned, added)
    return result.float(), clipped
