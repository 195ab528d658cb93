"""Current-voltage curves from tables: which points speak, and which lie in the offset of the instrument."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferrogen.calibration.conditions import distinct_temperatures, file_temperatures, is_set, shown_temperature
from ferrogen.calibration.kind import Request
from ferrogen.core.errors import DataFileError
from ferrogen.device.noise.traps import REFERENCE_TEMPERATURE
from ferrogen.device.reliability.arrhenius import check_temperature

Array = NDArray[np.float64]

_NEAR_ZERO = 0.01  # of the largest voltage: there a current is the instrument's
_ABOVE = 3.0  # times that current, below which a point is not used
_SAME = 0.01  # of the largest voltage: closer voltages are one
_LEAST_POINTS = 5
_MOST_CURVES = 200
_MOST_VOLTAGE = 1e3
_BLOCKS = 8


@dataclass(frozen=True, slots=True)
class Curve:
    """The usable points of one curve.

    Attributes:
        label: of the curve.
        temperature: [K].
        voltage: rising, not zero [V], shape ``(points,)``.
        current: each with the sign of its voltage [A or A/m^2].
        dropped: points left out: near zero bias, in the offset, or against the voltage.
        sizes: the table held sizes of currents, which were given the sign of the voltage.
    """

    label: str
    temperature: float
    voltage: Array
    current: Array
    dropped: int
    sizes: bool


@dataclass(frozen=True, slots=True)
class CurveSet:
    """All curves of a calibration.

    Attributes:
        curves: in the order of files and columns.
        unit: of the currents.
        area: that turns currents into densities [m^2]; 1 if they are densities; None if it is not known.
    """

    curves: tuple[Curve, ...]
    unit: str
    area: float | None

    @property
    def temperatures(self) -> list[float]:
        """Temperatures that differ, rising [K]."""
        return distinct_temperatures([curve.temperature for curve in self.curves])

    def at(self, temperature: float) -> list[Curve]:
        """Return the curves at one of :attr:`temperatures`."""
        levels = np.array(self.temperatures)
        nearest = levels[np.abs(levels - temperature).argmin()]
        return [curve for curve in self.curves if -0.25 <= curve.temperature - nearest <= 0.5]

    def reference(self) -> list[Curve]:
        """Return the curves at the temperature nearest to 300 K."""
        return self.at(REFERENCE_TEMPERATURE)

    def density(self, curve: Curve) -> Array:
        """Return the current density of a curve [A/m^2]; the currents themselves if the area is not known."""
        return curve.current / (1.0 if self.area is None else self.area)


def read_curves(request: Request) -> CurveSet:
    """Read the curves of all tables.

    Raises:
        DataFileError: tables in different units, too many curves, or one with fewer than five usable points.
        ArgumentError: temperatures that cannot be used.
    """
    units = {table.units["current"] for table in request.tables}
    if len(units) > 1:
        raise DataFileError(f"The files hold currents in different units ({', '.join(sorted(units))}). Fit them apart.")
    unit = units.pop()
    curves: list[Curve] = []
    for table, stated in zip(request.tables, file_temperatures(request), strict=True):
        columns = table.read()
        voltage, currents = columns["voltage"], columns["current"]
        if np.abs(voltage).max() > _MOST_VOLTAGE:
            raise DataFileError(f"'{table.name}': a voltage of {np.abs(voltage).max():g} V. Is its unit right?")
        temperature = columns.get("temperature", np.full(voltage.shape, stated))
        levels = distinct_temperatures(temperature.tolist())
        names = [table.header[k] if table.header else f"#{k + 1}" for k in _positions(request, table.name)]
        for k, level in enumerate(levels):
            check_temperature(level)
            above = np.inf if k + 1 == len(levels) else levels[k + 1]
            inside = (temperature >= level) & (temperature < above)
            for j in range(currents.shape[1]):
                parts = [table.name] if len(request.tables) > 1 else []
                parts += [names[j]] if currents.shape[1] > 1 else []
                parts += [shown_temperature(level)] if len(levels) > 1 or not parts else []
                curves.append(_usable(request, ", ".join(parts), level, voltage[inside], currents[inside, j]))
    if len(curves) > _MOST_CURVES:
        raise DataFileError(f"There are {len(curves)} curves; more than {_MOST_CURVES} cannot be fitted together.")
    area = 1.0 if unit == "A/m^2" else request.sample.area
    return CurveSet(tuple(curves), unit, area)


def _positions(request: Request, name: str) -> tuple[int, ...]:
    table = next(table for table in request.tables if table.name == name)
    return next(item.positions for item in table.placed if item.name == "current")


def _usable(request: Request, label: str, temperature: float, voltage: Array, current: Array) -> Curve:
    largest = float(np.abs(voltage).max())
    idle = np.abs(voltage) <= _NEAR_ZERO * largest
    if idle.any() and request.word("offset") == "subtract":
        current = current - np.median(current[idle])
    given = request.number("floor")
    floor = given if is_set(given) else _ABOVE * float(np.abs(current[idle]).max()) if idle.any() else 0.0
    most = request.number("largest_voltage")
    reach = most if is_set(most) else np.inf
    # Some instruments record sizes: currents are then positive at every clear voltage of either sign.
    clear = ~idle & (np.abs(current) > floor)
    negative = clear & (voltage < 0.0)
    sizes = bool(negative.sum() >= _LEAST_POINTS and (current[clear] > 0.0).all())
    if sizes:
        current = np.abs(current) * np.sign(voltage)
    keep = ~idle & (np.abs(current) > floor) & (current * voltage > 0.0) & (np.abs(voltage) <= reach)
    order = np.argsort(voltage[keep], kind="stable")
    found = Curve(label, temperature, voltage[keep][order], current[keep][order], int((~keep).sum()), sizes)
    if found.voltage.size < _LEAST_POINTS or np.unique(np.abs(found.voltage)).size < _LEAST_POINTS - 2:
        raise DataFileError(
            f"The curve '{label}' has fewer than {_LEAST_POINTS} usable points: {found.dropped} lie near zero bias,"
            f" below the floor of {floor:.3g}, beyond the largest voltage, or have the sign against their voltage."
        )
    return found


@dataclass(frozen=True, slots=True)
class Branch:
    """One polarity of a curve (or of several), repeats merged.

    Attributes:
        voltage: sizes, rising [V], shape ``(points,)``.
        log_current: mean of the logarithm of the current's size.
        scatter: sum of squared deviations from it, over all points.
        freedom: repeats less points.
    """

    voltage: Array
    log_current: Array
    scatter: float
    freedom: int


def branch(curves: Sequence[Curve], sign: float) -> Branch | None:
    """Return one polarity (``sign`` of the voltage) of curves at one temperature, or None if it has no points."""
    volts = np.concatenate([curve.voltage[curve.voltage * sign > 0.0] for curve in curves])
    if not volts.size:
        return None
    logs = np.concatenate([np.log(np.abs(curve.current[curve.voltage * sign > 0.0])) for curve in curves])
    order = np.argsort(np.abs(volts))
    sizes, logs = np.abs(volts)[order], logs[order]
    label = np.concatenate([[0], np.cumsum(np.diff(sizes) > _SAME * sizes[-1])])
    count = np.bincount(label)
    middle, mean = np.bincount(label, sizes) / count, np.bincount(label, logs) / count
    return Branch(middle, mean, float(np.sum((logs - mean[label]) ** 2)), int(sizes.size - count.size))


def voltage_blocks(voltage: Array, most: int = _BLOCKS) -> NDArray[np.intp]:
    """Return the block of each point: voltages of one size together, at most eight (``most``) blocks of neighbours."""
    sizes = np.abs(voltage)
    order = np.argsort(sizes)
    label = np.empty(sizes.size, dtype=np.intp)
    label[order] = np.concatenate([[0], np.cumsum(np.diff(sizes[order]) > _SAME * sizes.max())])
    count = int(label.max()) + 1
    return label if count <= most else label * most // count
