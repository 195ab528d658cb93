"""Which physical lines of a tile carry which logical rows and pairs, and what its faults leave of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ferrogen.array.faults import FaultMap
from ferrogen.array.faults_lines import LineShares, line_shares
from ferrogen.core.errors import argument_error


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """Where a tile's logical rows and pairs are.

    Attributes:
        row_of: logical row that every word line is driven with, -1 for none (grounded), shape ``(rows,)``. Word lines
            that are shorted may carry the same.
        pair_of: physical pair of every logical pair, -1 for none, shape ``(logical pairs,)``.
        flipped: whether the right line of a pair carries its positive weights; its codes are negated. Same shape.
        rows: how many logical rows there are.

    Raises:
        ArgumentError: numbers that are not there, or a physical pair used twice.
    """

    row_of: NDArray[np.int64]
    pair_of: NDArray[np.int64]
    flipped: NDArray[np.bool_]
    rows: int

    def __post_init__(self) -> None:
        if np.any((self.row_of < -1) | (self.row_of >= self.rows)):
            raise argument_error("row_of", f"hold rows below {self.rows}, or -1", "outside in places")
        used = self.pair_of[self.pair_of >= 0]
        if np.any(self.pair_of < -1) or np.unique(used).size != used.size:
            raise argument_error("pair_of", "name every physical pair once at most", "naming one twice, or below -1")
        if self.flipped.shape != self.pair_of.shape:
            raise argument_error("flipped", f"have the shape {self.pair_of.shape}", self.flipped.shape)

    @property
    def pairs(self) -> int:
        """How many logical pairs there are."""
        return int(self.pair_of.size)

    @property
    def line_of(self) -> NDArray[np.int64]:
        """Physical bit line of every logical one (2 k and 2 k + 1 are pair k), -1 for none, ``(2 * pairs,)``."""
        left = np.where(self.pair_of < 0, -1, 2 * self.pair_of + self.flipped)
        right = np.where(self.pair_of < 0, -1, 2 * self.pair_of + ~self.flipped)
        return np.stack([left, right], axis=1).ravel()

    def to_physical(self, logical: NDArray[np.float64], columns: int, rest: float) -> NDArray[np.float64]:
        """Return values of logical cells ``(rows, 2 * pairs)`` on the tile's cells ``(word lines, columns)``.

        Args:
            logical: one value a logical cell.
            columns: of the tile.
            rest: value of cells that carry nothing; of word lines with the same logical row all but the first, too.
        """
        values = np.full((self.row_of.size, columns), rest)
        lines = self.line_of
        placed = np.flatnonzero(lines >= 0)
        carried, first = np.unique(self.row_of, return_index=True)
        used = carried >= 0
        values[np.ix_(first[used], lines[placed])] = logical[np.ix_(carried[used], placed)]
        return values

    def offsets(self, physical: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what the converters' offsets, one a physical pair, add to the logical pairs' codes."""
        signed = np.where(self.flipped, -1.0, 1.0) * physical[np.maximum(self.pair_of, 0)]
        return np.asarray(np.where(self.pair_of < 0, 0.0, signed))


def first_lines(rows: int, pairs: int, *, spare_rows: int, spare_pairs: int) -> Placement:
    """Return the placement that uses the first lines of a tile and leaves the last ones spare."""
    used = rows - spare_rows
    row_of = np.where(np.arange(rows) < used, np.arange(rows), -1)
    kept = pairs - spare_pairs
    return Placement(row_of, np.arange(kept), np.zeros(kept, dtype=np.bool_), used)


def tile_shares(faults: FaultMap | None, placement: Placement | None, rows: int, columns: int) -> LineShares | None:
    """Return what logical inputs and outputs see of a tile's cells; None if they are simply its rows and columns."""
    broken = faults is not None and faults.breaks_lines
    if not broken and placement is None:
        return None
    shares = line_shares(faults if faults is not None and broken else FaultMap(rows, columns))
    if placement is None:
        return shares
    driven, lines = np.flatnonzero(placement.row_of >= 0), placement.line_of
    wired = np.flatnonzero(lines >= 0)
    rows_to = sparse.csr_array((np.ones(driven.size), (placement.row_of[driven], driven)), shape=(placement.rows, rows))
    lines_to = sparse.csr_array((np.ones(wired.size), (lines[wired], wired)), shape=(columns, lines.size))
    return LineShares(
        inputs=sparse.csr_array(rows_to @ shares.inputs),
        outputs=sparse.csr_array(shares.outputs @ lines_to),
        floating_rows=shares.floating_rows,
        floating_columns=shares.floating_columns,
    )
