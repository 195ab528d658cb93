"""Thermal and shot noise: limits, the tunnel junction's coth, window averages by integration and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import constants as codata
from scipy import stats
from scipy.integrate import quad

from ferrogen.circuit.amplifier import Amplifier
from ferrogen.core.errors import ArgumentError, FerrogenError
from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.noise.electronic import (
    crossover_voltage,
    electronic_window_variance,
    junction_density,
    langevin,
    shot_density,
    thermal_density,
    white_window_variance,
    window_bandwidth,
)


@pytest.mark.parametrize("voltage", [1e-6, 1e-3, 0.01, 0.0517, 0.3, 1.2])
@pytest.mark.parametrize("fano", [0.0, 0.3, 1.0])
def test_the_parts_sum_to_the_formula(voltage: float, fano: float) -> None:
    """The textbook formula, where its own cancellation (coth v - 1 / v, 1e-16 / v^2) lets it be trusted."""
    kt, q, current = codata.k * 300.0, codata.e, 3e-9
    whole = current / voltage * (4 * kt * (1 - fano) + 2 * q * fano * voltage / np.tanh(q * voltage / (2 * kt)))
    thermal, shot = junction_density(-current, voltage, 300.0, fano)
    assert float(thermal + shot) == pytest.approx(whole, rel=1e-12, abs=0.0)
    assert float(thermal) == pytest.approx(float(thermal_density(300.0, voltage / current)), rel=1e-14, abs=0.0)


def test_limits_and_crossover() -> None:
    assert crossover_voltage(300.0) == pytest.approx(0.0517, abs=1e-4)
    at = crossover_voltage(300.0, 0.5)
    assert float(shot_density(1e-9 * at, 0.5)) == pytest.approx(float(thermal_density(300.0, 1e9)), rel=1e-12, abs=0.0)
    thermal, shot = junction_density(1e-8, 50.0, 300.0)
    assert float(thermal + shot) == pytest.approx(float(shot_density(1e-8)), rel=1e-12, abs=0.0)
    thermal, shot = junction_density(1e-14, 1e-7, 300.0)
    # q V / 2 kT is 2e-6: shot over thermal is its square over three
    assert float(shot / thermal) == pytest.approx(
        (codata.e * 1e-7 / (2 * codata.k * 300.0)) ** 2 / 3, rel=1e-9, abs=0.0
    )
    assert float(thermal_density(300.0, np.inf)) == 0.0
    assert float(thermal_density(0.0, 1.0)) == 0.0


@settings(deadline=None)
@given(st.floats(1e-6, 700.0))
def test_langevin_is_smooth_and_between_its_limits(v: float) -> None:
    """Between the first terms of its series, and the plain formula where that does not cancel."""
    value = float(langevin(v))
    assert v / 3 - v**3 / 45 - 1e-15 <= value <= min(v / 3 + 1e-15, 1.0)
    if v > 0.01:  # where the plain formula has 1e-16 / v / (v / 3) of error
        assert value == pytest.approx(1 / np.tanh(v) - 1 / v, rel=1e-11, abs=0.0)


def test_a_window_averages_white_noise_to_the_density_over_twice_its_length() -> None:
    """int S sinc^2(f T) df = S / (2 T); what lies beyond 1e4 / T is 1 / (2 pi^2 1e4), 1e-5 of it."""
    duration, density = 2e-3, 7e-27
    lobes = [quad(lambda x: np.sinc(x) ** 2, k, k + 10, epsrel=1e-10)[0] for k in range(0, 10_000, 10)]
    integral = density * sum(lobes) / duration
    assert float(white_window_variance(density, duration)) == pytest.approx(integral, rel=1.2e-5, abs=0.0)
    assert window_bandwidth(duration) == 250.0


def test_shot_noise_counts_electrons() -> None:
    """Independent electrons, Poisson in number: the variance of a window's mean current is q I / T. Level 1e-3."""
    current, duration = 5e-12, 1e-5
    expected = current * duration / codata.e
    count = Streams(1).generator(Purpose.ELECTRONIC_NOISE).poisson(expected, 20_000)
    sampled = (codata.e * count / duration).var(ddof=1)
    variance = float(white_window_variance(shot_density(current), duration))
    # of a Poisson variance over n samples: relative standard error sqrt((2 + 1 / mean) / n)
    assert abs(sampled / variance - 1.0) < stats.norm.isf(5e-4) * np.sqrt((2.0 + 1.0 / expected) / 20_000)


def test_the_amplifier_adds_up_these_formulas() -> None:
    amplifier = Amplifier(voltage_noise=0.0)
    white = thermal_density(310.0, 1e6) + shot_density([1e-9, -2e-8])
    np.testing.assert_allclose(
        amplifier.noise_current(1e-6, 310.0, [1e-9, -2e-8]), np.sqrt(white_window_variance(white, 1e-6)), rtol=1e-14
    )
    parts = junction_density(2e-9, 0.1, 300.0, 0.7)
    both = electronic_window_variance(2e-9, 0.1, 300.0, 1e-6, 0.7)
    assert float(both) == pytest.approx(float(sum(parts)) * 5e5, rel=1e-14, abs=0.0)


@settings(deadline=None)
@given(
    current=st.floats(-1.0, 1.0),
    voltage=st.floats(-10.0, 10.0),
    temperature=st.floats(-1.0, 1e4),
    fano=st.floats(-0.1, 2.0),
)
def test_densities_are_finite_or_refused(current: float, voltage: float, temperature: float, fano: float) -> None:
    try:
        parts = junction_density(current, voltage, temperature, fano)
    except FerrogenError:
        return
    assert all(np.isfinite(part) and part >= 0.0 for part in parts)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((1e-9, 0.0, 300.0), "voltage"),
        ((np.nan, 0.1, 300.0), "voltage"),
        ((1e-9, 0.1, 0.0), "temperature"),
        ((1e-9, 0.1, 300.0, -1.0), "fano_factor"),
    ],
)
def test_refusals(arguments: tuple[float, ...], name: str) -> None:
    with pytest.raises(ArgumentError, match=f"`{name}`"):
        junction_density(*arguments)
    with pytest.raises(ArgumentError, match="`resistance`"):
        thermal_density(300.0, 0.0)
    with pytest.raises(ArgumentError, match="`duration`"):
        window_bandwidth(0.0)
