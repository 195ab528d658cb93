"""Wire resistance of a crosspoint as products see it: one effective conductance a cell, exact to a stated tolerance.

Word lines are driven at the left end, bit lines held at virtual ground at the bottom. Nanoampere cells lose less than a
thousandth of the voltage on a 128-cell line. There a first-order map, a few running sums, is within the tolerance;
where its error bound is not, the network is solved.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ferrogen.circuit.solvers.effective import effective_conductances
from ferrogen.circuit.technology import load_technology
from ferrogen.core.errors import argument_error, check_number

Array = NDArray[np.float64]

_STANDS_FOR_NONE = 1e-9  # of the largest resistance: what the solver is given for wires without any
_OF_SOLVES = 1e-4  # tolerance of the solves over that of the map: excesses of many nodes may add up


@dataclass(frozen=True, slots=True)
class Wires:
    """Resistance and capacitance of the word and bit lines. Defaults: 65 nm node, 4F by 12F, barrier included.

    Attributes:
        row_segment: between neighbouring cells of a word line, and from the driver to the first [Ohm].
        column_segment: between neighbouring cells of a bit line, and from the last to the amplifier [Ohm].
        driver_resistance: of a word-line driver, in front of its first segment [Ohm].
        amplifier_resistance: of a sense amplifier's virtual ground, behind the last segment [Ohm].
        row_capacitance: of a word-line segment [F].
        column_capacitance: of a bit-line segment [F].
        tolerance: largest error of a column's current, over its current with all rows fully driven on ideal wires.
    """

    row_segment: float = 0.6
    column_segment: float = 1.8
    driver_resistance: float = 0.0
    amplifier_resistance: float = 0.0
    row_capacitance: float = 8.4e-17
    column_capacitance: float = 2.52e-16
    tolerance: float = 1e-6

    def __post_init__(self) -> None:
        for name in ("row_segment", "column_segment", "driver_resistance", "amplifier_resistance"):
            check_number(name, getattr(self, name), "Ohm", may_vanish=True)
        for name in ("row_capacitance", "column_capacitance"):
            check_number(name, getattr(self, name), "F", may_vanish=True)
        if not 1e-10 <= self.tolerance <= 0.1:
            raise argument_error("tolerance", "be a relative error from 1e-10 to 0.1", repr(self.tolerance))

    @classmethod
    def from_technology(
        cls,
        name: str,
        *,
        cells: str = "nor",
        table: Path | None = None,
        driver_resistance: float = 0.0,
        amplifier_resistance: float = 0.0,
    ) -> Wires:
        """Return the wires of a technology node.

        Args:
            name: e.g. ``"65nm"``; see :func:`ferrogen.circuit.technology.technology_names`.
            cells: ``"crosspoint"`` (2F x 2F) or ``"nor"`` (4F x 12F, a transistor to a cell), or of your table.
            table: a table of your own.
            driver_resistance: [Ohm].
            amplifier_resistance: [Ohm].

        Raises:
            CardError: no such node, or a malformed table.
            ArgumentError: no such cells.
        """
        technology = load_technology(name, table)
        along_row, along_column = technology.segment_lengths(cells)
        return cls(
            row_segment=technology.resistance * along_row,
            column_segment=technology.resistance * along_column,
            driver_resistance=driver_resistance,
            amplifier_resistance=amplifier_resistance,
            row_capacitance=technology.capacitance * along_row,
            column_capacitance=technology.capacitance * along_column,
        )

    def drop(self, conductance: Array) -> Array:
        """Return the share of the voltage that cells would lose to the wires if each carried its ideal current [1].

        Args:
            conductance: of the cells [S], shape ``(..., rows, columns)``.

        Returns:
            of the same shape: what all cells of its row take from a cell (along the word line), and what it takes from
            all cells of its column (along the bit line, where source and victim may be exchanged).
        """
        # Along the row, R sum_k (min(j, k) + 1) G_ik: a double running sum; likewise along the column from below.
        from_right = np.cumsum(conductance[..., ::-1], axis=-1)[..., ::-1]
        from_top = np.cumsum(conductance, axis=-2)
        return np.asarray(
            self.row_segment * np.cumsum(from_right, axis=-1)
            + self.column_segment * np.cumsum(from_top[..., ::-1, :], axis=-2)[..., ::-1, :]
            + self.driver_resistance * from_right[..., :1]
            + self.amplifier_resistance * from_top[..., -1:, :]
        )

    def effective_conductance(self, conductance: Array) -> Array:
        """Return the conductances [S] that, on ideal wires, would give the same column currents.

        To first order in the drop d (:meth:`drop`) they are G (1 - d). With D the largest drop, what is left out of a
        column's current is at most D^2 / (1 - D) of its ideal one with all rows fully driven: the drops that drops
        cause are positive and at most D times as large, again and again. Where that exceeds :attr:`tolerance`, the
        tile's network is solved instead.

        Args:
            conductance: ``(..., rows, columns)``; row 0 is farthest from the sense amplifiers, column 0 nearest the
                drivers. Each tile is mapped on its own.

        Raises:
            ArgumentError: no numbers; or, where the network must be solved, conductances below zero.
        """
        cells = np.asarray(conductance, dtype=np.float64)
        if not np.all(np.isfinite(cells)):
            raise argument_error("conductance", "hold finite numbers in S", "NaN or infinite in places")
        drop = self.drop(cells)
        effective = np.asarray(cells * (1.0 - drop))
        largest = np.abs(drop).max(axis=(-2, -1), initial=0.0)
        exact = largest**2 > self.tolerance * (1.0 - largest)
        if np.any(exact):
            effective[exact] = self._solved(cells[exact])
        return effective

    def _solved(self, cells: Array) -> Array:
        ends = self.row_segment + self.driver_resistance, self.column_segment + self.amplifier_resistance
        least = _STANDS_FOR_NONE * max(ends)
        row, column, row_end, column_end = (
            max(part, least) for part in (self.row_segment, self.column_segment, *ends)
        )  # fmt: skip
        return effective_conductances(
            cells,
            row_segment=row,
            column_segment=column,
            row_end=row_end,
            column_end=column_end,
            tolerance=_OF_SOLVES * self.tolerance,
        )


@dataclass(frozen=True, slots=True)
class IdealWires:
    """Wires without resistance."""

    def effective_conductance(self, conductance: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the conductances unchanged."""
        return conductance


AnyWires = Wires | IdealWires
