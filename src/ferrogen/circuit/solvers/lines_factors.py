"""Exact elimination of single lines: the triangular factors of every row line and every column line.

A line with the conductances s_k of its segments and c_k from node k to anything outside the line has the tridiagonal
matrix A = L D L^T. Seen from node k, the nodes before it are one conductance e_k to the outside:

    e_0 = c_0,   D_k = e_k + s_k,   e_(k+1) = c_(k+1) + e_k s_k / D_k,   L_(k+1,k) = -s_k / D_k.

Nothing is subtracted, so the factors are good to rounding whatever the resistances are (Alfa, Xue and Ye, Math. Comp.
71, 217, 2002), and a piece of line that is connected to nothing has a pivot of exactly 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ferrogen.circuit.network.network import Network
from ferrogen.circuit.solvers.lines_lanes import LANES, add, inverse, load, multiply, splat, store

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class LineFactors:
    """Conductances and factors, padded with unconnected nodes to whole lanes: ``M`` x ``N``.

    Arrays of rows lie in bands of eight rows, shape ``(M / 8, N, 8)``, those of columns in shape ``(M, N)``.

    Attributes:
        shape: (rows, columns) of the network.
        cells: conductances of the cells [S], in bands.
        row_pivot: 1 / D of the row lines [Ohm], 0 for nodes that are connected to nothing.
        row_link: s / D, from each node of a row line to the next one [1].
        column_pivot: 1 / D of the column lines.
        column_link: s / D from each node of a column line to the next one.
    """

    shape: tuple[int, int]
    cells: Array
    row_pivot: Array
    row_link: Array
    column_pivot: Array
    column_link: Array

    def flat(self) -> tuple[Array, Array, Array, Array, Array]:
        """Return (cells, row_pivot, row_link, column_pivot, column_link), flat, as they lie."""
        return (
            self.cells.ravel(),
            self.row_pivot.ravel(),
            self.row_link.ravel(),
            self.column_pivot.ravel(),
            self.column_link.ravel(),
        )

    def flat_by_rows(self) -> tuple[Array, Array, Array, Array, Array]:
        """Return the same without padding, flat, all of them row after row."""
        rows, columns = self.shape
        cells, row_pivot, row_link = (from_bands(a, self.shape) for a in (self.cells, self.row_pivot, self.row_link))
        column_pivot, column_link = (
            np.ascontiguousarray(array[:rows, :columns]) for array in (self.column_pivot, self.column_link)
        )
        return cells.ravel(), row_pivot.ravel(), row_link.ravel(), column_pivot.ravel(), column_link.ravel()


@njit(cache=True, nogil=True)
def _eliminate(
    outside: Any, segment: Any, pivot: Any, link: Any, blocks: int, block_step: int, nodes: int, step: int
) -> None:
    """Factor eight lines at once; node k of block b begins at ``b * block_step + k * step``."""
    for block in range(blocks):
        seen = splat(0.0)
        for node in range(nodes):
            at = block * block_step + node * step
            seen = add(seen, load(outside, at))
            along = load(segment, at)
            one_over = inverse(add(seen, along))
            share = multiply(along, one_over)
            store(pivot, at, one_over)
            store(link, at, share)
            seen = multiply(seen, share)


def in_bands(array: Array) -> Array:
    """Return an array of shape ``(M, N)`` in bands of eight rows, shape ``(M / 8, N, 8)``."""
    rows, columns = array.shape
    return np.ascontiguousarray(array.reshape(rows // LANES, LANES, columns).transpose(0, 2, 1))


def from_bands(array: Array, shape: tuple[int, int]) -> Array:
    """Undo :func:`in_bands` and cut the padding off."""
    bands, columns, lanes = array.shape
    return np.ascontiguousarray(array.transpose(0, 2, 1).reshape(bands * lanes, columns)[: shape[0], : shape[1]])


def padded(array: Array, shape: tuple[int, int]) -> Array:
    """Return an array with zeros appended up to whole lanes of ``shape``."""
    whole = np.zeros(tuple(-(-length // LANES) * LANES for length in shape))
    whole[: array.shape[0], : array.shape[1]] = array
    return whole


def factor_lines(network: Network, conductance: Array) -> LineFactors:
    """Return the factors of all lines of a network whose cells have the given conductances [S].

    Args:
        network: gives the wires.
        conductance: of the cells [S], shape ``(rows, columns)``, not negative.
    """
    rows, columns = shape = network.shape
    cells = padded(conductance, shape)
    by_rows = cells.copy()
    by_rows[:rows, 0] += 1.0 / network.row_left
    by_rows[:rows, columns - 1] += 1.0 / network.row_right
    by_columns = cells.copy()
    by_columns[0, :columns] += 1.0 / network.column_top
    by_columns[rows - 1, :columns] += 1.0 / network.column_bottom
    along_rows = in_bands(padded(1.0 / network.row_segments, shape))
    along_columns = padded(1.0 / network.column_segments, shape)
    row_pivot, row_link = np.empty_like(along_rows), np.empty_like(along_rows)
    column_pivot, column_link = np.empty_like(cells), np.empty_like(cells)
    height, width = cells.shape
    _eliminate(
        in_bands(by_rows).ravel(), along_rows.ravel(), row_pivot.ravel(), row_link.ravel(),
        height // LANES, width * LANES, width, LANES,
    )  # fmt: skip
    _eliminate(
        by_columns.ravel(), along_columns.ravel(), column_pivot.ravel(), column_link.ravel(),
        width // LANES, LANES, height, width,
    )  # fmt: skip
    return LineFactors(shape, in_bands(cells), row_pivot, row_link, column_pivot, column_link)
