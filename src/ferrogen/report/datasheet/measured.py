"""Measured tables to lay over a data sheet; quantities, columns and units are named as for ``ferrogen calibrate``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from ferrogen.calibration.charge import CHARGE_SPANS
from ferrogen.calibration.columns import Choice, Wanted
from ferrogen.calibration.samples import Sample
from ferrogen.calibration.table import TableFormat, open_table
from ferrogen.core.errors import ArgumentError, DataFileError, argument_error
from ferrogen.report.datasheet.page import Array

_MOST_ROWS = 2_000_000

KINDS: Final[Mapping[str, tuple[Wanted, ...]]] = {
    "switching": (
        Wanted("pulse_width", ("s",), ("pw", "width", "tw", "t", "time")),
        Wanted("amplitude", ("V", "V/m"), ("amp", "voltage", "V", "Vp", "field", "E")),
        Wanted("polarization", ("C/m^2", "C"), ("Pr", "P", "polarisation", "dP", "Q")),
    ),
    "loop": (
        Wanted("voltage", ("V", "V/m"), ("V", "Vplus", "U", "field", "E")),
        Wanted("polarization", ("C/m^2", "C"), ("P", "P1", "polarisation", "charge", "Q")),
        Wanted("time", ("s",), ("t",), optional=True),
    ),
    "iv": (
        Wanted("voltage", ("V",), ("V", "bias", "U", "Vplus")),
        Wanted("current", ("A", "A/m^2"), ("I", "current density", "leakage current density", "J")),
    ),
    "pulses": (
        Wanted("conductance", ("S",), ("G",)),
        Wanted("pulse", ("1",), ("number", "n", "pulse number", "index"), optional=True),
    ),
    "retention": (
        Wanted("time", ("s",), ("t", "delay", "retention_time")),
        Wanted("value", ("C/m^2", "S", "A", "1"),
               ("polarization", "remanent_polarization", "conductance", "P", "Pr", "G")),
    ),
    "endurance": (
        Wanted("cycles", ("1",), ("cycle", "number of cycles", "N")),
        Wanted("value", ("C/m^2", "1"), ("remanent_polarization", "polarization", "Pr", "P")),
    ),
    "rtn": (
        Wanted("value", ("A", "S", "Ohm", "1"), ("current", "conductance", "resistance", "I", "G", "R")),
        Wanted("time", ("s",), ("t",), optional=True),
    ),
}  # fmt: skip
"""What can be laid over a data sheet, and the quantities of each."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the tables do not say.

    Attributes:
        sample: thickness and area of what was measured.
        frequency: of measured loops without times [Hz]; None if it was not told.
        interval: between the samples of a trace without times [s]; None if it was not told.
    """

    sample: Sample = field(default_factory=Sample)
    frequency: float | None = None
    interval: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """One measured table, in the units that the pages show.

    Attributes:
        kind: one of ``KINDS``.
        name: of its file.
        columns: quantity -> values: voltages [V], polarisation [C/m^2], currents [A] or [A/m^2].
        units: quantity -> its unit.
        facts: what the table does not say.
    """

    kind: str
    name: str
    columns: dict[str, Array]
    units: dict[str, str]
    facts: Facts

    def period(self) -> float:
        """Return how long the measured loop took [s].

        Raises:
            ArgumentError: neither the table nor the caller says it.
        """
        if "time" in self.columns:
            time = self.columns["time"]
            return float(time[-1] - time[0]) * time.size / max(time.size - 1, 1)
        if self.facts.frequency is None:
            raise ArgumentError(
                f"The loop in '{self.name}' has no column of times. Say its frequency, e.g. --frequency '1 kHz'."
            )
        return 1.0 / self.facts.frequency

    def spacing(self) -> float:
        """Return the time between samples of a trace [s].

        Raises:
            ArgumentError: neither the table nor the caller says it.
        """
        if "time" in self.columns:
            return float(np.median(np.diff(self.columns["time"])))
        if self.facts.interval is None:
            raise ArgumentError(
                f"The trace in '{self.name}' has no column of times. Say the time between its samples, e.g. --interval"
                " '1 ms'."
            )
        return self.facts.interval


def parse_measured(text: str) -> tuple[str, Path]:
    """Take ``KIND=FILE`` apart.

    Raises:
        ArgumentError: text of another form, or an unknown kind.
    """
    kind, equals, path = text.partition("=")
    if not equals or not path.strip() or kind.strip() not in KINDS:
        raise argument_error("measured", f"read KIND=FILE with a kind among {', '.join(KINDS)}", repr(text))
    return kind.strip(), Path(path.strip())


def read_measured(
    items: Sequence[tuple[str, Path]],
    chosen: Mapping[str, Choice] | None = None,
    form: TableFormat | None = None,
    facts: Facts | None = None,
) -> dict[str, Measured]:
    """Read measured tables, at most one of each kind.

    Args:
        items: kind and file of each.
        chosen: columns that are not under a usual name; each is used for every kind that has the quantity.
        form: how the tables are written.
        facts: what they do not say.

    Raises:
        ArgumentError: a kind twice, a column for a quantity that no kind has, or a fact that is missing.
        DataFileError: a table that cannot be read.
    """
    chosen, facts = dict(chosen or {}), facts or Facts()
    known = {wanted.name for kind, _ in items for wanted in KINDS[kind]}
    unknown = sorted(set(chosen) - known)
    if unknown:
        raise argument_error("column", f"choose among {', '.join(sorted(known)) or 'no quantity'}", repr(unknown[0]))
    found: dict[str, Measured] = {}
    for kind, path in items:
        if kind in found:
            raise argument_error("measured", "name each kind once", f"'{kind}' twice")
        own = {name: choice for name, choice in chosen.items() if name in {wanted.name for wanted in KINDS[kind]}}
        table = open_table(path, KINDS[kind], own, form)
        columns = table.read(_MOST_ROWS)
        item = Measured(kind, table.name, columns, table.units, facts)
        found[kind] = _checked(_in_page_units(item))
    return found


def _in_page_units(item: Measured) -> Measured:
    columns, units = dict(item.columns), dict(item.units)
    for name in ("amplitude", "voltage"):
        if units.get(name) == "V/m":
            columns[name] = columns[name] * item.facts.sample.needed_thickness()
            units[name] = "V"
    if units.get("polarization") == "C":
        columns["polarization"] = columns["polarization"] / item.facts.sample.needed_area()
        units["polarization"] = "C/m^2"
    return Measured(item.kind, item.name, columns, units, item.facts)


def _checked(item: Measured) -> Measured:
    """Refuse tables that a page could not show.

    Raises:
        DataFileError: too few rows, times that do not rise, a polarisation that no film has,
            or values that would be divided by but are zero.
    """
    rows = next(iter(item.columns.values())).size
    if rows < 2:
        raise DataFileError(f"'{item.name}' has {rows} row; at least 2 are needed to compare it with a card.")
    if "time" in item.columns and item.kind in ("loop", "rtn") and np.any(np.diff(item.columns["time"]) <= 0.0):
        raise DataFileError(
            f"The times in '{item.name}' do not rise from row to row. Sort it, or choose another column."
        )
    span = float(np.ptp(item.columns["polarization"])) if "polarization" in item.columns else 0.0
    if span > CHARGE_SPANS[1]:
        raise DataFileError(
            f"'{item.name}': the polarisation spans {1e2 * span:.3g} uC/cm^2, but no ferroelectric film has more than"
            f" {1e2 * CHARGE_SPANS[1]:g} uC/cm^2. Check the unit of the column, and the area."
        )
    if item.kind == "retention" and not np.any(item.columns["time"] > 0.0):
        raise DataFileError(f"'{item.name}' has no time above zero.")
    if item.kind in ("retention", "rtn") and np.any(item.columns["value"] == 0.0):
        raise DataFileError(f"'{item.name}' has values of zero, over which nothing can be divided.")
    return item
