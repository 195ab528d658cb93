"""The reference integral against adaptive quadrature, exact transmissions and limits that are known in closed form."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import constants as codata
from scipy import integrate, special

from ferrogen.device.electrostatics.stack import Stack
from ferrogen.device.transport.barrier import Bands, Barrier, band_profile, trapezoid_profile
from ferrogen.device.transport.thermal import thermionic
from ferrogen.device.transport.wkb import ELECTRODE_DEPTH, linear_action, transmission, tunnel_current

Q, K, H, HBAR, M0 = codata.e, codata.k, codata.h, codata.hbar, codata.m_e


@pytest.mark.parametrize(
    ("upper", "lower", "energy"),
    [
        (2.0, 1.5, 0.3),
        (2.0, 2.0, 0.1),
        (1.0, -0.8, 0.1),
        (-0.5, 1.2, 0.0),
        (0.2, 0.1, 0.5),
        (1.0, 0.3, 0.3),
        (0.4, 0.4, 0.4),
    ],
)
def test_action_of_a_straight_edge(upper: float, lower: float, energy: float) -> None:
    """Closed form against quadrature over the position; quad is asked for 1e-12 with the turning point told."""
    turn = (upper - energy) / (upper - lower) if upper != lower else 0.5
    value, _ = integrate.quad(
        lambda r: np.sqrt(max(upper + r * (lower - upper) - energy, 0.0)), 0.0, 1.0,
        points=[min(max(turn, 0.01), 0.99)], epsabs=1e-13, epsrel=1e-12, limit=300,
    )  # fmt: skip
    expected = 2.0 / HBAR * np.sqrt(2.0 * 0.2 * M0 * Q) * 3e-9 * value
    assert linear_action(upper, lower, 3e-9, 0.2, energy) == pytest.approx(expected, rel=1e-8, abs=1e-9)


def _brute_force(profile_of: object, voltage: float, temperature: float) -> float:
    """The Tsu-Esaki integral by adaptive quadrature, straight from the definition; edges given as break points."""
    profile = profile_of(voltage)  # type: ignore[operator]
    thermal = K * temperature / Q
    edges = np.concatenate([profile.upper, profile.lower])

    def integrand(energy: float) -> float:
        action = 0.0
        for k, (thickness, mass) in enumerate(zip(profile.thickness, profile.mass, strict=True)):
            above = np.array([profile.upper[k] - energy, profile.lower[k] - energy])
            a, b = np.maximum(above, 0.0) ** 1.5
            run = (
                (a - b) / (above[0] - above[1]) if abs(above[0] - above[1]) > 1e-9 else 1.5 * np.sqrt(max(above[0], 0))
            )
            action += 2.0 / HBAR * np.sqrt(2.0 * mass * M0 * Q) * thickness * 2.0 / 3.0 * run
        supply = np.logaddexp(0.0, -energy / thermal) - np.logaddexp(0.0, (-voltage - energy) / thermal)
        return float(np.exp(-action) * supply)

    low, high = min(0.0, -voltage) - ELECTRODE_DEPTH, max(0.0, -voltage, edges.max()) + 40.0 * thermal
    cuts = np.unique(np.clip([low, -1.0, 0.0, -voltage, -10 * thermal, 10 * thermal, *edges, high], low, high))
    pieces = [integrate.quad(integrand, a, b, epsabs=0.0, epsrel=1e-9, limit=400)[0] for a, b in pairwise(cuts)]
    return 4.0 * np.pi * Q * M0 * K * temperature * Q / H**3 * sum(pieces)


@pytest.mark.parametrize("temperature", [77.0, 300.0, 450.0])
@pytest.mark.parametrize("voltage", [-2.4, -0.3, 0.05, 0.6, 3.0])
def test_fixed_nodes_are_adaptive_quadrature(voltage: float, temperature: float) -> None:
    """Trapezoid and bilayer, tunnelling to Fowler-Nordheim. Band edges leave (U - E)^1.5 cusps on the nodes' panels'
    ends only, so 12 Gauss nodes a panel are right to 1e-6."""
    barrier = Barrier(1.8, 2.2, 2.5e-9, 0.2)
    stack, bands = Stack(6e-9, 30.0, 1.5e-9, 9.0, 0.3e-9, 20.0, 0.02e-9, 0.05e-9), Bands(2.0, 1.9, 0.15, 3.0, 0.25)
    for profile_of in (
        lambda v: trapezoid_profile(barrier, v),
        lambda v: band_profile(stack, bands, v, 0.15, -0.1),
    ):
        expected = _brute_force(profile_of, voltage, temperature)
        assert tunnel_current(profile_of(voltage), voltage, temperature) == pytest.approx(expected, rel=1e-6, abs=0.0)


def test_rectangle_is_exact_but_for_the_known_prefactor() -> None:
    """Exact T = 1 / [1 + (k^2 + q^2)^2 sinh^2(q d) / (4 k^2 q^2)] for equal masses; WKB's is e^-2qd.

    Where e^-2qd << 1 their ratio is 16 k^2 q^2 / (k^2 + q^2)^2, to within a few e^-2qd (1e-4 here).
    """
    mass, thickness, height = 0.3, 3e-9, 2.0
    profile = trapezoid_profile(Barrier(height, height, thickness, mass), 0.0)
    for energy in (0.1, 0.5, 1.0, 1.4):
        k, q = (np.sqrt(2 * mass * M0 * Q * part) / HBAR for part in (energy, height - energy))
        exact = 1.0 / (1.0 + (k**2 + q**2) ** 2 * np.sinh(q * thickness) ** 2 / (4 * k**2 * q**2))
        ratio = exact / transmission(profile, np.array([energy]))[0]
        assert ratio == pytest.approx(16 * k**2 * q**2 / (k**2 + q**2) ** 2, rel=2e-3)


def test_trapezoid_against_airy_functions() -> None:
    """The exact transmission of a sloped barrier (Airy) falls with the barrier as WKB's does.

    In front of the exponential WKB has 1, the exact solution 16 k1 k2 q1 q2 / [(k1^2 + q1^2)(k2^2 + q2^2)] with the
    wave numbers at both ends: thick barriers agree to the next order of WKB, q' / q^2 / 4 = 2 % here.
    """
    mass, d, energy, v = 0.3, 4e-9, 0.8, 0.6
    m = mass * M0
    left, right = 2.0, 2.0 - v
    slope = (right - left) / d * Q
    scale = np.cbrt(2.0 * m * abs(slope) / HBAR**2) * np.sign(slope)

    def wave(x: float) -> tuple[float, float, float, float]:
        z = scale * (x + (left - energy) * Q / slope)
        ai, aip, bi, bip = special.airy(z)
        return ai, bi, aip * scale, bip * scale

    k1, k2 = (np.sqrt(2.0 * m * Q * part) / HBAR for part in (energy, energy + v))
    a0, b0, da0, db0 = wave(0.0)
    a1, b1, da1, db1 = wave(d)
    # unknowns r, A, B, t: psi and psi' continuous at both ends
    matrix = np.array(
        [[-1, a0, b0, 0], [1j * k1, da0, db0, 0], [0, a1, b1, -1], [0, da1, db1, -1j * k2]], dtype=complex
    )
    t = np.linalg.solve(matrix, np.array([1, 1j * k1, 0, 0], dtype=complex))[3]
    exact = k2 / k1 * abs(t) ** 2
    q1, q2 = (np.sqrt(2.0 * m * Q * part) / HBAR for part in (left - energy, right - energy))
    front = 16.0 * k1 * k2 * q1 * q2 / ((k1**2 + q1**2) * (k2**2 + q2**2))
    profile = trapezoid_profile(Barrier(left, 2.0, d, mass), 0.0)
    # bands are counted from the bottom Fermi level: a slope from 2.0 to 1.4 eV, built by hand
    sloped = type(profile)(profile.thickness, profile.mass, np.array([left]), np.array([right]), 0)
    assert exact / (front * transmission(sloped, np.array([energy]))[0]) == pytest.approx(1.0, abs=0.02)


def test_thick_films_emit_thermionically() -> None:
    """Through 60 nm nothing tunnels: Richardson's law of both electrodes is left, A T^2 e^-phi/kT (1 - e^-V/kT).

    At 450 K the tunnelling near the band's edge adds a little: the action there opens with the energy below it as
    (phi - E)^1.5 d / V, so some 1 % of kT; 3 % is asked for.
    """
    barrier = Barrier(0.9, 0.9, 60e-9, 1.0)
    v, t = 0.004, 450.0
    expected = thermionic(1.0, t, 0.9, 1e9) * -np.expm1(-v * Q / (K * t))
    assert tunnel_current(trapezoid_profile(barrier, v), v, t) == pytest.approx(expected, rel=0.03)
