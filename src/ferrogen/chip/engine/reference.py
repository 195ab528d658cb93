"""The readable form of the product, in double precision from the float moments: what the fast forms are held to."""

from __future__ import annotations

import torch

from ferrogen.chip.engine.prepared import Prepared


def moments(codes: torch.Tensor, prepared: Prepared) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return mean [A], variance [A^2] of each conversion without references', and the references' variance [A^2].

    Args:
        codes: int8, shape ``(vectors, inputs)``; missing rows of the last tile count as zero.
        prepared: the tiles.

    Returns:
        float64, ``(row_tiles, vectors, outputs)`` twice and ``(row_tiles, vectors, references)``.
    """
    row_tiles, rows, _ = prepared.mean.shape
    padded = torch.nn.functional.pad(codes, (0, row_tiles * rows - codes.shape[1]))
    shares = padded.reshape(-1, row_tiles, rows).transpose(0, 1).double() / prepared.input_levels
    mean = torch.bmm(shares, prepared.mean.double())
    variance = torch.bmm(shares.square(), prepared.variance.double()) + prepared.noise.double()[:, None].square()
    lines = prepared.reference_variance
    shared = mean[:, :, :0] if lines is None else torch.bmm(shares.square(), lines.double())
    return mean, variance, shared


def reference_product(
    codes: torch.Tensor, prepared: Prepared, normals: torch.Tensor, added: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Multiply, add noise, convert every row tile's currents and add the codes.

    Args:
        codes: as in :func:`ferrogen.chip.engine.product.product`; likewise ``prepared`` and ``added``.
        prepared: the tiles.
        normals: standard normals, ``(row_tiles, vectors, lines)``.
        added: further currents before conversion [A].

    Returns:
        sums of the row tiles' converted currents [A], float64 ``(vectors, outputs)``; number of clipped conversions.
    """
    mean, variance, shared = moments(codes, prepared)
    current = mean + variance.sqrt() * normals[:, :, : prepared.outputs]
    if prepared.reference_of is not None:
        common = shared.sqrt() * normals[:, :, prepared.outputs :]
        chosen = prepared.reference_of.clamp(min=0)
        current -= torch.where(prepared.reference_of < 0, 0.0, common[:, :, chosen])
    if added is not None:
        current += added
    if prepared.output_levels == 0:
        return current.sum(dim=0), torch.zeros((), dtype=torch.int64)
    step = prepared.full_scale.double() / prepared.output_levels
    clipped = (current.abs() > prepared.full_scale).sum()
    converted = (current / step).round().clamp(-prepared.output_levels, prepared.output_levels)
    return converted.sum(dim=0) * step, clipped
