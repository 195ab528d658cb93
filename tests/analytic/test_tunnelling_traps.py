"""Trap-assisted and thermal currents against direct quadrature, master equations and potentials."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import constants as codata
from scipy import integrate, optimize

from ferrogen.device.electrostatics.stack import Stack
from ferrogen.device.transport.barrier import Bands, Barrier, band_profile, trapezoid_profile
from ferrogen.device.transport.thermal import poole_frenkel, poole_frenkel_lowering, schottky_lowering, thermionic
from ferrogen.device.transport.trap_assisted import AssistingTraps, exchange_rates, trap_assisted_current
from ferrogen.device.transport.wkb import tunnel_current

Q, K, H, HBAR, M0, EPS0 = codata.e, codata.k, codata.h, codata.hbar, codata.m_e, codata.epsilon_0
TRAPS = AssistingTraps(1e25, 1.7, 0.0, 1.19, 1e13)
T = 300.0
THERMAL = K * T / Q


def _rates_by_quadrature(voltage: float, depth: float) -> list[float]:
    """Rates of one trap in a trapezoid 2.0/2.0 eV, 4 nm, m = 0.2, straight from their definition, on a fine grid."""
    edge = 2.0 - voltage + depth * voltage
    level = edge - TRAPS.energy
    wave = 2.0 / HBAR * np.sqrt(2.0 * 0.2 * M0 * Q)
    energy = np.linspace(-5.0, 6.0, 400_001)

    def action(*, top: bool) -> np.ndarray:
        (u0, u1), length = ((2.0 - voltage, edge), depth * 4e-9) if top else ((edge, 2.0), (1.0 - depth) * 4e-9)
        a, b = np.maximum(u0 - energy, 0.0) ** 1.5, np.maximum(u1 - energy, 0.0) ** 1.5
        return wave * length * (a - b) / (u0 - u1) * 2.0 / 3.0

    rates = []
    for top in (True, False):
        fermi = -voltage if top else 0.0
        for sign in (1.0, -1.0):
            full = 1.0 / (1.0 + np.exp(np.clip(sign * (energy - fermi) / THERMAL, -500, 500)))
            bell = np.exp(-((1.19 - sign * (energy - level)) ** 2) / (4.0 * 1.19 * THERMAL))
            total = np.trapezoid(full * bell * np.exp(-action(top=top)), energy)
            rates.append(float(1e13 * total / np.sqrt(4.0 * np.pi * 1.19 * THERMAL)))
    return rates


@pytest.mark.parametrize(("voltage", "depth"), [(0.4, 0.3), (-0.7, 0.6)])
def test_rates_are_their_definition(voltage: float, depth: float) -> None:
    """Steps of 1e-3 kT: the oracle is right to 1e-6; 1e-4 is asked of the Gauss nodes."""
    profile = trapezoid_profile(Barrier(2.0, 2.0, 4e-9, 0.2), voltage)
    found = exchange_rates(profile, voltage, [depth], [TRAPS.energy], TRAPS, T)
    np.testing.assert_allclose(np.ravel(found), _rates_by_quadrature(voltage, depth), rtol=1e-4)


def test_detailed_balance() -> None:
    """Capture over emission is e^((mu - E_t) / kT) at each electrode, whatever the bands: exact but for quadrature."""
    stack, bands = Stack(6e-9, 30.0, 1.5e-9, 9.0), Bands(2.0, 1.9, 0.15, 3.0, 0.25)
    depth, energy = np.array([0.1, 0.4, 0.8]), np.array([1.5, 2.0, 2.3])
    for voltage in (-1.0, 0.0, 0.8):
        profile = band_profile(stack, bands, voltage, 0.1, -0.08)
        rates = exchange_rates(profile, voltage, depth, energy, TRAPS, T)
        edge = profile.upper[0] + depth * (profile.lower[0] - profile.upper[0])
        np.testing.assert_allclose(np.log(rates[0] / rates[1]), (-voltage - edge + energy) / THERMAL, atol=1e-4)
        np.testing.assert_allclose(np.log(rates[2] / rates[3]), (energy - edge) / THERMAL, atol=1e-4)


def test_current_is_the_master_equations() -> None:
    """The flow of each trap from its 2 x 2 generator's stationary state, summed over the depth by quad."""
    barrier, voltage = Barrier(2.0, 2.1, 4e-9, 0.2), 0.5
    profile = trapezoid_profile(barrier, voltage)

    def flow(depth: float) -> float:
        ct, et, cb, eb = (float(r[0]) for r in exchange_rates(profile, voltage, [depth], [TRAPS.energy], TRAPS, T))
        scale = ct + et + cb + eb
        generator = np.array([[-(ct + cb), et + eb], [1.0 * scale, 1.0 * scale]]) / scale
        empty, full = np.linalg.solve(generator, [0.0, 1.0])
        return float(et * full - ct * empty)

    total = sum(integrate.quad(flow, a / 8, (a + 1) / 8, epsabs=0.0, epsrel=1e-6, limit=100)[0] for a in range(8))
    found = trap_assisted_current(profile, voltage, TRAPS, T)
    assert found == pytest.approx(Q * TRAPS.density * 4e-9 * total, rel=1e-4)


