"""The charge model against independent ways to the same numbers: an ODE solver, domains one by one, power laws."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.polynomial.hermite_e import hermegauss
from scipy.constants import Boltzmann, elementary_charge, epsilon_0
from scipy.integrate import solve_ivp

from ferrogen.calibration.charge import Record, charge_with_voltage, lagged, model_charge, thinned, turning_segments
from ferrogen.calibration.fit import Array
from ferrogen.calibration.leakage import leakage_at, load_leakage
from ferrogen.core.errors import ArgumentError, DataFileError
from ferrogen.device.waveforms import from_samples

VALUES = {
    "remanent_polarization": 0.15, "activation_field": 1.4e8, "activation_width": 0.25, "attempt_time": 1e-6,
    "field_exponent": 3.0, "nucleation_exponent": 1.0, "local_bias_field": 1e7, "bias_deviation": 2e7,
    "permittivity": 40.0,
}  # fmt: skip


def triangle(amplitude: float = 3.0, period: float = 1e-3, count: int = 401, *, start: str = "cycled") -> Record:
    time = np.linspace(0.0, period, count)
    voltage = amplitude * np.interp(time / period, [0.0, 0.25, 0.75, 1.0], [0.0, 1.0, -1.0, 0.0])
    return Record("triangle", time, voltage, np.zeros(count), from_samples(time, voltage).voltages, start, 300.0)


def test_the_charge_of_domains_followed_one_by_one() -> None:
    record = triangle(start="down")
    u, weight = hermegauss(61)
    activation = VALUES["activation_field"] * np.exp(VALUES["activation_width"] * u)[:, None] + 0.0 * u
    bias = VALUES["local_bias_field"] + VALUES["bias_deviation"] * u[None, :] + 0.0 * u[:, None]
    share = np.outer(weight, weight) / weight.sum() ** 2
    up = np.zeros_like(share)
    expected = [-1.0]
    for volt, length in zip(record.mean_voltage, record.durations, strict=True):
        local = volt / 10e-9 - bias
        rate = np.exp(-np.minimum((activation / np.abs(local)) ** 3.0, 700.0)) / 1e-6
        target = (local > 0.0).astype(float)
        up = target + (up - target) * np.exp(-rate * length)
        expected.append(float(np.sum(share * (2.0 * up - 1.0))))
    whole = 0.15 * np.array(expected) + epsilon_0 * 40.0 * record.voltage / 10e-9
    # Two quadratures of a response that is sharp in the plane of both: each is good to about 0.1 % of 2 P_r.
    np.testing.assert_allclose(model_charge(record, VALUES, 10e-9), whole, atol=3e-3 * 0.3)


def test_a_cycled_record_repeats() -> None:
    record = triangle(amplitude=1.8)
    charge = model_charge(record, VALUES, 10e-9, cycles=12)
    assert abs(charge[-1] - charge[0]) < 2e-3 * np.ptp(charge)
    assert not np.allclose(charge, model_charge(triangle(amplitude=1.8, start="down"), VALUES, 10e-9))


@pytest.mark.parametrize("lag", [3e-6, 5e-5, 4e-4])
def test_the_lag_against_an_ode_solver(lag: float) -> None:
    time = np.linspace(0.0, 1e-3, 301)
    charge = np.sin(2e3 * math.pi * time) + 2.0 * time / 1e-3

    def slope(t: float, q: Array) -> Array:
        return (np.interp(t, time, charge) - q) / lag

    solved = solve_ivp(slope, (0.0, 1e-3), [charge[0]], t_eval=time, rtol=1e-8, atol=1e-9, max_step=2e-6)
    np.testing.assert_allclose(lagged(charge, time, lag, cyclic=False), solved.y[0], atol=2e-5)


def test_a_cyclic_lag_repeats_up_to_the_drift() -> None:
    time = np.linspace(0.0, 1e-3, 301)
    charge = np.sin(2e3 * math.pi * time) + 2.0 * time / 1e-3
    lag = 2e-4
    found = lagged(charge, time, lag, cyclic=True)
    assert found[-1] - found[0] == pytest.approx(2.0, abs=1e-9)
    # In the steady state a sine lags as a low pass of first order says, and the drift by lag times its slope.
    angle = 2e3 * math.pi * lag
    expected = np.sin(2e3 * math.pi * time - math.atan(angle)) / math.hypot(1.0, angle) + 2.0 * (time - lag) / 1e-3
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_leakage_and_closure() -> None:
    record = triangle()
    leak = 3.0 * np.abs(record.mean_voltage) ** 2 * (record.mean_voltage > 0.0)
    plain = model_charge(record, VALUES, 10e-9)
    leaky = model_charge(record, VALUES, 10e-9, leak=leak)
    # 3 A/m^2/V^2 over half a period of a triangle of 3 V: 3 x 9 / 3 x 0.5 ms; the midpoint rule is good to 1e-4.
    assert leaky[-1] - plain[-1] == pytest.approx(3.0 * 3.0 * 0.5e-3, rel=1e-3)
    closed = model_charge(record, VALUES, 10e-9, leak=leak, closed=True)
    assert closed[-1] == pytest.approx(closed[0], abs=1e-12)
    np.testing.assert_allclose(closed, leaky - (leaky[-1] - leaky[0]) * record.time / 1e-3, atol=1e-12)


def test_turning_points_part_a_waveform() -> None:
    voltage = np.interp(np.arange(600), [0, 100, 250, 300, 599], [3.0, -3.0, 1.2, -1.0, 3.0])
    noisy = voltage + 0.05 * np.sin(np.arange(600) * 2.1)
    labels = turning_segments(noisy)
    assert labels.max() == 3
    for turn in (100, 250, 300):
        at = int(np.argmax(labels > labels[turn - 10]))
        assert abs(at - turn) <= 4
    assert turning_segments(np.linspace(0.0, 1.0, 50)).max() == 0


def test_thinning_keeps_the_field_time() -> None:
    record = triangle(count=4001)
    thin = thinned(record, 300)
    assert thin.time.size < 320
    assert np.sum(thin.mean_voltage * thin.durations) == pytest.approx(
        np.sum(record.mean_voltage * record.durations), abs=1e-15
    )
    full = model_charge(record, VALUES, 10e-9)
    part = model_charge(thin, VALUES, 10e-9)
    assert np.abs(part - np.interp(thin.time, record.time, full)).max() < 5e-3 * np.ptp(full)


def test_thinning_keeps_the_edges_of_pulses() -> None:
    voltage = np.concatenate([np.repeat([level, 0.0], 9) for level in np.linspace(-2.5, 2.7, 60)])
    time = 1e-6 * np.arange(voltage.size)
    record = Record("", time, voltage, np.zeros(time.size), from_samples(time, voltage).voltages, "down", 300.0)
    thin = thinned(record, 200)
    assert thin.time.size < 0.5 * time.size
    full, part = (model_charge(item, VALUES, 10e-9) for item in (record, thin))
    # Between its samples the voltage is constant within 2.5 % of its span, and its mean is exact.
    assert np.abs(part - np.interp(thin.time, time, full)).max() < 5e-3 * np.ptp(full)


def test_a_charge_of_the_other_sign_is_turned() -> None:
    record = triangle()
    charge = model_charge(record, VALUES, 10e-9)
    same, nothing = charge_with_voltage(record.voltage, charge)
    turned, said = charge_with_voltage(record.voltage, -charge)
    assert (same is charge, nothing) == (True, "")
    np.testing.assert_array_equal(turned, charge)
    assert "other sign" in said


def write_leakage(path: Path, up: tuple[float, float], down: tuple[float, float], offset: float = 0.0) -> Path:
    volts = np.concatenate([np.linspace(0.0, 3.0, 7), np.linspace(2.5, -3.0, 12), np.linspace(-2.5, 0.0, 6)])
    (a, n), (b, m) = up, down
    density = np.where(volts > 0, a * np.abs(volts) ** n, -b * np.abs(volts) ** m) + offset
    np.savetxt(path, np.c_[volts, density * 1e2], delimiter="\t", header="Voltage V\tJ uA_per_cm2", comments="")
    return path


def test_leakage_tables_give_their_power_law_back(tmp_path: Path) -> None:
    path = write_leakage(tmp_path / "dc at noon.tsv", (0.4, 4.0), (0.1, 3.0), offset=1e-3)
    (table,) = load_leakage(f"{path} at 27 degC", None)
    assert table.temperature == pytest.approx(300.15)
    volts = np.array([-4.0, -1.5, -0.2, 0.0, 0.7, 2.0, 4.0])
    expected = np.where(volts > 0, 0.4 * np.abs(volts) ** 4.0, -0.1 * np.abs(volts) ** 3.0)
    np.testing.assert_allclose(table.density(volts), expected, rtol=1e-5, atol=1e-12)


def test_leakage_at_other_temperatures(tmp_path: Path) -> None:
    energy = 0.3
    factors = {t: math.exp(-energy * elementary_charge / (Boltzmann * t)) * 1e5 for t in (300.0, 350.0, 400.0, 450.0)}
    texts = [
        f"{write_leakage(tmp_path / f'{t:.0f}.tsv', (factors[t], 4.0), (0.3 * factors[t], 3.0))} at {t} K"
        for t in (300.0, 400.0)
    ]
    volts = np.array([-2.0, 1.0, 2.5])
    shape = np.where(volts > 0, np.abs(volts) ** 4.0, -0.3 * np.abs(volts) ** 3.0)
    both, one = load_leakage("; ".join(texts), None), load_leakage(texts[0], None)
    for kelvin in (350.0, 450.0):
        np.testing.assert_allclose(leakage_at(both, volts, kelvin, 0.0), factors[kelvin] * shape, rtol=1e-5)
        np.testing.assert_allclose(leakage_at(one, volts, kelvin, energy), factors[kelvin] * shape, rtol=1e-5)
    np.testing.assert_allclose(leakage_at(both, volts, 305.0, 0.0), factors[300.0] * shape, rtol=1e-5)


def test_leakage_that_is_none(tmp_path: Path) -> None:
    for text in ("dc.tsv", " at 27 degC", "dc.tsv at noon"):
        with pytest.raises(ArgumentError, match="leakage"):
            load_leakage(text, None)
    path = tmp_path / "dc.csv"
    path.write_text("Voltage [V],I [A]\n0,0\n1,1e-9\n2,2e-9\n-1,-1e-9\n-2,-2e-9\n")
    with pytest.raises(ArgumentError, match="area"):
        load_leakage(f"{path} at 300 K", None)
    assert load_leakage(f"{path} at 300 K", 1e-8)[0].density(np.array([1.5]))[0] == pytest.approx(0.15)
    path.write_text("Voltage [V],I [A]\n0,1e-9\n1,1e-9\n2,1e-9\n")
    with pytest.raises(DataFileError, match="stands out"):
        load_leakage(f"{path} at 300 K", 1e-8)
