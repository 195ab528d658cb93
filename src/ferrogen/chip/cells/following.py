"""Which traps of a block of cells are followed one by one, and what the rest amounts to.

Followed are the traps that carry ``resolved_share`` of the cells' variance, those first that carry most of it for the
time that following them takes. The rest enters with its exact mean, and as a Gaussian of exactly its variance, fresh in
every product: it is made of traps that hardly matter, and of traps that move so often that they forget from product to
product. ``resolved_share`` = 1 follows every trap.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.schedule import READ_PHASE, chip_schedule
from ferrogen.chip.tile import ProductStatistics, Tile
from ferrogen.core.errors import argument_error
from ferrogen.core.streams import Purpose
from ferrogen.device.noise.rtn.runs import FollowedTraps

Array = NDArray[np.float64]

# Digits of a trap's step: with 18 of an input and 10 of the number of rows they stay below the 53 of a double, so sums
# of products are exact.
_STEP_DIGITS = 22
# Visiting a trap costs about as much as this many moves to and fro.
_VISIT = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class BlockCells:
    """The cells of a rectangle of a tile's logical rows and lines, at one operating point.

    Inputs reach *groups* of cells that see the same, and groups of cells end in the same amplifiers; with intact lines
    a group is simply a row or a line.

    Attributes:
        still: what the cells present with their followed traps empty, and the variance of the rest; before wires and
            lines, as :attr:`.Tile.known`.
        traps: the followed ones; their columns are line groups, their rows are row groups.
        step: what a trap's weight of one stands for [S].
        inputs: share of every input in every row group, sparse, ``(row groups, rows)``; None: they are the rows.
        outputs: share of every line group in every line, sparse, ``(lines, line groups)``; None: they are the lines.
        followed_share: of the cells' variance.
        every: how many traps there are, followed or not.
    """

    still: ProductStatistics
    traps: FollowedTraps
    step: float
    inputs: sparse.csr_array | None
    outputs: sparse.csr_array | None
    followed_share: float
    every: int

    @property
    def bytes(self) -> int:
        """Memory that the table of traps takes."""
        part = self.traps
        return int(part.address.nbytes + part.row.nbytes + part.weight.nbytes + part.rates.nbytes + part.starts.nbytes)


def block_cells(
    tile: Tile, point: OperatingPoint, *, rows: slice, lines: slice, resolved_share: float = 1.0
) -> BlockCells:
    """Choose and tabulate the traps of a block.

    Args:
        tile: programmed.
        point: operating point.
        rows: logical word lines of the block.
        lines: its logical bit lines.
        resolved_share: share of the variance that followed traps carry, in (0, 1].

    Raises:
        ArgumentError: a share outside (0, 1].
    """
    if not 0.0 < resolved_share <= 1.0:
        raise argument_error("resolved_share", "lie in (0, 1]", resolved_share)
    population = tile.population()
    schedule = chip_schedule(point, samples=tile.samples, observe="product")
    rates, voltage = tile.trap_rates(population, schedule, point.temperature)
    duration = np.array([phase.duration for phase in schedule.phases])
    to_one, to_zero = (np.ascontiguousarray(rates[:, voltage, k] * duration) for k in range(2))
    mean, variance = tile.trap_moments(to_one, to_zero, schedule)
    steps = tile.steps(population)
    groups = _groups(tile, rows, lines)
    cell = population.traps.cell
    row, column = groups.row[cell], groups.column[cell]
    present = (row >= 0) & (column >= 0)
    share = steps**2 * variance
    followed = _worth_following(
        np.where(present, share, 0.0), np.minimum(to_one, to_zero).sum(axis=1), resolved_share, present
    )
    rest = ~followed
    still = ProductStatistics(
        mean=tile.conductance(population) + population.per_cell(np.where(rest, steps * mean, 0.0)),
        variance=population.per_cell(np.where(rest, share, 0.0)),
    )
    chosen = np.flatnonzero(followed)
    chosen = chosen[np.argsort(column[chosen], kind="stable")]
    largest = float(np.abs(steps[chosen]).max(initial=0.0))
    step = 2.0 ** (math.ceil(math.log2(largest)) - _STEP_DIGITS) if largest > 0.0 else 1.0
    total = float(share[present].sum())
    return BlockCells(
        still=still,
        traps=FollowedTraps(
            key=tile.streams.key(Purpose.TELEGRAPH_WINDOW, tile.number),
            address=chosen.astype(np.uint32),
            starts=np.searchsorted(column[chosen], np.arange(groups.columns + 1)).astype(np.int64),
            row=row[chosen].astype(np.int32),
            weight=np.round(steps[chosen] / step).astype(np.float32),
            rates=np.ascontiguousarray(rates[chosen]),
            voltage=voltage,
            duration=duration,
            observed=READ_PHASE,
        ),
        step=step,
        inputs=groups.inputs,
        outputs=groups.outputs,
        followed_share=float(share[chosen].sum()) / total if total > 0.0 else 1.0,
        every=int(present.sum()),
    )


def _worth_following(
    share: Array, moves: Array, resolved_share: float, present: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    if resolved_share >= 1.0:
        return present
    worth = share / (_VISIT + moves)
    order = np.argsort(-worth, kind="stable")
    total = np.cumsum(share[order])
    followed = np.zeros(share.shape[0], dtype=np.bool_)
    if total.size and total[-1] > 0.0:
        followed[order[: int(np.searchsorted(total, resolved_share * total[-1])) + 1]] = True
    return followed


@dataclass(frozen=True, slots=True, eq=False)
class _Groups:
    """Row and line group of every cell (-1: the block does not see it), the latter's number, and their shares."""

    row: NDArray[np.int64]
    column: NDArray[np.int64]
    columns: int
    inputs: sparse.csr_array | None
    outputs: sparse.csr_array | None


