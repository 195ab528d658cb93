"""What a cell between two lines carries: current and slope over the voltage across it.

Every law is I = f(G, V), with G [S] the small-signal conductance of the junction's present state at 0 V.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ferrogen.core.errors import check_number

Array = NDArray[np.float64]

_LARGEST_EXPONENT = 600.0  # of sinh and cosh, which overflow at 710


class CellLaw(Protocol):
    """The characteristic shared by all cells of a network; it rises with the voltage everywhere."""

    @property
    def linear(self) -> bool:
        """Whether I = G V for every G."""
        ...

    def current(self, conductance: Array, voltage: Array) -> tuple[Array, Array]:
        """Return the current [A] and its slope dI/dV [S] at a voltage [V]; the arguments broadcast.

        Trial voltages of a solver may be anything finite; the result is finite.
        """
        ...


@dataclass(frozen=True, slots=True)
class Ohmic:
    """I = G V."""

    @property
    def linear(self) -> bool:
        """It is."""
        return True

    def current(self, conductance: Array, voltage: Array) -> tuple[Array, Array]:
        """Return G V and G."""
        return conductance * voltage, conductance + np.zeros_like(voltage)


@dataclass(frozen=True, slots=True)
class Sinh:
    """I = G V0 sinh(V / V0): the compact read model (Berdan 2020, doi:10.1038/s41928-020-0405-0).

    Beyond 600 V0, where the sinh would overflow, the tangent continues it.

    Attributes:
        characteristic_voltage: V0 [V].
    """

    characteristic_voltage: float

    def __post_init__(self) -> None:
        check_number("characteristic_voltage", self.characteristic_voltage, "V")

    @property
    def linear(self) -> bool:
        """It is not."""
        return False

    def current(self, conductance: Array, voltage: Array) -> tuple[Array, Array]:
        """Return G V0 sinh(V / V0) and G cosh(V / V0)."""
        v0 = self.characteristic_voltage
        ratio = np.clip(voltage / v0, -_LARGEST_EXPONENT, _LARGEST_EXPONENT)
        slope = conductance * np.cosh(ratio)
        return conductance * v0 * np.sinh(ratio) + slope * (voltage - v0 * ratio), slope
