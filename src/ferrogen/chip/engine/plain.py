"""The product in torch operations, for any device: the same numbers in the same order as on a processor."""

from __future__ import annotations

import torch

from ferrogen.chip.engine.integers import choose_backend, integer_product
from ferrogen.chip.engine.kernels import REFERENCE_PLANE
from ferrogen.chip.engine.tensors import Tiles, largest_sums
from ferrogen.chip.engine.torch_normals import exact_root, torch_normals


def _batched(left: torch.Tensor, right: torch.Tensor, bound: int) -> torch.Tensor:
    """Multiply int8 batches exactly; the result is rounded to single precision once, as a sum of int32 is."""
    if choose_backend(left.device) == "float":
        return integer_product(left, right, bound, "float").float()
    return torch.stack([integer_product(*pair, bound, "int8") for pair in zip(left, right, strict=True)]).float()


def plain_product(
    codes: torch.Tensor, tiles: Tiles, addresses: torch.Tensor, added: torch.Tensor | None, *, fast: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Multiply on the tensors' device; arguments and result as in :func:`ferrogen.chip.engine.product.product`."""
    row_tiles, outputs = tiles.mean_step.shape
    lines, rows = tiles.variance_step.shape[1], tiles.mean_digits.shape[2]
    device = codes.device
    padded = torch.nn.functional.pad(codes, (0, row_tiles * rows - codes.shape[1]))
    turned = padded.reshape(-1, row_tiles, rows).permute(1, 2, 0).contiguous()
    squares = turned.float().square()
    high = (squares * (1.0 / 128.0)).round()  # ties to even: half of all squares are divisible by four
    low = squares - high * 128.0
    bounds = largest_sums(rows)
    means = _batched(tiles.mean_digits, turned, bounds.mean)
    mean = (means[:, :outputs] * 256.0 + means[:, outputs:]) * tiles.mean_step[:, :, None]
    variance = _batched(tiles.variance_digits[:, :, rows:], high.to(torch.int8), bounds.high) * 128.0
    if not fast:
        powers = torch.cat([high, low], dim=1).to(torch.int8)
        variance = variance + _batched(tiles.variance_digits, powers, bounds.cross)
    noise = torch.nn.functional.pad((tiles.noise / tiles.full_scale).square(), (0, lines - outputs))
    variance = (variance * tiles.variance_step[:, :, None]).clamp_(min=0.0) + noise[:, :, None]
    tile = torch.arange(row_tiles, device=device)
    for k in range(tiles.strongest_rows.shape[2]):
        variance += squares[tile[:, None], tiles.strongest_rows[:, :, k]] * tiles.strongest_variance[:, :, k, None]
    deviation = exact_root(variance)
    current = mean + deviation[:, :outputs] * torch_normals(tiles.key, tile, addresses, outputs)
    if tiles.reference_of is not None:
        own = torch_normals(tiles.key, tile + REFERENCE_PLANE, addresses, lines - outputs)
        common = deviation[:, outputs:] * own
        current -= torch.where(tiles.reference_of[:, None] < 0, 0.0, common[:, tiles.reference_of.clamp(min=0)])
    if added is not None:
        current += added.to(torch.float32).transpose(1, 2) * (1.0 / tiles.full_scale)
    clipped = torch.zeros((), dtype=torch.int64, device=device)
    scale = tiles.full_scale
    if tiles.output_levels:
        clipped = (current.abs() > 1.0).sum()
        current = (current * float(tiles.output_levels)).clamp_(-tiles.output_levels, tiles.output_levels).round_()
        scale = scale / tiles.output_levels
    total = current[0].clone()
    for number in range(1, row_tiles):  # one after the other, for an ideal converter's sums are not whole numbers
        total += current[number]
    return (total * scale).T.contiguous(), clipped
