"""The product on a processor: exact integer products in blocks that stay in its cache, and one pass after them."""

from __future__ import annotations

import threading

import numpy as np
import torch

from ferrogen.chip.engine.integers import Backend, choose_backend, integer_product
from ferrogen.chip.engine.kernels import convert, spread
from ferrogen.chip.engine.tensors import Tiles, largest_sums

_BLOCK = 65536  # conversions of one row tile at a time: their four sums take 1 MiB
_CODES = (
    262144  # codes turned over at a time, of which few layers use all: with the sums, what a core's own cache holds
)
_LEAST, _MOST = 64, 2048  # vectors of a block
_LANES = 16  # of a vector register: vectors are filled up to a multiple


_NO_REFERENCES, _NOTHING_ADDED = np.empty(0, dtype=np.int64), np.empty((0, 0), dtype=np.float32)
_rooms = threading.local()


def _room(name: str, shape: tuple[int, int], kind: torch.dtype) -> torch.Tensor:
    """Return this thread's memory of that name, for anything to be written to: new memory costs more than the sums."""
    size = shape[0] * shape[1]
    known = getattr(_rooms, name, None)
    if known is None or known.numel() < size:
        with torch.inference_mode(mode=False):  # memory made in that mode could not be written to outside of it
            known = torch.empty(size, dtype=kind)
        setattr(_rooms, name, known)
    return known[:size].view(shape)


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
    lines, bounds, filled = tiles.variance_step.shape[1], largest_sums(rows), -(-vectors // _LANES) * _LANES
    missing = (0, row_tiles * rows - codes.shape[1], 0, filled - vectors)
    padded = torch.nn.functional.pad(codes, missing) if any(missing) else codes.contiguous()
    full_scale = tiles.full_scale.to(torch.float32)
    scale = full_scale / tiles.output_levels if tiles.output_levels else full_scale
    whole, parts = tiles.mean_digits.contiguous().unbind(0), tiles.variance_digits.contiguous()
    both, upper = parts.unbind(0), parts[:, :, rows:].unbind(0)
    mean_step, variance_step, strongest_rows, strongest_variance, noise = (
        part.contiguous().numpy()
        for part in (
            tiles.mean_step,
            tiles.variance_step,
            tiles.strongest_rows,
            tiles.strongest_variance,
            (tiles.noise / full_scale).square(),
        )
    )
    references = _NO_REFERENCES if tiles.reference_of is None else tiles.reference_of.contiguous().numpy()
    more = None if added is None else added.to(torch.float32).contiguous().numpy()
    share, levels = np.float32((1.0 / full_scale).item()), np.float32(tiles.output_levels)
    key = np.int64(tiles.key.item()).astype(np.uint64)
    code, where, clipped = padded.numpy(), addresses.contiguous().numpy(), 0
    out = torch.empty((vectors, outputs), dtype=torch.float32)
    used = np.zeros((row_tiles, rows), dtype=np.bool_)
    used[np.arange(row_tiles)[:, None], strongest_rows.reshape(row_tiles, -1)] = True
    block = min(filled, max(_LEAST, min(_MOST, _BLOCK // outputs, _CODES // rows) // _LANES * _LANES))
    lanes = 0
    for first in range(0, filled, max(block, 1)):
        if lanes != min(block, filled - first):  # of the first block, and of the last one
            lanes = min(block, filled - first)
            powers = _room("powers", (lanes, 2 * rows), torch.int8)
            turned_to = _room("turned", (rows, lanes), torch.int8).numpy()
            total = _room("total", (outputs, lanes), torch.float32)
            sums = [
                _room(name, (count, lanes), torch.int32)
                for name, count in (("means", 2 * outputs), ("high", lines), ("cross", lines))
            ]
            all_powers, high_powers = powers.T, powers[:, :rows].T
            spread_to, total_to, known = powers.numpy(), total.numpy(), [part.numpy() for part in sums]
        turned = padded[first : first + lanes].T
        total.zero_()
        for tile in range(row_tiles):
            spread(code, first, tile * rows, spread_to, turned_to, used[tile])
            means, high, cross = known
            if way == "int8":
                integer_product(whole[tile], turned[tile * rows : (tile + 1) * rows], bounds.mean, way, sums[0])
                integer_product(upper[tile], high_powers, bounds.high, way, sums[1])
                if not fast:
                    integer_product(both[tile], all_powers, bounds.cross, way, sums[2])
            else:
                means = integer_product(whole[tile], turned[tile * rows : (tile + 1) * rows], bounds.mean, way).numpy()
                high = integer_product(upper[tile], high_powers, bounds.high, way).numpy()
                if not fast:
                    cross = integer_product(both[tile], all_powers, bounds.cross, way).numpy()
            clipped += convert(
                means,
                high,
                cross[:0] if fast else cross,
                turned_to,
                mean_step[tile],
                variance_step[tile],
                strongest_rows[tile],
                strongest_variance[tile],
                noise[tile],
                references,
                _NOTHING_ADDED if more is None else more[tile],
                share,
                levels,
                key,
                tile,
                where,
                first,
                min(lanes, vectors - first),
                total_to,
            )
        out[first : first + lanes].copy_(total.T[: vectors - first])
    return out.mul_(scale), torch.tensor(clipped, dtype=torch.int64)
