"""The product on a processor: exact integer products in blocks that stay in its cache, and one pass after them."""

from __future__ import annotations

import numpy as np
import torch

from ferrogen.chip.engine.integers import Backend, choose_backend, integer_product
from ferrogen.chip.engine.kernels import convert, spread
from ferrogen.chip.engine.tensors import Tiles, largest_sums

_BLOCK = 65536  # conversions of one row tile at a time: their four sums take 1 MiB
_LEAST, _MOST = 64, 4096  # vectors of a block
_LANES = 16  # of a vector register: vectors are filled up to a multiple


def _block(outputs: int) -> int:
    return max(_LEAST, min(_MOST, _BLOCK // outputs // _LANES * _LANES))


def fused_product(
    codes: torch.Tensor,
    tiles: Tiles,
    addresses: torch.Tensor,
    added: torch.Tensor | None,
    *,
    fast: bool,
    backend: Backend | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Multiply on a processor; arguments and result as in :func:`ferrogen.chip.engine.product.product`.

    Args:
        codes: as there, likewise ``addresses``, ``added`` and ``fast``.
        tiles: the tensors.
        addresses: of the vectors.
        added: further currents.
        fast: whether to leave out low digits.
        backend: of the integer products; None: the fast one. All give the same bits.
    """
    way = choose_backend(codes.device) if backend is None else backend
    vectors, (row_tiles, outputs), rows = codes.shape[0], tiles.mean_step.shape, tiles.mean_digits.shape[2]
    bounds, filled = largest_sums(rows), -(-vectors // _LANES) * _LANES
    missing = (0, row_tiles * rows - codes.shape[1], 0, filled - vectors)
    padded = torch.nn.functional.pad(codes, missing) if any(missing) else codes.contiguous()
    out = torch.empty((vectors, outputs), dtype=torch.float32)
    code, where = padded.numpy(), addresses.contiguous().numpy()
    full_scale = tiles.full_scale.to(torch.float32)
    noise = (tiles.noise / full_scale).square().numpy()
    more = None if added is None else added.to(torch.float32).contiguous().numpy()
    nothing = np.empty((0, 0), dtype=np.float32)
    constants = [
        tuple(part[tile].contiguous() for part in (tiles.mean_digits, tiles.variance_digits))
        for tile in range(row_tiles)
    ]
    mean_step, variance_step, strongest_rows, strongest_variance = (
        part.contiguous().numpy()
        for part in (tiles.mean_step, tiles.variance_step, tiles.strongest_rows, tiles.strongest_variance)
    )
    references = np.empty(0, dtype=np.int64) if tiles.reference_of is None else tiles.reference_of.contiguous().numpy()
    key, levels = np.int64(tiles.key.item()).astype(np.uint64), np.float32(tiles.output_levels)
    share = np.float32((1.0 / full_scale).item())
    scale = full_scale / tiles.output_levels if tiles.output_levels else full_scale
    clipped, block = 0, _block(outputs)
    for first in range(0, vectors, block):
        lanes = min(block, filled - first)
        powers = torch.empty((lanes, 2 * rows), dtype=torch.int8)
        squares = np.empty((rows, lanes), dtype=np.float32)
        total = np.zeros((outputs, lanes), dtype=np.float32)
        for tile in range(row_tiles):
            spread(code, first, tile * rows, powers.numpy(), squares)
            whole, parts = constants[tile]
            turned = padded[first : first + lanes, tile * rows : (tile + 1) * rows].T
            means = integer_product(whole, turned, bounds.mean, way)
            high = integer_product(parts[:, rows:], powers[:, :rows].T, bounds.high, way)
            cross = high[:0] if fast else integer_product(parts, powers.T, bounds.cross, way)
            clipped += convert(
                means.numpy(),
                high.numpy(),
                cross.numpy(),
                squares,
                mean_step[tile],
                variance_step[tile],
                strongest_rows[tile],
                strongest_variance[tile],
                noise[tile],
                references,
                nothing if more is None else more[tile],
                share,
                levels,
                key,
                tile,
                where,
                first,
                min(lanes, vectors - first),
                total,
            )
        out[first : first + lanes].copy_(torch.from_numpy(total).T[: vectors - first])
    return out.mul_(scale), torch.tensor(clipped, dtype=torch.int64)
