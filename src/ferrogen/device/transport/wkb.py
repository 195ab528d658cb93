"""The reference current: WKB transmission through the stack's bands, integrated over energy (Tsu and Esaki).

    T(E) = exp[-(2 / hbar) sum over layers of the integral of sqrt(2 m (U(x) - E)) over x where U > E],
    J = (4 pi q m0 kT / h^3) int T(E) ln {[1 + e^((mu_bottom - E) / kT)] / [1 + e^((mu_top - E) / kT)]} dE.

Within a layer U is a straight line, so the action is known exactly, turning points included (which is Fowler-Nordheim):
with a, b the positive parts of U - E at both ends the integral of sqrt(U - E) is (2/3) t (a^1.5 - b^1.5) / (U_1 - U_2).
Above the barrier T = 1: thermionic emission is part of the current. The transverse mass of the electrodes is the free
one, the mass in the barrier only enters the action: this convention is that of all closed forms in :mod:`.direct`.

What WKB leaves out is the factor in front of the exponential (up to 16 k^2 kappa^2 / (k^2 + kappa^2)^2 = 4 for a thick
rectangle), reflections above the barrier and image forces. Sources: Tsu and Esaki 1973 (doi:10.1063/1.1654509).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.constants import BOLTZMANN, BOLTZMANN_EV, ELECTRON_MASS, ELEMENTARY_CHARGE, PLANCK, REDUCED_PLANCK
from ferrogen.core.errors import argument_error, check_number
from ferrogen.device.transport.barrier import BandProfile

ELECTRODE_DEPTH = 5.0
"""Bottom of the electrodes' conduction band below their Fermi level [eV]: a metal's; deeper electrons do not matter."""

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
_PANELS = 3  # of 12 Gauss nodes between two neighbouring break points
_HOTTEST = 1e5  # K
_THERMAL_REACH = 40.0  # kT: e^-40 of the electrons lie beyond
ACTION = 2.0 * np.sqrt(2.0 * ELECTRON_MASS * ELEMENTARY_CHARGE) / REDUCED_PLANCK  # 1 / (m sqrt(eV))


def linear_action(
    upper: ArrayLike, lower: ArrayLike, thickness: ArrayLike, mass: ArrayLike, energy: ArrayLike
) -> NDArray[np.float64]:
    """Return (2 / hbar) times the integral of sqrt(2 m (U - E)) over a layer with a straight band edge; no unit.

    Args:
        upper: U at one side [eV].
        lower: U at the other side [eV].
        thickness: [m].
        mass: [electron masses].
        energy: E [eV]; all arguments broadcast.
    """
    e = np.asarray(energy, dtype=np.float64)
    first, second = np.asarray(upper, dtype=np.float64) - e, np.asarray(lower, dtype=np.float64) - e
    a, b = np.maximum(first, 0.0), np.maximum(second, 0.0)
    root_a, root_b = np.sqrt(a), np.sqrt(b)
    # Both ends forbidden: (a^1.5 - b^1.5) / (a - b) without its cancellation. One end: the ends' distance is in front.
    sum_of_roots = root_a + root_b
    both = (a + root_a * root_b + b) / np.where(sum_of_roots > 0.0, sum_of_roots, 1.0)
    crossing = (first < 0.0) != (second < 0.0)
    span = np.abs(first - second)
    one = (a * root_a + b * root_b) / np.where(crossing, span, 1.0)
    mean = 2.0 / 3.0 * np.where(crossing, one, both)
    return np.asarray(ACTION * np.sqrt(np.asarray(mass, dtype=np.float64)) * thickness * mean)


def transmission(profile: BandProfile, energy: ArrayLike) -> NDArray[np.float64]:
    """Return the WKB transmission at energies [eV] of shape ``(..., energies)`` above the bottom Fermi level."""
    e = np.asarray(energy, dtype=np.float64)
    action = sum(
        linear_action(
            profile.upper[..., k, None], profile.lower[..., k, None], profile.thickness[k], profile.mass[k], e
        )
        for k in range(profile.thickness.shape[0])
    )
    return np.asarray(np.exp(-action))


def supply(energy: ArrayLike, voltage: ArrayLike, temperature: float) -> NDArray[np.float64]:
    """Return ln {[1 + e^(-E / kT)] / [1 + e^((-V - E) / kT)]}: electrons on offer from below less those from above.

    Args:
        energy: above the bottom electrode's Fermi level [eV].
        voltage: top against bottom [V].
        temperature: [K].
    """
    thermal = BOLTZMANN_EV * temperature
    e, v = np.asarray(energy, dtype=np.float64), np.asarray(voltage, dtype=np.float64)
    below, above = -e / thermal, (-v - e) / thermal
    ratio = v / thermal
    # ln(1 + (e^ratio - 1) / (1 + e^-above)): without cancellation where the voltage is small
    near = np.log1p(np.expm1(np.clip(ratio, -1.0, 1.0)) / (1.0 + np.exp(np.minimum(-above, 700.0))))
    return np.asarray(np.where(np.abs(ratio) <= 1.0, near, np.logaddexp(0.0, below) - np.logaddexp(0.0, above)))


def tunnel_current(profile: BandProfile, voltage: ArrayLike, temperature: float = 300.0) -> NDArray[np.float64]:
    """Return the current density [A/m^2] from top to bottom electrode.

    Args:
        profile: bands at that voltage, of shape ``(...)``.
        voltage: top against bottom [V], of a shape that broadcasts to the profile's.
        temperature: [K], from 1 to 1e5.

    Returns:
        Shape ``(...)``; exactly 0 at 0 V, and with the sign of the voltage.

    Raises:
        ArgumentError: a voltage is not finite, or the temperature is out of range.
    """
    check_number("temperature", temperature, "K")
    if not 1.0 <= temperature <= _HOTTEST:
        raise argument_error("temperature", f"be at least 1 K and at most {_HOTTEST:g} K", f"{temperature:g} K")
    v = np.broadcast_to(np.asarray(voltage, dtype=np.float64), profile.upper.shape[:-1])
    if not np.isfinite(v).all() or not np.isfinite(profile.upper).all() or not np.isfinite(profile.lower).all():
        raise argument_error("voltage", "be finite, and with it the bands", "not")
    thermal = BOLTZMANN_EV * temperature
    energy, weight = _energies(profile, v, thermal)
    integrand = transmission(profile, energy) * supply(energy, v[..., None], temperature)
    prefactor = (
        4.0 * np.pi * ELEMENTARY_CHARGE * ELECTRON_MASS * BOLTZMANN * temperature * ELEMENTARY_CHARGE / PLANCK**3
    )
    return np.asarray(prefactor * (integrand * weight).sum(axis=-1))


def _energies(
    profile: BandProfile, voltage: NDArray[np.float64], thermal: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return nodes and weights [eV], shape ``(..., nodes)``, broken where the integrand bends.

    It bends at both Fermi levels (within some kT), at the band edges (where turning points come and go) and, deep below
    the lower Fermi level, ever less.
    """
    upper, lower = np.maximum(0.0, -voltage), np.minimum(0.0, -voltage)
    edges = np.concatenate([profile.upper, profile.lower], axis=-1)
    top = np.maximum(upper, edges.max(axis=-1)) + _THERMAL_REACH * thermal
    bottom = lower - ELECTRODE_DEPTH
    kinks = [edges]
    for level in (upper, lower):
        near = np.array([-24.0, -12.0, -4.0, 0.0, 4.0, 12.0, 24.0]) * thermal
        kinks.append(level[..., None] + near)
    kinks.append(lower[..., None] - np.array([0.3, 1.0, 2.5]))
    reach = (top - upper)[..., None] * np.array([0.25, 0.5, 0.75])
    kinks.append(upper[..., None] + reach)
    points = np.concatenate([bottom[..., None], *kinks, top[..., None]], axis=-1)
    points = np.sort(np.clip(points, bottom[..., None], top[..., None]), axis=-1)
    start, width = points[..., :-1], np.diff(points, axis=-1) / _PANELS
    middles = start[..., None] + width[..., None] * (np.arange(_PANELS) + 0.5)
    nodes = middles[..., None] + 0.5 * width[..., None, None] * _NODES
    weights = np.broadcast_to(0.5 * width[..., None, None] * _WEIGHTS, nodes.shape)
    flat = (*nodes.shape[:-3], int(np.prod(nodes.shape[-3:])))
    return nodes.reshape(flat), weights.reshape(flat)