def _groups(tile: Tile, rows: slice, lines: slice) -> _Groups:
    shares = tile.shares()
    height, width = tile.spec.rows, tile.spec.columns
    if shares is None:
        cell_row, cell_column = np.tile(np.arange(height), width), np.repeat(np.arange(width), height)
        inside = (cell_row >= rows.start) & (cell_row < rows.stop)
        within = (cell_column >= lines.start) & (cell_column < lines.stop)
        return _Groups(
            np.where(inside, cell_row - rows.start, -1),
            np.where(within, cell_column - lines.start, -1),
            lines.stop - lines.start,
            None,
            None,
        )
    row, inputs = _alike(sparse.csr_array(shares.inputs[rows].T))
    column, outputs = _alike(sparse.csr_array(shares.outputs[:, lines]))
    return _Groups(row, column, int(outputs.shape[0]), inputs, sparse.csr_array(outputs.T))


def _alike(of_cells: sparse.csr_array) -> tuple[NDArray[np.int64], sparse.csr_array]:
    """Number the different rows of a sparse matrix with few entries a row; -1 for empty ones. Return them, too."""
    of_cells.sort_indices()
    entries = np.diff(of_cells.indptr)
    most = int(entries.max(initial=0))
    table = np.full((of_cells.shape[0], 2 * most), -1.0)
    at = np.repeat(np.arange(of_cells.shape[0]), entries)
    place = np.arange(of_cells.nnz) - np.repeat(of_cells.indptr[:-1], entries)
    table[at, 2 * place], table[at, 2 * place + 1] = of_cells.indices, of_cells.data
    used = np.flatnonzero(entries)
    number = np.full(of_cells.shape[0], -1, dtype=np.int64)
    if used.size == 0:
        return number, sparse.csr_array((0, of_cells.shape[1]))
    _, first, inverse = np.unique(table[used], axis=0, return_index=True, return_inverse=True)
    number[used] = inverse.ravel()
    return number, sparse.csr_array(of_cells[used[first]])
