"""Leakage of a film from a direct-current table: a power of the voltage between its points, on either side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ferrogen.calibration.columns import Wanted
from ferrogen.calibration.table import open_table
from ferrogen.core.constants import BOLTZMANN_EV
from ferrogen.core.errors import DataFileError, argument_error
from ferrogen.core.units import parse_quantity

Array = NDArray[np.float64]

COLUMNS = (
    Wanted("voltage", ("V",), ("V", "bias")),
    Wanted("current", ("A/m^2", "A"), ("J", "I", "current density", "Leakage Current Density", "leakage")),
)
_SAME_TEMPERATURE = 15.0  # K: a table at a temperature as near as this is taken as it is
_ABOVE_OFFSET = 3.0  # times the current at no voltage: what is smaller is the instrument's
_LEAST_POINTS = 2


@dataclass(frozen=True, slots=True)
class Side:
    """One polarity: logarithms of voltages and of current densities, rising."""

    log_voltage: Array
    log_current: Array


@dataclass(frozen=True, slots=True)
class LeakageTable:
    """Direct-current leakage at one temperature [K]."""

    name: str
    temperature: float
    up: Side
    down: Side

    def density(self, voltage: Array) -> Array:
        """Return the current density [A/m^2]; beyond the table with the power law of its last two points."""
        found = np.zeros_like(voltage)
        for sign, side in ((1.0, self.up), (-1.0, self.down)):
            chosen = sign * voltage > 1e-6
            x = np.log(np.abs(voltage[chosen]))
            found[chosen] = sign * np.exp(_line(x, side.log_voltage, side.log_current))
        return found


def _line(x: Array, knots: Array, values: Array) -> Array:
    first = (values[1] - values[0]) / (knots[1] - knots[0])
    last = (values[-1] - values[-2]) / (knots[-1] - knots[-2])
    inside = np.interp(x, knots, values)
    low, high = values[0] + first * (x - knots[0]), values[-1] + last * (x - knots[-1])
    return np.where(x < knots[0], low, np.where(x > knots[-1], high, inside))


def load_leakage(text: str, area: float | None) -> list[LeakageTable]:
    """Read tables named as ``"27C.tsv at 27 degC; 127C.tsv at 127 degC"``.

    Args:
        text: files, each with its temperature, parted by semicolons.
        area: of the electrode [m^2], needed if a table holds currents.

    Raises:
        ArgumentError: text of another form.
        DataFileError: a table that cannot be read, or has too few points on a side.
    """
    tables = []
    for part in text.split(";"):
        path, word, temperature = part.strip().rpartition(" at ")
        if not word or not path:
            raise argument_error(
                "leakage", "be 'none' or read 'FILE at TEMPERATURE; ...'", repr(part.strip()),
                "For example: --set 'leakage = dc.tsv at 27 degC'.",
            )  # fmt: skip
        tables.append(_load_one(Path(path.strip()), parse_quantity(temperature, "K", "leakage"), area))
    return tables


def _load_one(path: Path, temperature: float, area: float | None) -> LeakageTable:
    table = open_table(path, COLUMNS)
    data = table.read()
    voltage, current = data["voltage"], data["current"]
    if table.units["current"] == "A":
        if area is None:
            raise argument_error("area", "be given for a leakage table of currents", "absent")
        current = current / area
    near = np.abs(voltage) < 0.02 * np.abs(voltage).max()
    offset = float(np.mean(current[near])) if near.any() else 0.0
    sides = []
    for sign in (1.0, -1.0):
        size = sign * (current - offset)
        use = (sign * voltage > 0.0) & (size > max(_ABOVE_OFFSET * abs(offset), 0.0)) & ~near
        steps = np.round(np.abs(voltage[use]) / (0.02 * np.abs(voltage).max()))  # up and down sweeps share their points
        groups = [steps == step for step in np.unique(steps)]
        if len(groups) < _LEAST_POINTS:
            raise DataFileError(
                f"'{table.name}' has {len(groups)} voltages of sign {sign:+.0f} at which leakage stands out of the"
                f" current at no voltage ({offset:.3g} A/m^2); at least {_LEAST_POINTS} are needed."
            )
        volts = np.array([np.mean(np.abs(voltage[use][group])) for group in groups])
        amps = np.array([np.mean(size[use][group]) for group in groups])
        sides.append(Side(np.log(volts), np.log(amps)))
    return LeakageTable(table.name, temperature, sides[0], sides[1])


def leakage_at(tables: Sequence[LeakageTable], voltage: Array, temperature: float, activation: float) -> Array:
    """Return the leakage current density at a temperature [A/m^2].

    A table within 15 K is taken as it is; between or beyond two, ln J is linear in 1 / T; from one, it follows the
    activation energy.

    Args:
        tables: at least one.
        voltage: [V].
        temperature: [K].
        activation: energy [eV], used if there is one table.
    """
    ordered = sorted(tables, key=lambda item: abs(item.temperature - temperature))
    nearest = ordered[0]
    density = nearest.density(voltage)
    if abs(nearest.temperature - temperature) <= _SAME_TEMPERATURE:
        return density
    inverse = 1.0 / nearest.temperature - 1.0 / temperature
    if len(ordered) == 1:
        return density * math.exp(activation / BOLTZMANN_EV * inverse)
    other = ordered[1]
    share = inverse / (1.0 / nearest.temperature - 1.0 / other.temperature)
    sign = np.sign(density)
    size, further = np.abs(density) + 1e-300, np.abs(other.density(voltage)) + 1e-300
    return np.asarray(sign * np.exp(np.log(size) + share * (np.log(further) - np.log(size))))
