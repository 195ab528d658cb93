"""Leakage of a measured 13 nm HfO2 capacitor: activated, and not Poole and Frenkel's.

Measured at two temperatures and both polarities on one capacitor (median of up and down sweep, uA/cm^2); an offset of
9 uA/cm^2 at 0 V makes everything below 1 V useless. The bounds are those of the table's own scatter, up and down sweeps
differing by 0.03 eV.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ferrogen.device.transport.thermal import activation_energy, poole_frenkel_lowering

TEMPERATURES = np.array([27.0, 127.0]) + 273.15
THERMAL = 8.617333262e-5 * TEMPERATURES
THICKNESS = 13e-9


@pytest.fixture(scope="module")
def tables(measured: Path) -> list[NDArray[np.float64]]:
    folder = measured / "hfo2_capacitor"
    return [np.genfromtxt(folder / f"leakage_{t}C.tsv", skip_header=1) for t in (27, 127)]


def _branch(tables: list[NDArray[np.float64]], sign: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Voltages of the rising sweep from 1 V on, and currents [A/m^2] at both temperatures, shape (voltages, 2)."""
    start = 0 if sign > 0 else 13
    rows = slice(start + 2, start + 7) if sign > 0 else slice(start + 1, start + 6)
    volts = np.abs(tables[0][rows, 0])
    return volts, np.stack([sign * table[rows, 2] * 1e-2 for table in tables], axis=-1)


def test_activation_energy_at_positive_bias(tables: list[NDArray[np.float64]]) -> None:
    volts, currents = _branch(tables, 1.0)
    np.testing.assert_allclose(volts, [1.0, 1.5, 2.0, 2.5, 3.0], atol=0.03)
    energy = activation_energy(TEMPERATURES, currents)
    np.testing.assert_allclose(energy, [0.301, 0.317, 0.306, 0.282, 0.257], atol=0.002)
    # With the optical permittivity Poole and Frenkel's barrier would fall by 0.15 eV from 1.5 V to 3 V.
    asked = np.diff(poole_frenkel_lowering(volts[[1, 4]] / THICKNESS, 5.0))
    assert energy[1] - energy[4] < 0.5 * asked


def test_activation_energy_at_negative_bias_is_another(tables: list[NDArray[np.float64]]) -> None:
    """It falls from 0.30 to 0.10 eV: no single activation energy describes both polarities of this capacitor."""
    volts, currents = _branch(tables, -1.0)
    np.testing.assert_allclose(volts, [1.0, 1.5, 2.0, 2.5, 3.0], atol=0.03)
    energy = activation_energy(TEMPERATURES, currents)
    assert (np.diff(energy) < 0.0).all()
    assert energy[0] == pytest.approx(0.30, abs=0.02)
    assert energy[-1] == pytest.approx(0.10, abs=0.02)


@pytest.mark.parametrize(("sign", "permittivities"), [(1.0, (27.5, 19.9)), (-1.0, (20.6, 40.3))])
def test_poole_frenkel_slope_asks_for_another_permittivity(
    tables: list[NDArray[np.float64]], sign: float, permittivities: tuple[float, float]
) -> None:
    """ln(J / E) over sqrt(E) is straight, but its slope is not that of the optical permittivity, 4 to 5."""
    volts, currents = _branch(tables, sign)
    field = volts / THICKNESS
    for k, expected in enumerate(permittivities):
        slope = np.polyfit(np.sqrt(field), np.log(currents[:, k] / field), 1)[0]
        permittivity = (float(poole_frenkel_lowering(1.0, 1.0)) / (slope * THERMAL[k])) ** 2
        assert permittivity == pytest.approx(expected, rel=0.05)
        assert permittivity > 10.0