def test_level_distribution_is_a_mean_over_levels() -> None:
    profile = trapezoid_profile(Barrier(2.0, 2.0, 4e-9, 0.2), 0.3)
    wide = AssistingTraps(1e25, 1.7, 0.2, 1.19, 1e13)
    levels = np.linspace(1.5, 1.9, 401)
    alone = [
        float(trap_assisted_current(profile, 0.3, AssistingTraps(1e25, e, 0.0, 1.19, 1e13), T)) for e in levels[::4]
    ]
    mean = np.trapezoid(alone, levels[::4]) / 0.4
    assert trap_assisted_current(profile, 0.3, wide, T, level_nodes=12) == pytest.approx(mean, rel=2e-3)


def test_traps_carry_more_than_the_film_where_it_is_thick() -> None:
    """Direct tunnelling falls by e^-2qd, a trap in the middle by e^-qd: at 0.2 V they cross between 4 and 9 nm."""
    share = []
    for thickness in (4e-9, 9e-9):
        profile = trapezoid_profile(Barrier(2.0, 2.0, thickness, 0.2), 0.2)
        share.append(float(trap_assisted_current(profile, 0.2, TRAPS, T) / tunnel_current(profile, 0.2, T)))
    assert share[0] < 1.0 < share[1]


@pytest.mark.parametrize("field", [1e6, 1e8, 4e8])
def test_lowering_is_that_of_the_potential(field: float) -> None:
    """The top of -q/(16 pi eps x) - E x (image) and of -q/(4 pi eps x) - E x (charged trap), found numerically."""
    eps = 5.0 * EPS0
    for charge, lowering in (
        (Q / (16 * np.pi * eps), schottky_lowering),
        (Q / (4 * np.pi * eps), poole_frenkel_lowering),
    ):
        top = optimize.minimize_scalar(
            lambda x, c=charge: c / x + field * x, bounds=(1e-12, 1e-7), method="bounded", options={"xatol": 1e-16}
        )
        assert lowering(field, 5.0) == pytest.approx(top.fun, rel=1e-6)


def test_thermionic_emission_is_the_flux_over_the_barrier() -> None:
    """A T^2 e^-phi/kT against the integral of 4 pi q m kT / h^3 ln(1 + e^-E/kT) above the barrier; its logarithm is
    e^-E/kT to e^-phi/kT, below 1e-10."""
    value, _ = integrate.quad(lambda e: np.log1p(np.exp(-e / THERMAL)), 0.8, 0.8 + 60 * THERMAL, epsrel=1e-11, epsabs=0)
    expected = 4 * np.pi * Q * M0 * K * T * Q / H**3 * value
    found = thermionic(1e-6, T, 0.8, 5.0)
    assert found == pytest.approx(expected, rel=1e-5)


def test_poole_frenkel_slope() -> None:
    """d ln(J / E) / d sqrt(E) = beta / kT, with beta = 7.59e-5 / sqrt(eps) as tabulated (three digits)."""
    fields = np.array([1e8, 2e8])
    slope = np.diff(np.log(poole_frenkel(fields, T, 1.5, 4.0, 1.0) / fields)) / np.diff(np.sqrt(fields))
    assert slope * THERMAL == pytest.approx(7.59e-5 / 2.0, rel=1e-3)
