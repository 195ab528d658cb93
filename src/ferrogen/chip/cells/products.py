"""A matrix on its blocks, cell by cell: what stands still, and what its traps add in the cycle of every vector.

What stands still is a :class:`.ProductMatrices` like any other, with the followed traps empty and the variance of the
rest, so it multiplies by the same paths; the traps' currents are added before conversion.

Steps of traps act on lines without the wires' drop, which is of the order of a thousandth of the voltage
(:attr:`CellProducts.largest_drop` says how much): relative to the noise, the error is that drop. What floating lines
leak makes no noise, as in the statistical products. Both are exact, and slow, in :meth:`.Tile.product_conductances`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from ferrogen.chip.blocks import BlockGrid
from ferrogen.chip.cells.currents import LineCurrents
from ferrogen.chip.cells.following import block_cells
from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.product import ProductMatrices
from ferrogen.chip.tile import ProductStatistics, Tile
from ferrogen.circuit.wires import Wires
from ferrogen.core.errors import argument_error

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class CellProducts:
    """A matrix whose traps are followed.

    Attributes:
        grid: where the matrix is.
        matrices: what it presents with its followed traps empty; their variance is that of the rest.
        lines: who follows the traps of every block, ``lines[row block][column block]``.
        largest_drop: share of the voltage that wires take from a cell, at most: the relative error of its noise.
    """

    grid: BlockGrid
    matrices: ProductMatrices
    lines: list[list[LineCurrents]]
    largest_drop: float

    @property
    def followed_traps(self) -> int:
        """How many traps are followed."""
        return sum(part.cells.traps.count for row in self.lines for part in row)

    @property
    def bytes(self) -> int:
        """Memory that the tables of traps take."""
        return sum(part.cells.bytes for row in self.lines for part in row)

    def trap_currents(self, seen: torch.Tensor, cycles: NDArray[np.int64]) -> torch.Tensor:
        """Return what occupied traps add to the conversions [A], float32 ``(row_tiles, vectors, conversions)``.

        The result for a vector depends on its inputs and its cycle alone, bit for bit.

        Args:
            seen: inputs as the cells see them, as a share of the full drive, ``(row_tiles, vectors, rows)``.
            cycles: the chip's cycle of each vector, not negative, shape ``(vectors,)``.

        Raises:
            ArgumentError: shapes that do not fit, or a negative cycle.
        """
        row_tiles, vectors, rows = len(self.grid.blocks), int(seen.shape[1]), self.grid.rows
        if tuple(seen.shape) != (row_tiles, vectors, rows) or cycles.shape != (vectors,):
            raise argument_error(
                "seen and cycles",
                f"have the shapes ({row_tiles}, vectors, {rows}) and (vectors,)",
                f"of shapes {tuple(seen.shape)} and {cycles.shape}",
            )
        if vectors and int(cycles.min()) < 0:
            raise argument_error("cycles", "not be negative", int(cycles.min()))
        order = np.argsort(cycles, kind="stable")
        rising = np.ascontiguousarray(cycles[order])
        out = np.empty((row_tiles, vectors, sum(self.grid.conversions)), dtype=np.float32)
        for i, parts in enumerate(self.lines):
            inputs = np.ascontiguousarray(seen[i].double().numpy()[order].T)
            at = 0
            for j, part in enumerate(parts):
                currents = part.add(inputs[: self.grid.blocks[i][j].rows], rising).T
                width = self.grid.conversions[j]
                out[i, order, at : at + width] = self.grid.differences(currents, j) * self.matrices.drive
                at += width
        return torch.from_numpy(out)


def cell_products(
    chip: Chip, grid: BlockGrid, point: OperatingPoint, matrices: ProductMatrices, *, resolved_share: float = 1.0
) -> CellProducts:
    """Make a matrix ready for products cell by cell.

    Args:
        chip: that it is on.
        grid: where on it.
        point: operating point.
        matrices: of the grid at this point (:meth:`.Chip.product_matrices`).
        resolved_share: share of the cells' variance that followed traps carry, in (0, 1]; 1: every trap is followed.

    Raises:
        ArgumentError: a share outside (0, 1].
    """
    mean, variance = torch.zeros_like(matrices.mean), torch.zeros_like(matrices.variance)
    reference = None if matrices.reference_variance is None else torch.zeros_like(matrices.reference_variance)
    lines: list[list[LineCurrents]] = []
    drop = 0.0
    for i, row in enumerate(grid.blocks):
        lines.append([])
        at = 0
        for j, block in enumerate(row):
            tile = chip.tile(block.tile)
            cells = block_cells(tile, point, rows=block.of_rows, lines=block.of_lines, resolved_share=resolved_share)
            lines[i].append(LineCurrents(cells, chip.threads))
            drop = max(drop, _largest_drop(tile, cells.still.mean))
            seen = _seen(replace(tile, known=(point, cells.still)), point, of_lines=grid.references > 0)
            own, common = grid.variances(seen.variance[block.of_rows, block.of_lines], j)
            difference = grid.differences(seen.mean[block.of_rows, block.of_lines], j)
            place = slice(at, at + grid.conversions[j])
            mean[i, : block.rows, place] = torch.from_numpy(difference)
            variance[i, : block.rows, place] = torch.from_numpy(own)
            if reference is not None and common is not None:
                reference[i, : block.rows, j] = torch.from_numpy(common[..., 0])
            at += grid.conversions[j]
    still = replace(matrices, mean=mean, variance=variance, reference_variance=reference)
    return CellProducts(grid, still, lines, drop)


def _seen(tile: Tile, point: OperatingPoint, *, of_lines: bool) -> ProductStatistics:
    statistics, shares = tile.product_statistics(point), tile.shares()
    if of_lines and shares is not None:
        own = shares.line_variance(tile.cell_statistics(point).variance)
        return ProductStatistics(statistics.mean, own)
    return statistics


def _largest_drop(tile: Tile, conductance: Array) -> float:
    wires = tile.spec.periphery.wires
    return float(np.abs(wires.drop(conductance)).max()) if isinstance(wires, Wires) else 0.0
