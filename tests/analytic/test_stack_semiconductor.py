"""Band bending against numerical integration of Poisson's equation, and against what Fermi's statistics would give."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import constants as codata
from scipy import integrate, optimize, special

from ferrogen.device.electrostatics.fermi import fermi_half, fermi_three_halves
from ferrogen.device.electrostatics.semiconductor import Statistics, sheet_charge, silicon, solve_surface_potential
from ferrogen.device.electrostatics.stack import Stack

EPS0, Q, K = codata.epsilon_0, codata.e, codata.k


def _integral(order: float, eta: float) -> float:
    """Fermi's integral by adaptive quadrature in t = sqrt(x), to 1e-12."""
    cuts = [0.0, np.sqrt(max(eta, 0.0) + 1.0), np.sqrt(max(eta, 0.0) + 60.0)]
    pieces = [
        integrate.quad(
            lambda t: 2.0 * t ** (2.0 * order + 1.0) / (1.0 + np.exp(min(t * t - eta, 700.0))), a, b, epsabs=0.0,
            epsrel=1e-12, limit=400,
        )[0]
        for a, b in pairwise(cuts)
    ]  # fmt: skip
    return float(sum(pieces) / special.gamma(order + 1.0))


@pytest.mark.parametrize("eta", [-30.0, -12.01, -11.99, -5.3, 0.0, 0.511, 3.2, 30.3, 79.99, 80.01, 300.0])
def test_fermi_integrals(eta: float) -> None:
    """Spline of 1e-9 at worst, series and expansion beyond it to the same."""
    assert fermi_half(eta) == pytest.approx(_integral(0.5, eta), rel=1e-9, abs=0.0)
    assert fermi_three_halves(eta) == pytest.approx(_integral(1.5, eta), rel=1e-9, abs=0.0)


@pytest.mark.parametrize("statistics", ["boltzmann", "fermi"])
@pytest.mark.parametrize("doping", [-1e23, 2e22, 5e24, 0.0, 1e26])
@pytest.mark.parametrize("psi", [-0.35, -0.02, 0.2, 0.5])
def test_sheet_charge_is_poissons(doping: float, psi: float, statistics: Statistics) -> None:
    """The charge is found by shooting: the surface field from which the potential decays into the bulk.

    The density of charge is integrated over depth on the trajectory psi'' = -rho / eps, begun deep in the bulk on the
    decaying branch (psi = 1e-5 kT, field psi / Debye length) and run backwards to the surface, where eps psi' is the
    charge. The start's error is of relative order psi_start / (kT/q) = 1e-5, the integrator's 1e-9; 1e-4 is asked for.
    """
    s, thermal = silicon(doping, statistics=statistics), K * 300.0 / Q
    eps = EPS0 * s.permittivity
    p0, n0 = s.holes, s.electrons
    assert n0 - p0 == pytest.approx(doping, rel=1e-9, abs=1e6)
    if statistics == "fermi":
        levels = [optimize.brentq(lambda x, d=d: _integral(0.5, x) - d, -60.0, 60.0) for d in (
            p0 / s.hole_states, n0 / s.electron_states)]  # fmt: skip

    def excess(u: float) -> float:
        if statistics == "boltzmann":
            return float(p0 * np.expm1(-u) - n0 * np.expm1(u))
        holes = s.hole_states * float(fermi_half(levels[0] - u)) - p0
        return holes - s.electron_states * float(fermi_half(levels[1] + u)) + n0

    step = 1e-4
    debye = np.sqrt(eps * thermal / (Q * (excess(-step) - excess(step)) / (2.0 * step)))
    start = 1e-5 * thermal * np.sign(psi)

    def slope(_: float, y: np.ndarray) -> list[float]:
        u = y[0] / thermal
        return [y[1], -Q * excess(u) / eps * debye**2]

    def arrived(_: float, y: np.ndarray) -> float:
        return float(y[0] - psi)

    arrived.terminal = True  # type: ignore[attr-defined]
    # x runs towards the surface, in Debye lengths: psi grows by e a unit until the exponentials take over.
    run = integrate.solve_ivp(slope, (0.0, 100.0), [start, start], events=arrived, rtol=1e-10, atol=1e-16)
    assert run.status == 1
    surface = run.y_events[0][0]
    assert sheet_charge(s, psi) == pytest.approx(-eps * surface[1] / debye, rel=1e-4)


def test_the_depleted_charge_is_the_textbook_one() -> None:
    """Depletion approximation -sqrt(2 q eps N (psi - kT/q)); it is right to 1e-3 once e^-u is."""
    s = silicon(-1e23)
    expected = -np.sqrt(2.0 * Q * EPS0 * 11.7 * 1e23 * (0.4 - K * 300.0 / Q))
    assert sheet_charge(s, 0.4) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(("doping", "charge"), [(-1e23, 0.05), (1e25, 0.1), (1e26, 0.2)])
def test_boltzmann_bends_too_little_where_degenerate(doping: float, charge: float) -> None:
    """A stack whose ferroelectric calls for many electrons: 0.03 to 1 V between the two statistics, and said so."""
    stack = Stack(10e-9, 30.0, 1e-9, 3.9)
    fermi, boltzmann = (
        solve_surface_potential(stack, silicon(doping, statistics=kind), 3.0, charge, 0.0)
        for kind in ("fermi", "boltzmann")
    )
    assert 0.03 < fermi.surface_potential - boltzmann.surface_potential < 1.0
    assert boltzmann.degenerate


def test_statistics_agree_where_carriers_are_few() -> None:
    """Depletion to weak inversion of p-type silicon: a share n / (2.8 N_c) of the density is all that Fermi changes."""
    psi = np.linspace(-0.05, 0.6, 14)
    fermi, boltzmann = (sheet_charge(silicon(-1e22, statistics=kind), psi) for kind in ("fermi", "boltzmann"))
    np.testing.assert_allclose(fermi, boltzmann, rtol=1e-3)


def test_metallic_limit() -> None:
    """With ever more dopants the substrate is a metal: the fields are those of the plain stack (psi under 1 mV)."""
    stack = Stack(10e-9, 30.0, 1e-9, 3.9, built_in_voltage=0.2)
    solution = solve_surface_potential(stack, silicon(9e29), 1.0, 0.01, -0.005)
    field = (0.8 - 0.005 * 1e-9 / (EPS0 * 3.9)) / (10e-9 + 30.0 / 3.9 * 1e-9)
    assert solution.field == pytest.approx(field, rel=2e-3)
    assert abs(solution.surface_potential) < 1e-3
