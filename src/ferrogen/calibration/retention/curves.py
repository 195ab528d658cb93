"""Retention curves from tables: times, cells, temperatures; signs and resistances set right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferrogen.calibration.conditions import distinct_temperatures, file_temperatures, shown_temperature
from ferrogen.calibration.kind import Request
from ferrogen.core.errors import DataFileError
from ferrogen.device.reliability.arrhenius import check_temperature

Array = NDArray[np.float64]

_RELATIVE_UNITS = ("S", "Ohm", "A")  # noise of what spans decades is taken to be relative
_LEAST_POINTS = 5
_MOST_TIME = 1e30


@dataclass(frozen=True, slots=True)
class Curve:
    """Cells that were watched together.

    Attributes:
        label: of the curve.
        temperature: [K].
        time: rising [s], shape ``(points,)``.
        cells: positive values, shape ``(points, cells)``.
        value: of the typical cell: the mean, or the geometric mean if noise is relative; shape ``(points,)``.
    """

    label: str
    temperature: float
    time: Array
    cells: Array
    value: Array


@dataclass(frozen=True, slots=True)
class CurveSet:
    """All curves of a calibration.

    Attributes:
        curves: one a file and temperature.
        unit: of the values, after resistances have become conductances.
        relative: noise is taken to be proportional to the value.
        notes: sentences: what was done to the data.
    """

    curves: tuple[Curve, ...]
    unit: str
    relative: bool
    notes: tuple[str, ...]


def read_curves(request: Request) -> CurveSet:
    """Read the retention curves of all tables.

    Raises:
        DataFileError: tables in different units, fewer than five times, a value of another sign than the rest, zero.
        ArgumentError: temperatures that cannot be used.
    """
    units = {table.units["value"] for table in request.tables}
    if len(units) > 1:
        raise DataFileError(f"The files hold values in different units ({', '.join(sorted(units))}). Fit them apart.")
    unit = units.pop()
    noise = request.word("noise")
    relative = unit in _RELATIVE_UNITS if noise == "auto" else noise == "relative"
    notes: list[str] = []
    if unit == "Ohm":
        notes.append("Resistances were turned into conductances.")
    curves: list[Curve] = []
    for table, stated in zip(request.tables, file_temperatures(request), strict=True):
        columns = table.read()
        time, cells = columns["time"], columns["value"]
        temperature = columns.get("temperature", np.full(time.shape, stated))
        late = time > 0.0
        if not late.all():
            notes.append(f"{table.name}: {int((~late).sum())} rows at or before time zero have no place on a log axis.")
        positive = _positive(cells[late], table.name, unit)
        kept_time, kept_temperature = time[late], temperature[late]
        if kept_time.size and kept_time.max() > _MOST_TIME:
            raise DataFileError(f"'{table.name}': a time of {kept_time.max():g} s is no time of a measurement.")
        levels = distinct_temperatures(kept_temperature.tolist())
        for k, level in enumerate(levels):
            check_temperature(level)
            above = np.inf if k + 1 == len(levels) else levels[k + 1]
            inside = (kept_temperature >= level) & (kept_temperature < above)
            order = np.argsort(kept_time[inside], kind="stable")
            values = positive[inside][order]
            typical = np.exp(np.log(values).mean(axis=1)) if relative else values.mean(axis=1)
            label = (
                shown_temperature(level) if len(request.tables) == 1 else f"{table.name}, {shown_temperature(level)}"
            )
            curves.append(Curve(label, level, kept_time[inside][order], values, typical))
    if not curves:
        raise DataFileError("The tables have no row at a time above zero.")
    for curve in curves:
        if np.unique(curve.time).size < _LEAST_POINTS:
            raise DataFileError(
                f"The curve '{curve.label}' has fewer than {_LEAST_POINTS} different times. Give more, or, for cells"
                " measured before and after one bake, two files (or columns) without a column of times."
            )
    return CurveSet(tuple(curves), "S" if unit == "Ohm" else unit, relative, tuple(dict.fromkeys(notes)))


def _positive(cells: Array, name: str, unit: str) -> Array:
    """Return values made positive: negative polarisations mirrored, resistances turned over."""
    if cells.size and (cells < 0.0).all():
        cells = -cells
    if not (cells > 0.0).all():
        raise DataFileError(
            f"'{name}': the values must all be of one sign and not zero, for a share kept to mean something."
            " Leave out what has decayed into the noise, or give the two states as two files."
        )
    return 1.0 / cells if unit == "Ohm" else cells
