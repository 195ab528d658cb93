"""Records of time, voltage and charge of any length: neighbouring samples are merged while a long file is read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferrogen.calibration.table import Table
from ferrogen.core.errors import DataFileError

Array = NDArray[np.float64]

MOST_SAMPLES = 1 << 19  # of a record in memory: hundreds for each that a fit looks at


@dataclass(frozen=True, slots=True)
class TimeSeries:
    """Samples of a record, every ``step``-th of the file and the last.

    Attributes:
        time: in SI units, rising, shape ``(n,)``.
        voltage: in the unit of the table, shape ``(n,)``.
        charge: in the unit of the table, shape ``(n,)``.
        mean_voltage: between the samples, by the trapezoidal rule over all that lie between, shape ``(n - 1,)``.
        step: rows of the file for each that is kept.
    """

    time: Array
    voltage: Array
    charge: Array
    mean_voltage: Array
    step: int


def read_series(table: Table, most: int = MOST_SAMPLES, *, period: float = 0.0) -> TimeSeries:
    """Read the columns ``time``, ``voltage`` and ``charge`` in memory that does not grow with the file.

    Args:
        table: that has them.
        most: samples that are kept; twice as many, at most, are held.
        period: of a table without times, whose rows are then taken to be evenly spaced over it [s].

    Raises:
        DataFileError: as for reading the table, no rows, or a time that does not rise.
    """
    kept = np.empty((0, 4))  # time, voltage, charge, integral of the voltage up to there
    last, rows, step = np.empty((0, 4)), 0, 1
    timed = "time" in table.units
    for chunk in table.chunks():
        time = chunk["time"] if timed else rows + np.arange(len(chunk["voltage"]), dtype=np.float64)
        block = np.column_stack([time, chunk["voltage"], chunk["charge"]])
        joined = np.concatenate([last[:, :3], block])
        rise = np.diff(joined[:, 0])
        if np.any(rise <= 0.0):
            at = int(np.argmax(rise <= 0.0))
            raise DataFileError(
                f"'{table.name}': the time must rise, but row {rows + at + 2 - len(last)} has {joined[at + 1, 0]:.9g} s"
                f" after {joined[at, 0]:.9g} s. Give the rows in order, and times with all their digits."
            )
        volts = np.concatenate([last[:, 3], 0.5 * rise * (joined[1:, 1] + joined[:-1, 1])])
        integral = np.cumsum(volts if len(last) else np.concatenate([[0.0], volts]))[len(last) :]
        whole = np.column_stack([block, integral])
        kept = np.concatenate([kept, whole[-rows % step :: step]])
        rows, last = rows + len(block), whole[-1:]
        while len(kept) > most:
            kept, step = kept[::2], 2 * step
    if not rows:
        raise DataFileError(f"'{table.path}' has no row of numbers.")
    if (rows - 1) % step:
        kept = np.concatenate([kept, last])
    time, voltage, charge, integral = (np.ascontiguousarray(column) for column in kept.T)
    mean = 0.5 * (voltage[1:] + voltage[:-1]) if step == 1 else np.diff(integral) / np.diff(time)
    return TimeSeries(time if timed else time * (period / max(rows - 1, 1)), voltage, charge, mean, step)
