"""A record that is longer than memory should hold: every so many samples, with the exact mean voltage between."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from ferrogen.calibration import table as table_module
from ferrogen.calibration.columns import Wanted
from ferrogen.calibration.table import open_table
from ferrogen.calibration.time_series import TimeSeries, read_series
from ferrogen.core.errors import DataFileError

WANTED = [Wanted("time", ("s",)), Wanted("voltage", ("V",)), Wanted("charge", ("C/m^2",))]


def series(path: Path, time: object, most: int) -> TimeSeries:
    at = np.asarray(time, dtype=float)
    table = np.column_stack([at, np.sin(at**1.5), np.cos(at)])
    np.savetxt(path, table, delimiter=",", header="time [s],voltage [V],charge [C/m^2]", comments="", fmt="%.17g")
    return read_series(open_table(path, WANTED), most)


@pytest.mark.parametrize("chunk", [7, 64, 10_000])
@pytest.mark.parametrize(("rows", "step"), [(100, 1), (101, 2), (641, 8)])
def test_every_so_many_samples_with_the_mean_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int, rows: int, step: int
) -> None:
    monkeypatch.setattr(table_module, "_CHUNK", chunk)
    time = np.linspace(0.0, 9.0, rows) ** 1.1
    found = series(tmp_path / "long.csv", time, 100)
    index = np.unique(np.append(np.arange(0, rows, step), rows - 1))
    assert found.step == step
    np.testing.assert_array_equal(found.time, time[index])
    np.testing.assert_array_equal(found.charge, np.cos(time)[index])
    voltage = np.sin(time**1.5)
    expected = [
        np.trapezoid(voltage[a : b + 1], time[a : b + 1]) / (time[b] - time[a]) for a, b in itertools.pairwise(index)
    ]
    np.testing.assert_allclose(found.mean_voltage, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("at", [3, 7, 12, 14])
def test_a_time_that_does_not_rise_is_found_wherever_chunks_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    monkeypatch.setattr(table_module, "_CHUNK", 7)
    time = np.arange(20.0)
    time[at] = time[at - 1]
    with pytest.raises(DataFileError, match=f"row {at + 1} has {time[at]:g} s after"):
        series(tmp_path / "bad.csv", time, 100)
