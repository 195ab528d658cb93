"""Closed forms of tunnelling against the reference integral: how far they are off, and where they end."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import constants as codata

from ferrogen.device.transport.barrier import Barrier, trapezoid_profile
from ferrogen.device.transport.direct import (
    brinkman,
    fowler_nordheim,
    gruverman,
    simmons,
    temperature_factor,
    zero_bias_conductance,
)
from ferrogen.device.transport.wkb import tunnel_current

VOLTAGES = np.array([-0.5, -0.3, -0.1, 0.05, 0.1, 0.3, 0.5])
BARRIERS = [
    Barrier(top, bottom, thickness, mass)
    for top, bottom in ((1.6, 1.6), (2.0, 2.0), (2.4, 2.4), (1.8, 2.2), (2.2, 1.8))
    for thickness in (2e-9, 3e-9)
    for mass in (0.1, 0.2)
]


def _reference(barrier: Barrier, voltage: np.ndarray, temperature: float = 300.0) -> np.ndarray:
    return tunnel_current(trapezoid_profile(barrier, voltage), voltage, temperature)


@pytest.mark.parametrize("barrier", BARRIERS, ids=str)
def test_gruverman_with_the_free_mass_is_near_the_integral(barrier: Barrier) -> None:
    """Stated in the literature notes: 0.93 of the full integral; over these barriers it is 0.85 to 0.96."""
    ratio = gruverman(VOLTAGES, barrier) / _reference(barrier, VOLTAGES)
    assert (ratio > 0.85).all()
    assert (ratio < 0.96).all()
    np.testing.assert_allclose(gruverman(VOLTAGES, barrier, barrier.mass), barrier.mass * gruverman(VOLTAGES, barrier))


def test_gruverman_of_the_common_barriers() -> None:
    ratios = [gruverman(0.2, b) / _reference(b, np.array(0.2)) for b in BARRIERS if b.mass == 0.2]
    assert np.mean(ratios) == pytest.approx(0.925, abs=0.01)
    assert np.ptp(ratios) < 0.035


@pytest.mark.parametrize("barrier", BARRIERS, ids=str)
def test_gruverman_is_the_published_expression(barrier: Barrier) -> None:
    """As printed, with its singular denominators, away from them; same numbers to 1e-9."""
    q, m0, hbar = codata.e, codata.m_e, codata.hbar
    u1, u2 = barrier.bottom_height * q, barrier.top_height * q
    for v in (-0.31, 0.17, 0.43):
        ev = q * v
        a = 4.0 * barrier.thickness * np.sqrt(2.0 * barrier.mass * m0) / (3.0 * hbar * (u1 + ev - u2))
        root = np.sqrt(u2 - ev / 2) - np.sqrt(u1 + ev / 2)
        c = -4.0 * q * m0 / (9.0 * np.pi**2 * hbar**3)
        expected = c * np.exp(a * ((u2 - ev / 2) ** 1.5 - (u1 + ev / 2) ** 1.5)) / (a**2 * root**2)
        expected *= np.sinh(1.5 * a * root * ev / 2)
        assert gruverman(v, barrier) == pytest.approx(expected, rel=1e-8)


def test_gruverman_has_no_singular_point() -> None:
    """At phi_bottom + V = phi_top the printed form is 0/0; its limit lies between its neighbours.

    ln J ~ ln V bends by h^2 / (2 V^2) = 1.3e-7 over a step h = 1e-4 V.
    """
    barrier = Barrier(2.2, 2.0, 3e-9, 0.2)
    near = np.log(gruverman(np.array([0.2 - 1e-4, 0.2, 0.2 + 1e-4]), barrier))
    assert np.isfinite(near).all()
    assert near[1] == pytest.approx(0.5 * (near[0] + near[2]), abs=3e-7)


@pytest.mark.parametrize("law", [gruverman, brinkman, simmons])
def test_turning_the_junction_over_turns_the_current(law: object) -> None:
    v = np.array([0.05, 0.2, 0.4])
    one, other = Barrier(1.8, 2.3, 2e-9, 0.2), Barrier(2.3, 1.8, 2e-9, 0.2)
    np.testing.assert_allclose(law(v, one), -law(-v, other), rtol=1e-12)  # type: ignore[operator]


@pytest.mark.parametrize("barrier", BARRIERS, ids=str)
def test_brinkman_is_gruverman_at_low_bias(barrier: Barrier) -> None:
    """Both expand the same trapezoid; 1 % at 0.1 V, 3 % at 0.3 V, and 5 % as far as the cubic is not refused."""
    ratio = brinkman(np.array([-0.1, 0.1, 0.3]), barrier) / gruverman(np.array([-0.1, 0.1, 0.3]), barrier)
    np.testing.assert_allclose(ratio[:2], 1.0, atol=0.01)
    assert ratio[2] == pytest.approx(1.0, abs=0.03)
    action = 4.0 / 3.0 * barrier.thickness * np.sqrt(2.0 * barrier.mass * codata.m_e * codata.e) / codata.hbar
    edge = 0.999 * np.sqrt(0.25 / (3.0 * action**2 / (128.0 * barrier.mean_height)))
    edge = np.array([-min(edge, 0.9 * barrier.bottom_height), min(edge, 0.9 * barrier.top_height)])
    np.testing.assert_allclose(brinkman(edge, barrier) / gruverman(edge, barrier), 1.0, atol=0.05)


def test_zero_bias_conductance_in_practical_units() -> None:
    """3.16e10 sqrt(phi) / d exp(-1.025 d sqrt(phi)) S/cm^2 with d in angstrom, three digits as printed.

    The exponent's 1.025 stands for 1.0246: 4e-4 x 20 x 1.41 = 1 % of the conductance.
    """
    expected = 3.16e10 * np.sqrt(2.0) / 20.0 * np.exp(-1.025 * 20.0 * np.sqrt(2.0)) * 1e4
    assert zero_bias_conductance(Barrier(2.0, 2.0, 2e-9, 1.0)) == pytest.approx(expected, rel=0.015)


@pytest.mark.parametrize("barrier", BARRIERS, ids=str)
def test_simmons_is_within_a_third_of_the_integral(barrier: Barrier) -> None:
    """It keeps only the leading order of the integral over energy and the mean height: 0.66 to 0.92 here."""
    ratio = simmons(VOLTAGES, barrier) / _reference(barrier, VOLTAGES)
    assert (ratio > 0.65).all()
    assert (ratio < 0.92).all()


@pytest.mark.parametrize("temperature", [150.0, 300.0, 400.0])
def test_temperature_factor(temperature: float) -> None:
    """The growth of the integral from 4 K at low bias, where the factor is below 1.15; to 1 % of the current."""
    for barrier in BARRIERS:
        grown = _reference(barrier, np.array(0.005), temperature) / _reference(barrier, np.array(0.005), 4.0)
        assert temperature_factor(barrier, temperature) == pytest.approx(grown, rel=0.01)
    assert temperature_factor(BARRIERS[0], 0.0) == 1.0


def test_fowler_nordheim() -> None:
    """0.86 of the integral at 300 K, 5 MV/cm, 2 eV, but 1.05 of it at 10 K: the formula has no temperature."""
    barrier = Barrier(2.0, 2.0, 10e-9, 0.2)
    current = fowler_nordheim(5e8, 2.0, 0.2)
    assert current / _reference(barrier, np.array(5.0)) == pytest.approx(0.86, abs=0.01)
    assert current / _reference(barrier, np.array(5.0), 10.0) == pytest.approx(1.05, abs=0.01)
    slope = np.log(fowler_nordheim(8e8, 2.0, 0.2) / current / 1.6**2) / (1 / 5e8 - 1 / 8e8)
    exact = 8.0 * np.pi * np.sqrt(2 * 0.2 * codata.m_e) * (2.0 * codata.e) ** 1.5 / (3 * codata.h * codata.e)
    assert slope == pytest.approx(exact, rel=1e-8)


@pytest.mark.parametrize(
    ("mass", "expected"),
    [
        (0.1, {2: 1.6e5, 3: 1.1e3, 4: 8.6, 5: 7e-2, 6: 6e-4}),
        (0.2, {2: 2.6e3, 3: 2.7, 4: 3e-3, 5: 4e-6, 6: 6e-9}),
        (0.4, {2: 8.6, 3: 6e-4, 4: 5e-8}),
    ],
)
def test_orders_of_magnitude_of_hafnia(mass: float, expected: dict[int, float]) -> None:
    """Current density [A/cm^2] through 2 eV at 0.2 V as tabulated; one or two digits are printed, so 10 %."""
    for thickness, value in expected.items():
        current = _reference(Barrier(2.0, 2.0, thickness * 1e-9, mass), np.array(0.2)) / 1e4
        assert current == pytest.approx(value, rel=0.1)
