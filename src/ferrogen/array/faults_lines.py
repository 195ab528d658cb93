"""What broken and shorted lines do to the currents of an array: pieces of line, who drives them, who senses them.

Breaks cut lines into pieces; shorts join pieces. In the limit of small wire resistance a connected set of pieces has
one potential. Of word lines: the mean of the inputs of all drivers that it is connected to (they have equal output
resistances, large against those of wires and shorts, small against those of cells). Of bit lines: zero, and its current
divides equally among the amplifiers that it is connected to (virtual grounds of equal input resistance). A set without
driver or amplifier floats at what its cells make of it: a piece of word line is tied to the virtual grounds, a piece of
bit line to the inputs, and where both cross, a little of the latter leaks through the former.

A filament between a word and a bit line counts as a cell of its conductance: what it does to the drivers' voltage and
to the virtual ground is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from ferrogen.array.faults import FaultMap

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class LineShares:
    """Which inputs a cell sees, and which outputs see it. Cell (row, column) has the index ``column * rows + row``.

    Attributes:
        inputs: share of every input in the voltage across a cell, sparse, shape ``(inputs, cells)``.
        outputs: share of a cell's current in every output, sparse, shape ``(cells, outputs)``.
        floating_rows: which cells are on every floating set of word lines, sparse, shape ``(sets, cells)``.
        floating_columns: likewise of bit lines.
    """

    inputs: sparse.csr_array
    outputs: sparse.csr_array
    floating_rows: sparse.csr_array
    floating_columns: sparse.csr_array

    def effective(self, conductance: Array) -> Array:
        """Return the conductances [S] between inputs and outputs, shape ``(inputs, outputs)``.

        Args:
            conductance: of the cells [S], shape ``(rows, columns)``.
        """
        direct = _through(self.inputs, conductance, self.outputs)
        leak = self._leak(conductance)
        return direct if leak is None else direct + leak

    def _leak(self, conductance: Array) -> Array | None:
        """Return what reaches outputs by floating bit and word lines [S]: Kirchhoff's law at the floating sets."""
        if self.floating_rows.shape[0] == 0 or self.floating_columns.shape[0] == 0:
            return None
        of_cells = sparse.diags_array(conductance.T.ravel())
        rows, columns = self.floating_rows @ of_cells, self.floating_columns @ of_cells
        crossing = (rows @ self.floating_columns.T).toarray()
        on_rows, on_columns = np.asarray(rows.sum(axis=1)), np.asarray(columns.sum(axis=1))
        # A set whose cells conduct nothing stays where it is, at zero.
        to_rows = crossing / np.where(on_rows > 0.0, on_rows, np.inf)[:, None]
        balance = np.diag(on_columns) - crossing.T @ to_rows
        driven = (columns @ self.inputs.T).toarray()
        potential = to_rows @ np.linalg.lstsq(balance, driven, rcond=None)[0]
        return np.asarray((rows @ self.outputs).T @ potential).T

    def variance(self, variance: Array) -> Array:
        """Return the variance map [S^2] of differential pairs, shape ``(inputs, outputs)``.

        The two lines of a pair hold half of the variance of their difference each. Where an input is the mean of two
        drivers it holds for uncorrelated inputs; leaks by floating lines make no noise here.

        Args:
            variance: of the cells' conductances [S^2], shape ``(rows, columns)``.
        """
        pairs = self.outputs[:, 0::2] - self.outputs[:, 1::2]
        halves = _through(self.inputs.power(2), variance, pairs.power(2)) / 2.0
        return np.repeat(halves, 2, axis=1)

    def line_variance(self, variance: Array) -> Array:
        """Return the variance map [S^2] of every output line by itself, shape ``(inputs, outputs)``.

        What lines that are joined have in common is left out; otherwise as :meth:`variance`.

        Args:
            variance: of the cells' conductances [S^2], shape ``(rows, columns)``.
        """
        return _through(self.inputs.power(2), variance, self.outputs.power(2))

    def driven(self) -> Array:
        """Return what a cell sees if all inputs are one, shape ``(cells,)``."""
        return np.asarray(self.inputs.sum(axis=0), dtype=np.float64)


