"""Row and column drivers: the charge of a line, its settling, and the law that makes a sinh cell linear.

Charging a line of capacitance C to V from a supply at V costs C V^2, half of it stored and lost when it is discharged.
A driver of resistance r at one end of a line of N segments (R, C each) settles with the Elmore delay
tau = r N C + R C N (N + 1) / 2 (Elmore 1948, doi:10.1063/1.1697872); within exp(-t / tau) of its end value after t.

A logarithmic driver built for the characteristic voltage W sets V = W asinh(x sinh(Vm / W)); a cell with another one,
V0, then sees x bent: V0 sinh(V / V0) / (V0 sinh(Vm / V0)) (:func:`seen_share`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ferrogen.core.errors import check_number


@dataclass(frozen=True, slots=True)
class LineDriver:
    """The driver of a word or bit line; defaults are assumed (source: none). The line's wire is in ``wires``.

    Attributes:
        resistance: of the driver while it charges a line [Ohm].
        supply: [V].
    """

    resistance: float = 1e3
    supply: float = 1.2

    def __post_init__(self) -> None:
        check_number("resistance", self.resistance, "Ohm", may_vanish=True)
        check_number("supply", self.supply, "V")

    @classmethod
    def ideal(cls) -> LineDriver:
        """Return a driver that charges a line at once."""
        return cls(resistance=0.0)

    def energy(self, voltage: float, cells: int, capacitance: float) -> float:
        """Return the energy [J] to charge a line once to ``voltage`` [V], C V^2.

        Args:
            voltage: of the line.
            cells: along it.
            capacitance: of a segment and its cell [F].
        """
        return cells * capacitance * voltage**2

    def time_constant(self, cells: int, segment_resistance: float, capacitance: float) -> float:
        """Return the Elmore delay [s] of the line's far end, for segments of ``segment_resistance`` [Ohm]."""
        return self.resistance * cells * capacitance + segment_resistance * capacitance * cells * (cells + 1) / 2.0

    def latency(self, cells: int, segment_resistance: float, capacitance: float, *, error: float = 1e-3) -> float:
        """Return the time [s] until the far end is within ``error`` of its end value: tau ln(1 / error)."""
        check_number("error", error, "1")
        return self.time_constant(cells, segment_resistance, capacitance) * math.log(1.0 / min(error, 1.0))


def _sinh(x: Any) -> Any:
    return np.sinh(x) if isinstance(x, np.ndarray | np.generic | float | int) else x.sinh()


def _asinh(x: Any) -> Any:
    return np.arcsinh(x) if isinstance(x, np.ndarray | np.generic | float | int) else x.asinh()


def logarithmic_drive(x: Any, voltage: float, driver_voltage: float) -> Any:
    """Return the voltages [V] that a logarithmic driver sets for inputs in [-1, 1].

    Args:
        x: inputs.
        voltage: at full input [V].
        driver_voltage: the characteristic voltage that it is built for [V].
    """
    return driver_voltage * _asinh(x * math.sinh(voltage / driver_voltage))


def seen_share(x: Any, voltage: float, cell_voltage: float, driver_voltage: float) -> Any:
    """Return what a cell of characteristic voltage ``cell_voltage`` [V] sees of inputs, as a share of full drive.

    It is ``x`` if driver and cell agree, and always 0 and 1 at the ends. With d = W / V0 - 1 and u = Vm / V0, the error
    at small inputs is x d (1 - u coth u) to first order in d.

    Args:
        x: inputs in [-1, 1].
        voltage: at full input [V].
        cell_voltage: of the cell.
        driver_voltage: that the driver is built for [V].
    """
    driven = logarithmic_drive(x, voltage, driver_voltage)
    return _sinh(driven * (1.0 / cell_voltage)) * (1.0 / math.sinh(voltage / cell_voltage))
