"""What a grid of blocks presents to products: moments of its cells, or every cell in every cycle."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from ferrogen.chip.blocks import Block, BlockGrid
from ferrogen.chip.product import ProductMatrices
from ferrogen.chip.tile import ProductStatistics, Tile

Array = NDArray[np.float64]


def block_matrices(
    grid: BlockGrid,
    statistics: Callable[[int], ProductStatistics],
    drive: float,
    offset: torch.Tensor | None,
    correction: torch.Tensor | None,
) -> ProductMatrices:
    """Assemble what a grid of blocks presents to products.

    Args:
        grid: of the matrix.
        statistics: of a tile's logical cells; with reference lines, of every line by itself.
        drive: current per conductance at full input [V].
        offset: of the converters, ``(row blocks, 1, conversions)`` [steps]; None: none.
        correction: of the sums of their codes, ``(conversions,)`` [steps]; None: none.
    """
    count = sum(grid.conversions)
    shape = (len(grid.blocks), grid.rows, count)
    mean, variance, total = (np.zeros(shape, dtype=np.float32) for _ in range(3))
    loading = np.zeros((shape[0], 1, count), dtype=np.float32)
    common = np.zeros((shape[0], grid.rows, len(grid.conversions)), dtype=np.float32)
    starts = np.concatenate([[0], np.cumsum(grid.conversions)])
    for i, row in enumerate(grid.blocks):
        for j, block in enumerate(row):
            read = statistics(block.tile)
            place, used = slice(starts[j], starts[j + 1]), slice(block.rows)
            lines = read.mean[block.of_rows, block.of_lines]
            mean[i, used, place] = grid.differences(lines, j)
            total[i, used, place] = grid.sums(lines, j)
            own, shared = grid.variances(read.variance[block.of_rows, block.of_lines], j)
            variance[i, used, place] = own
            if shared is not None:
                common[i, used, j] = shared[..., 0]
            loading[i, 0, place] = grid.sums(read.mean[:, block.of_lines].sum(axis=0), j)
    referred = grid.references > 0
    return ProductMatrices(
        mean=torch.from_numpy(mean),
        variance=torch.from_numpy(variance),
        total=torch.from_numpy(total),
        drive=drive,
        offset=offset,
        correction=correction,
        loading=torch.from_numpy(loading),
        reference_variance=torch.from_numpy(common) if referred else None,
        reference_of=torch.from_numpy(np.repeat(np.arange(len(grid.conversions)), grid.conversions))
        if referred
        else None,
    )


def cell_differences(grid: BlockGrid, conductances: Callable[[Block], Array]) -> torch.Tensor:
    """Return the conductance that conversions see in every cycle, ``(cycles, row blocks, rows, conversions)``.

    Args:
        grid: of the matrix.
        conductances: of a block's lines in every cycle [S], ``(cycles, rows, lines)``.
    """
    rows = []
    for row in grid.blocks:
        parts = [grid.differences(conductances(block), j).astype(np.float32) for j, block in enumerate(row)]
        joined = np.concatenate(parts, axis=2)
        rows.append(np.pad(joined, ((0, 0), (0, grid.rows - joined.shape[1]), (0, 0))))
    return torch.from_numpy(np.stack(rows, axis=1))


def converter_offsets(
    grid: BlockGrid, tile_of: Callable[[int], Tile], corrections: Mapping[int, Array], pairs: int
) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """Return offsets of the converters ``(row blocks, 1, conversions)`` and corrections of their sums [steps].

    None where none is broken, or none corrected.

    Args:
        grid: of the matrix.
        tile_of: returns a programmed tile by its number.
        corrections: what is subtracted from the codes of a tile's physical pairs, by tile number.
        pairs: physical pairs of a tile.
    """
    tiles = [tile_of(number) for row in grid.tiles for number in row]
    broken = any(tile.faults is not None and tile.faults.offsets for tile in tiles)
    known = any(tile.number in corrections for tile in tiles)
    none = np.zeros(pairs)

    def logical(tile: Tile, physical: Array) -> Array:
        return physical if tile.placement is None else tile.placement.offsets(physical)

    def offset(block: Block) -> Array:
        tile = tile_of(block.tile)
        return logical(tile, none if tile.faults is None else tile.faults.offset_steps())

    def correction(block: Block) -> Array:
        return logical(tile_of(block.tile), corrections.get(block.tile, none))

    def whole(values: Array) -> torch.Tensor:
        return torch.from_numpy(values[:, None].astype(np.float32))

    offsets = whole(grid.gather(offset)) if broken else None
    return offsets, whole(grid.gather(correction)).sum(dim=(0, 1)) if known else None