def _through(inputs: sparse.csr_array, values: Array, outputs: sparse.csr_array) -> Array:
    weighted = inputs @ sparse.diags_array(values.T.ravel())
    return np.asarray((weighted @ outputs).toarray(), dtype=np.float64)


def line_shares(faults: FaultMap) -> LineShares:
    """Return what the broken, shorted and dead lines of an array leave of every cell."""
    rows, columns = faults.rows, faults.columns
    # Positions count from the end that is driven or sensed.
    row_pieces = _pieces(rows, columns, faults.open_rows)
    column_pieces = _pieces(columns, rows, [(k, rows - 1 - i) for i, k in faults.open_columns])
    drivers, adrift = _end_shares(row_pieces, [((i, k), (i + 1, k)) for i, k in faults.shorted_rows])
    readers, unread = _end_shares(
        column_pieces, [((k, rows - 1 - i), (k + 1, rows - 1 - i)) for i, k in faults.shorted_columns]
    )
    alive = np.ones(columns)
    alive[list(faults.dead_columns)] = 0.0
    cells, one = np.arange(rows * columns), np.ones(rows * columns)
    of_rows, of_columns = row_pieces.nodes.T.ravel(), column_pieces.nodes[:, ::-1].ravel()
    on_row = sparse.csr_array((one, (of_rows, cells)), shape=(row_pieces.count, cells.size))
    on_column = sparse.csr_array((one, (cells, of_columns)), shape=(cells.size, column_pieces.count))
    outputs = on_column @ readers.T @ sparse.diags_array(alive)
    return LineShares(
        inputs=sparse.csr_array(drivers @ on_row),
        outputs=sparse.csr_array(outputs),
        floating_rows=_with_cells(adrift @ on_row),
        floating_columns=_with_cells(unread @ on_column.T),
    )


def _with_cells(sets: sparse.csr_array) -> sparse.csr_array:
    """Return those sets that have any cells."""
    return sparse.csr_array(sets[np.asarray(sets.sum(axis=1)) > 0.0])


@dataclass(frozen=True, slots=True, eq=False)
class _Pieces:
    """Pieces of lines: that of every node ``(lines, length)``, that of every line's end ``(lines,)``, their number."""

    nodes: NDArray[np.int64]
    ends: NDArray[np.int64]
    count: int


def _pieces(lines: int, length: int, breaks: Sequence[tuple[int, int]]) -> _Pieces:
    """Number the pieces of lines that are broken just before (line, position), counted from the line's end."""
    cut = np.zeros((lines, length), dtype=np.int64)
    for line, position in breaks:
        cut[line, position] = 1
    within = np.cumsum(cut, axis=1)
    after = np.cumsum(within[:, -1] + 1)
    ends = np.concatenate([[0], after[:-1]])
    return _Pieces(within + ends[:, None], ends, int(after[-1]))


def _end_shares(
    pieces: _Pieces, shorts: Sequence[tuple[tuple[int, int], tuple[int, int]]]
) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Return the share of every line's end in every piece ``(lines, pieces)``, and the sets without ends."""
    first = np.array([pieces.nodes[a] for a, _ in shorts], dtype=np.int64)
    second = np.array([pieces.nodes[b] for _, b in shorts], dtype=np.int64)
    graph = sparse.csr_array((np.ones(first.size), (first, second)), shape=(pieces.count, pieces.count))
    count, label = connected_components(graph, directed=False)
    ends = np.bincount(label[pieces.ends], minlength=count)
    lines = np.arange(pieces.ends.size)
    of_ends = sparse.csr_array((1.0 / ends[label[pieces.ends]], (lines, label[pieces.ends])), shape=(lines.size, count))
    of_pieces = sparse.csr_array((np.ones(pieces.count), (label, np.arange(pieces.count))), shape=(count, pieces.count))
    return sparse.csr_array(of_ends @ of_pieces), sparse.csr_array(of_pieces[ends == 0])
