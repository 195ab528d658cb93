"""The cells of one array, drawn from a device card: device-to-device spread and traps, one entry a cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferrogen.core.errors import argument_error
from ferrogen.device.card import DeviceCard
from ferrogen.device.noise.amplitude import blocked_shares
from ferrogen.device.noise.traps import TrapPopulation, draw_parameter, draw_traps, no_traps
from ferrogen.device.transport.compact import conductance


@dataclass(frozen=True, slots=True)
class CellPopulation:
    """Cells of a ``rows`` x ``columns`` array.

    Attributes:
        on_conductance: [S], shape ``(rows, columns)``.
        off_conductance: [S], same shape.
        traps: their traps; cell (row, column) has the index ``column * rows + row``, so a column's traps are
        contiguous.
    """

    on_conductance: NDArray[np.float64]
    off_conductance: NDArray[np.float64]
    traps: TrapPopulation

    @property
    def rows(self) -> int:
        """Number of word lines."""
        return int(self.on_conductance.shape[0])

    @property
    def columns(self) -> int:
        """Number of bit lines."""
        return int(self.on_conductance.shape[1])

    def conductance(self, switched_fraction: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the conductance [S] of every cell with all traps empty, shape ``(rows, columns)``."""
        return conductance(switched_fraction, self.on_conductance, self.off_conductance)

    def trap_steps(
        self, switched_fraction: NDArray[np.float64], off_factor: float, limit: float = 0.5
    ) -> NDArray[np.float64]:
        """Return the conductance step [S] of every trap when it is occupied, shape ``(traps,)``.

        Args:
            switched_fraction: state of the cells, shape ``(rows, columns)``.
            off_factor: relative step in the off state over that in the on state.
            limit: largest relative step of one trap; for all of a cell's together see
                :func:`ferrogen.device.noise.amplitude.blocked_shares`.

        Raises:
            ArgumentError: a switched fraction outside 0 to 1.
        """
        cell = self.traps.cell
        s = switched_fraction.T.ravel()[cell]
        shares = blocked_shares(self.traps.amplitude, cell, self.rows * self.columns, s, off_factor, limit)
        return np.asarray(-shares * self.conductance(switched_fraction).T.ravel()[cell])

    def per_cell(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum one value a trap into one value a cell, shape ``(rows, columns)``."""
        cells = self.rows * self.columns
        sums = np.asarray(np.bincount(self.traps.cell, weights=values, minlength=cells), dtype=np.float64)
        return sums.reshape(self.columns, self.rows).T


def draw_population(
    card: DeviceCard, rows: int, columns: int, generator: np.random.Generator, *, with_traps: bool = True
) -> CellPopulation:
    """Draw the cells of an array.

    Args:
        card: device card.
        rows: word lines.
        columns: bit lines.
        generator: of this array; the same one gives the same cells.
        with_traps: False leaves the traps out, which take most of the time: programming does not see them.

    Raises:
        ArgumentError: a number of rows or columns below one.
    """
    for name, number in (("rows", rows), ("columns", columns)):
        if number < 1:
            raise argument_error(name, "be at least 1", number)
    cells = rows * columns
    on = draw_parameter(card, "on_conductance", cells, generator)
    off = draw_parameter(card, "off_conductance", cells, generator)
    return CellPopulation(
        on_conductance=on.reshape(columns, rows).T,
        off_conductance=off.reshape(columns, rows).T,
        traps=draw_traps(card, cells, generator) if with_traps else no_traps(cells),
    )
