"""Band bending against numerical integration of Poisson's equation, and against what Fermi's statistics would give."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import constants as codata
from scipy import integrate, optimize

from ferrogen.device.electrostatics.semiconductor import sheet_charge, silicon, solve_surface_potential
from ferrogen.device.electrostatics.stack import Stack

EPS0, Q, K = codata.epsilon_0, codata.e, codata.k


@pytest.mark.parametrize("doping", [-1e23, 2e22, 5e24, 0.0])
@pytest.mark.parametrize("psi", [-0.35, -0.02, 0.2, 0.5])
def test_sheet_charge_is_poissons(doping: float, psi: float) -> None:
    """The charge is found by shooting: the surface field from which the potential decays into the bulk.

    The density of charge is integrated over depth on the trajectory psi'' = -rho / eps, begun deep in the bulk on the
    decaying branch (psi = 1e-5 kT, field psi / Debye length) and run backwards to the surface, where eps psi' is the
    charge. The start's error is of relative order psi_start / (kT/q) = 1e-5, the integrator's 1e-9; 1e-4 is asked for.
    """
    s, thermal = silicon(doping), K * 300.0 / Q
    eps = EPS0 * s.permittivity
    p0, n0 = s.holes, s.electrons
    debye = np.sqrt(eps * thermal / (Q * (p0 + n0)))
    start = 1e-5 * thermal * np.sign(psi)

    def slope(_: float, y: np.ndarray) -> list[float]:
        u = y[0] / thermal
        rho = Q * (p0 * np.expm1(-u) - n0 * np.expm1(u))
        return [y[1], -rho / eps * debye**2]

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
    """Electrons attracted to the surface until the substrate holds -charge: Boltzmann against Fermi-Dirac.

    Fermi's sheet charge: Q^2 / (2 eps kT N_c) = F_3/2(eta + u) - F_3/2(eta) - F_1/2(eta) u, where d F_3/2 / d eta =
    F_1/2, for the electrons; F_1/2(eta) is the bulk density over N_c. Holes and their charge are negligible here for
    n-type; for p-type the acceptors add their u.
    """
    s, thermal = silicon(doping), K * 300.0 / Q
    eps, states = EPS0 * s.permittivity, s.electron_states

    def half(order: float, gamma: float, eta: float) -> float:
        upper = max(eta, 0.0) + 40.0
        kink = [max(eta, 0.0)]
        return (
            integrate.quad(lambda e: e**order / (1.0 + np.exp(e - eta)), 0.0, upper, points=kink, limit=200)[0] / gamma
        )

    root_pi = np.sqrt(np.pi)
    eta = optimize.brentq(lambda x: half(0.5, root_pi / 2.0, x) - s.electrons / states, -60.0, 60.0)

    def excess(u: float) -> float:
        electrons = half(1.5, 0.75 * root_pi, eta + u) - half(1.5, 0.75 * root_pi, eta) - u * s.electrons / states
        holes = s.holes / states * (np.exp(-u) + u - 1.0)
        return float(electrons + holes - charge**2 / (2.0 * eps * K * 300.0 * states))

    fermi = optimize.brentq(excess, 0.0, 500.0) * thermal
    boltzmann = optimize.brentq(lambda psi: float(sheet_charge(s, psi)) + charge, 0.0, 5.0)
    assert 0.03 < fermi - boltzmann < 1.0
    flat = Stack(10e-9, 30.0, 1e-9, 3.9)
    assert solve_surface_potential(flat, s, 0.0, charge, 0.0).degenerate


def test_metallic_limit() -> None:
    """With ever more dopants the substrate is a metal: the fields are those of the plain stack (psi under 1 mV)."""
    stack = Stack(10e-9, 30.0, 1e-9, 3.9, built_in_voltage=0.2)
    solution = solve_surface_potential(stack, silicon(9e29), 1.0, 0.01, -0.005)
    field = (0.8 - 0.005 * 1e-9 / (EPS0 * 3.9)) / (10e-9 + 30.0 / 3.9 * 1e-9)
    assert solution.field == pytest.approx(field, rel=2e-3)
    assert abs(solution.surface_potential) < 1e-3
