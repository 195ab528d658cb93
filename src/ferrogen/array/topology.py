"""How the cells of an array hang between its lines: crosspoint or NOR, and what sits in a cell beside the junction.

In a crosspoint every cell lies between a word line (row) and a bit line (column), and nothing but its own nonlinearity,
a selector, or its rectification keeps unselected cells quiet. In a NOR array, the paper's, a cell is a junction and an
access device between a source line (row) and a bit line (column); the word line of a row opens its access devices, and
rows whose word line is off are isolated but for the leakage. Both are networks of rows and columns that carry current;
word lines of a NOR array carry none.

Plain parameters only: laws and networks are made of them in :mod:`ferrogen.circuit.network.build`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.errors import argument_error, check_number

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PlainJunction:
    """A junction by itself, I = G V0 sinh(V / V0)."""


@dataclass(frozen=True, slots=True)
class SelfRectifying:
    """A junction that conducts better from row to column than back.

    Attributes:
        ratio: of the two currents well above V0, at least 1. 1550 is reported for HZO on Al2O3 and TiO2 (device
            reference, section 7); the stand-in card's junctions are not known to rectify.
    """

    ratio: float = 1550.0

    def __post_init__(self) -> None:
        check_number("ratio", self.ratio, "1")
        if self.ratio < 1.0:
            raise argument_error("ratio", "be at least 1", f"{self.ratio:g}")


@dataclass(frozen=True, slots=True)
class WithSelector:
    """A junction in series with a two-terminal selector, I = G V0 sinh(V / V0).

    Attributes:
        conductance: of the selector at 0 V [S]. Assumed, source: none; far below a junction's in the off state.
        characteristic_voltage: V0 of the selector [V]. Assumed, source: none.
    """

    conductance: float = 1e-11
    characteristic_voltage: float = 0.05

    def __post_init__(self) -> None:
        check_number("conductance", self.conductance, "S")
        check_number("characteristic_voltage", self.characteristic_voltage, "V")


Cell = PlainJunction | SelfRectifying | WithSelector


@dataclass(frozen=True, slots=True)
class Crosspoint:
    """Cells between word lines (rows) and bit lines (columns).

    Attributes:
        cell: what lies between the lines.
    """

    cell: Cell = field(default_factory=PlainJunction)

    rows_are = "word lines"
    columns_are = "bit lines"


@dataclass(frozen=True, slots=True)
class NOR:
    """Cells of a junction and an access device between source lines (rows) and bit lines (columns).

    Attributes:
        access_resistance: of an access device that is on [Ohm]. Assumed, source: none; a small logic transistor in its
            linear region has 1e3 to 1e5.
        access_leakage: conductance of one that is off [S]. Assumed, source: none; 1 pA at 1 V.
        coupled_share: share of a step between the lines that falls on the junction of a cell whose access device is
            off, by the capacitance of the node between them, C_node / (C_node + C_junction), as long as that charge
            stays. 0 for junctions whose inner node follows the switched line. Assumed, source: none.
        cell: the junction; access devices take a selector's place.
    """

    access_resistance: float = 1e4
    access_leakage: float = 1e-12
    coupled_share: float = 0.0
    cell: PlainJunction | SelfRectifying = field(default_factory=PlainJunction)

    rows_are = "source lines"
    columns_are = "bit lines"

    def __post_init__(self) -> None:
        check_number("access_resistance", self.access_resistance, "Ohm")
        check_number("access_leakage", self.access_leakage, "S")
        if not 0.0 <= self.coupled_share <= 1.0:
            raise argument_error("coupled_share", "lie between 0 and 1", self.coupled_share)
        if self.access_leakage * self.access_resistance >= 1.0:
            raise argument_error(
                "access_leakage", f"be far below the {1.0 / self.access_resistance:g} S of an access device that is on",
                f"{self.access_leakage:g} S",
            )  # fmt: skip

    def isolated_share(self, conductance: ArrayLike) -> Array:
        """Return the share of the lines' voltage on a junction whose access device is off.

        The larger of the resistive divider's, g / (g + G), and the capacitive one's.

        Args:
            conductance: of the junction, G [S].
        """
        g = np.asarray(conductance, dtype=np.float64)
        return np.maximum(self.access_leakage / (self.access_leakage + g), self.coupled_share)

    def isolated_conductance(self, conductance: ArrayLike) -> Array:
        """Return the conductance [S] of a cell whose access device is off: leakage and junction in series."""
        g = np.asarray(conductance, dtype=np.float64)
        return np.asarray(g * self.access_leakage / (g + self.access_leakage))


Topology = Crosspoint | NOR
