"""Wire resistance of a crosspoint, to first order: exact to the square of the relative voltage drop.

Word lines are driven at the left end, bit lines held at virtual ground at the bottom. With nanoampere cells a
128-cell line drops a millivolt or less of a tenth of a volt, so the first-order map is accurate to about 1e-4 of an
already small effect; where it is not, it refuses (:data:`LARGEST_DROP`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferrogen.core.errors import ArgumentError, argument_error, check_number

LARGEST_DROP = 0.05
"""Largest relative drop the first-order map is used for (its error is then below about 0.25 %)."""


@dataclass(frozen=True, slots=True)
class Wires:
    """Resistance of one wire segment between neighbouring cells.

    Attributes:
        row_segment: along a word line [Ohm]. Default: 4F cell pitch at a 65 nm node, barrier included.
        column_segment: along a bit line [Ohm]. Default: 12F pitch at the same node.
    """

    row_segment: float = 0.6
    column_segment: float = 1.8

    def __post_init__(self) -> None:
        for name in ("row_segment", "column_segment"):
            check_number(name, getattr(self, name), "Ohm", may_vanish=True)

    def effective_conductance(self, conductance: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the conductances [S] that, on ideal wires, would give the same column currents.

        Args:
            conductance: ``(rows, columns)``; row 0 is farthest from the sense amplifiers, column 0 nearest the drivers.

        Raises:
            ArgumentError: the drop exceeds :data:`LARGEST_DROP`: first order will not do; or there is no number.
        """
        # Drop at (i, j) along the row: R sum_k min(j, k) + 1) G_ik V_i, a double running sum.
        from_right = np.cumsum(conductance[:, ::-1], axis=1)[:, ::-1]
        row_drop = self.row_segment * np.cumsum(from_right, axis=1)
        # Along the column, with the ground below the last row; symmetric in source and victim cell, so it is again a
        # factor on the cell that causes the drop.
        from_top = np.cumsum(conductance, axis=0)
        column_drop = self.column_segment * np.cumsum(from_top[::-1], axis=0)[::-1]
        drop = row_drop + column_drop
        largest = float(drop.max(initial=0.0))
        if not math.isfinite(largest):
            raise argument_error("conductance", "hold finite numbers in S", "NaN or infinite in places")
        if largest > LARGEST_DROP:
            raise ArgumentError(
                f"Wire resistance drops {largest:.1%} of the voltage, more than the {LARGEST_DROP:.0%} that the"
                " first-order map allows. Use lower conductances, smaller tiles or wider wires."
            )
        return conductance * (1.0 - drop)


@dataclass(frozen=True, slots=True)
class IdealWires:
    """Wires without resistance."""

    def effective_conductance(self, conductance: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the conductances unchanged."""
        return conductance


AnyWires = Wires | IdealWires
