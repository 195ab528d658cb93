"""Which line gets which voltage while one cell is programmed or read, and what every cell of the array sees of it.

A cell sees the voltage of its row less that of its column. The others fall into three classes: those in the selected
row, those in the selected column, and the rest. For a program voltage V:

    scheme    selected row   other rows   selected column   other columns   cell   same row   same column   neither
    V/2       V/2            0            -V/2              0               V      V/2        V/2           0
    V/3       V              V/3          0                 2V/3            V      V/3        V/3           -V/3
    inhibit   V              0 (off)      0                 V               V      0          0             -V, isolated

V/2 and V/3 are those of crosspoints; `inhibit` is that of a NOR array, whose other rows have their word lines off. What
lines drop on the way is left out here; with wires it is :mod:`ferrogen.circuit.network`'s.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

from ferrogen.array.topology import NOR, Crosspoint, Topology
from ferrogen.core.errors import argument_error, check_number, is_whole

Array = NDArray[np.float64]

Scheme = Literal["half", "third", "inhibit"]
SCHEMES: tuple[Scheme, ...] = ("half", "third", "inhibit")
NAMES = {"half": "V/2", "third": "V/3", "inhibit": "NOR inhibit"}


@dataclass(frozen=True, slots=True)
class ClassVoltages:
    """What the classes of cells see between row and column [V].

    Attributes:
        selected: the one that is programmed or read.
        same_row: others in its row.
        same_column: others in its column.
        neither: all others.
        neither_isolated: whether the access devices of ``same_column`` and ``neither`` are off, so that their junctions
            see a small share of it only (:meth:`.NOR.isolated_share`).
    """

    selected: float
    same_row: float
    same_column: float
    neither: float
    neither_isolated: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Bias:
    """Voltages of an array's lines.

    Attributes:
        rows: of the rows that carry current [V]; NaN for a floating one.
        columns: likewise.
        connected: whether the cells of a row reach it: word lines that are on; always in a crosspoint.
    """

    rows: Array
    columns: Array
    connected: NDArray[np.bool_]

    def cells(self, topology: Topology, conductance: ArrayLike = 1e-9) -> Array:
        """Return the voltage on every cell's junction [V], shape ``(rows, columns)``; NaN beside floating lines.

        Args:
            topology: of the array.
            conductance: of the junctions [S], one number or one a cell; it decides what isolated ones see.
        """
        between = self.rows[:, None] - self.columns[None, :]
        if isinstance(topology, Crosspoint):
            return between
        share = np.broadcast_to(topology.isolated_share(conductance), between.shape)
        return np.asarray(np.where(self.connected[:, None], between, between * share))


def check_scheme(scheme: Scheme, topology: Topology) -> None:
    """Refuse a scheme that an array's topology cannot give.

    Raises:
        ArgumentError: an unknown scheme, or one of another topology.
    """
    if scheme not in SCHEMES:
        raise argument_error("scheme", f"be one of {', '.join(map(repr, SCHEMES))}", repr(scheme))
    if (scheme == "inhibit") != isinstance(topology, NOR):
        remedy = "Use 'inhibit' with NOR() and 'half' or 'third' with Crosspoint()."
        raise argument_error("scheme", f"fit the topology {type(topology).__name__}", repr(scheme), remedy)


def class_voltages(scheme: Scheme, voltage: float) -> ClassVoltages:
    """Return what every class of cells sees while one is programmed at ``voltage`` [V] of either sign.

    Raises:
        ArgumentError: an unknown scheme, or a voltage that is not finite.
    """
    if not math.isfinite(voltage):
        raise argument_error("voltage", "be a finite number in V", voltage)
    if scheme == "half":
        return ClassVoltages(voltage, voltage / 2.0, voltage / 2.0, 0.0)
    if scheme == "third":
        return ClassVoltages(voltage, voltage / 3.0, voltage / 3.0, -voltage / 3.0)
    if scheme == "inhibit":
        return ClassVoltages(voltage, 0.0, 0.0, -voltage, neither_isolated=True)
    raise argument_error("scheme", f"be one of {', '.join(map(repr, SCHEMES))}", repr(scheme))


def program_bias(scheme: Scheme, rows: int, columns: int, row: int, column: int, voltage: float) -> Bias:
    """Return the lines' voltages while cell (row, column) is programmed at ``voltage`` [V] of either sign.

    Raises:
        ArgumentError: an unknown scheme, a cell that the array does not have, or a voltage that is not finite.
    """
    _check_cell(rows, columns, row, column)
    class_voltages(scheme, voltage)
    on_row = np.arange(rows) == row
    on_column = np.arange(columns) == column
    if scheme == "half":
        return Bias(voltage / 2.0 * on_row, -voltage / 2.0 * on_column, np.ones(rows, dtype=np.bool_))
    if scheme == "third":
        return Bias(
            np.where(on_row, voltage, voltage / 3.0),
            np.where(on_column, 0.0, 2.0 * voltage / 3.0),
            np.ones(rows, dtype=np.bool_),
        )
    return Bias(voltage * on_row, voltage * ~on_column, on_row)


def read_bias(
    topology: Topology, rows: int, columns: int, row: int, voltage: float, *, floating: bool = False, column: int = 0
) -> Bias:
    """Return the lines' voltages while a row is read at ``voltage`` [V].

    Args:
        topology: in a NOR array the other rows' word lines are off.
        rows: of the array.
        columns: of the array.
        row: that is read. All columns are held at ground, and each gives its cell's current.
        voltage: [V].
        floating: whether the other rows, and all columns but ``column``, float instead of being grounded.
        column: that is sensed if the others float.

    Raises:
        ArgumentError: a cell that the array does not have, or a voltage that is not finite.
    """
    _check_cell(rows, columns, row, column)
    if not math.isfinite(voltage):
        raise argument_error("voltage", "be a finite number in V", voltage)
    on_row = np.arange(rows) == row
    idle = np.nan if floating else 0.0
    sensed = np.arange(columns) == column
    connected = on_row if isinstance(topology, NOR) else np.ones(rows, dtype=np.bool_)
    return Bias(np.where(on_row, voltage, idle), np.where(sensed, 0.0, idle), connected)


def nonlinearity(voltage: float, characteristic_voltage: float, divisor: float = 2.0) -> float:
    """Return I(V) / I(V / divisor) of I = G V0 sinh(V / V0): 2 cosh(V / 2 V0) for halves.

    Args:
        voltage: V [V].
        characteristic_voltage: V0 [V].
        divisor: 2 or 3 for the schemes.

    Raises:
        ArgumentError: a number that is not positive, or a ratio that no float holds.
    """
    for name, value, unit in (
        ("voltage", voltage, "V"), ("characteristic_voltage", characteristic_voltage, "V"), ("divisor", divisor, "1"),
    ):  # fmt: skip
        check_number(name, value, unit)
    ratio = voltage / characteristic_voltage
    if ratio > 600.0:
        raise argument_error("voltage", f"be at most 600 V0, {600.0 * characteristic_voltage:g} V", f"{voltage:g} V")
    return math.sinh(ratio) / math.sinh(ratio / divisor)


@dataclass(frozen=True, slots=True)
class Sneak:
    """A read of one cell with all other lines floating, in an array of equal other cells.

    Attributes:
        same_row: voltage on the others in its row, from row to column [V].
        same_column: on the others in its column [V].
        neither: on the rest, from row to column [V]: the other way round.
        sneak_ratio: current of the detour over that of the cell itself, if it is equal to the others.
    """

    same_row: float
    same_column: float
    neither: float
    sneak_ratio: float


def floating_read(rows: int, columns: int, voltage: float, characteristic_voltage: float) -> Sneak:
    """Return what floating lines do in a crosspoint: the detour through three cells in series.

    The other columns all lie at one voltage and the other rows at another. With k = rows - 1 and l = columns - 1 the
    currents l f(a) = k l f(c) = k f(b) are equal and a + b + c = V.

    Args:
        rows: at least 2.
        columns: at least 2.
        voltage: of the read [V].
        characteristic_voltage: V0 of f(V) = sinh(V / V0); infinite for ohmic cells.

    Raises:
        ArgumentError: a number out of range.
    """
    for name, number in (("rows", rows), ("columns", columns)):
        if not is_whole(number, 2):
            raise argument_error(name, "be a whole number from 2", number)
    check_number("voltage", voltage, "V")
    if not characteristic_voltage > 0.0 or voltage / characteristic_voltage > 600.0:
        raise argument_error(
            "characteristic_voltage", f"be at least {voltage / 600.0:g} V", f"{characteristic_voltage:g} V"
        )
    down, across = rows - 1.0, columns - 1.0
    if math.isinf(characteristic_voltage):
        parts = np.array([1.0 / across, 1.0 / down, 1.0 / (down * across)])
        a, b, c = voltage * parts / parts.sum()
        return Sneak(float(a), float(b), -float(c), float(across * a / voltage))
    v0 = characteristic_voltage

    def drops(current: float) -> tuple[float, float, float]:
        return (
            v0 * math.asinh(current / across),
            v0 * math.asinh(current / down),
            v0 * math.asinh(current / (down * across)),
        )

    most = min(down, across) * math.sinh(voltage / v0)
    current = float(optimize.brentq(lambda i: sum(drops(i)) - voltage, 0.0, most, xtol=1e-300, rtol=1e-14))
    a, b, c = drops(current)
    return Sneak(a, b, -c, current / math.sinh(voltage / v0))


def _check_cell(rows: int, columns: int, row: int, column: int) -> None:
    for name, number, size in (("row", row, rows), ("column", column, columns)):
        if not is_whole(size, 1) or not is_whole(number, 0, size - 1):
            raise argument_error(name, f"be a whole number from 0 to {size - 1}", number)
