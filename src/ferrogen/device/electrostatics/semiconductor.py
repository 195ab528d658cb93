"""A silicon bottom electrode: how far the polarisation bends its bands (metal/ferroelectric/insulator/semiconductor).

Poisson's equation in the substrate with fully ionised dopants integrates once to the charge sheet (Sze and Ng, Physics
of Semiconductor Devices, ch. 4). With u = q psi_s / kT, the bulk densities p0, n0 and Boltzmann statistics

    Q_s = -sign(psi_s) sqrt(2 eps_s kT [p0 (e^-u + u - 1) + n0 (e^u - u - 1)]);

with Fermi's statistics N_c [F_3/2(eta + u) - F_3/2(eta) - F_1/2(eta) u] stands for the electrons, and likewise for the
holes. The stack above it supplies V - V_bi = E_F t_F + E_D t_D + psi_s with D_bottom = -Q_s, in which the left side of

    psi_s + [(-Q_s - P - sigma) / (eps0 eps_F)] t_F + (-Q_s - sigma) c_top / eps0 - Q_s c_bottom / eps0 = V - V_bi

rises monotonically with psi_s: there is one solution, and bisection finds it.

Where it holds: Boltzmann statistics need carriers well below the band's effective density of states (2.9e25 1/m^3 for
electrons in silicon at 300 K), in the bulk and at the surface. A full ferroelectric charge breaks that: 0.1 C/m^2 needs
1e28 1/m^3 at the surface, and |psi_s| is too small by several 0.1 V (tests/analytic/test_stack_semiconductor.py). The
solution says where that is so; Fermi's statistics cure it, but for quantisation, which adds some 0.1 V at such charges,
for narrowing of the gap, and for bands that are not parabolic.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

from ferrogen.core.arrays import finite_array
from ferrogen.core.constants import BOLTZMANN, BOLTZMANN_EV, VACUUM_PERMITTIVITY
from ferrogen.core.errors import ValidityError, argument_error, check_number
from ferrogen.device.card import DeviceCard
from ferrogen.device.electrostatics.fermi import fermi_half, fermi_three_halves
from ferrogen.device.electrostatics.spec import InterfaceSpec
from ferrogen.device.electrostatics.stack import Stack

Statistics = Literal["boltzmann", "fermi"]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(6)
_LARGEST_EXPONENT = 600.0  # beyond, the charge exceeds 1e100 C/m^2: any bracket is closed long before
_ITERATIONS = 200
_SMALL = 1e-3  # below which e^u - u - 1 is summed: three terms are exact to 1e-13 of it
_COLDEST, _HOTTEST = 200.0, 450.0  # K: dopants ionised, and the intrinsic density as measured (78 to 340 K) or near it
_BOLTZMANN_SHARE = 0.1  # of the density of states, up to which the density is right to about 4 %


@dataclass(frozen=True, slots=True)
class Semiconductor:
    """A uniformly doped substrate.

    Attributes:
        doping: donors minus acceptors [1/m^3]; negative for p-type.
        permittivity: [1].
        intrinsic_density: at the temperature of interest [1/m^3].
        electron_states: effective density of states of the conduction band [1/m^3].
        hole_states: of the valence band [1/m^3].
        temperature: at which the densities are given [K].
        statistics: of the carriers, ``boltzmann`` or ``fermi``.
    """

    doping: float
    permittivity: float
    intrinsic_density: float
    electron_states: float
    hole_states: float
    temperature: float
    statistics: Statistics = "boltzmann"

    def __post_init__(self) -> None:
        if not np.isfinite(self.doping):
            raise argument_error("doping", "be a finite number in 1/m^3", self.doping)
        for name, unit in (
            ("permittivity", "vacuum permittivities"),
            ("intrinsic_density", "1/m^3"),
            ("electron_states", "1/m^3"),
            ("hole_states", "1/m^3"),
            ("temperature", "K"),
        ):
            check_number(name, getattr(self, name), unit)
        if self.statistics not in get_args(Statistics):
            raise argument_error("statistics", "be 'boltzmann' or 'fermi'", repr(self.statistics))

    @property
    def electrons(self) -> float:
        """Bulk density of electrons [1/m^3]."""
        return _bulk(self).electrons

    @property
    def holes(self) -> float:
        """Bulk density of holes [1/m^3]."""
        return _bulk(self).holes

    @property
    def degenerate(self) -> bool:
        """Whether the doping alone is beyond Boltzmann statistics (a tenth of the density of states)."""
        states = self.electron_states if self.doping >= 0.0 else self.hole_states
        return abs(self.doping) > _BOLTZMANN_SHARE * states


@dataclass(frozen=True, slots=True)
class _Bulk:
    """Densities [1/m^3] far from the surface, and the Fermi level above E_c and below E_v in units of kT."""

    electrons: float
    holes: float
    electron_level: float
    hole_level: float


@dataclass(frozen=True, slots=True)
class SurfaceSolution:
    """What a stack on silicon settles to; all arrays have the broadcast shape of the inputs.

    Attributes:
        surface_potential: of the substrate against its bulk [V]; positive bends the bands down.
        substrate_charge: [C/m^2].
        field: in the ferroelectric [V/m].
        interlayer_field: [V/m].
        degenerate: carriers at the surface or in the bulk are too dense for Boltzmann statistics (bool): with them the
            potential is an extrapolation there, with Fermi's it is not.
    """

    surface_potential: NDArray[np.float64]
    substrate_charge: NDArray[np.float64]
    field: NDArray[np.float64]
    interlayer_field: NDArray[np.float64]
    degenerate: NDArray[np.bool_]


def silicon(doping: float, temperature: float = 300.0, statistics: Statistics = "boltzmann") -> Semiconductor:
    """Return silicon of a doping (donors minus acceptors) [1/m^3] at a temperature [K].

    Intrinsic density: Misiakos and Tsamakis 1993 (doi:10.1063/1.354551), measured from 78 K to 340 K. Densities of
    states: 2.86e25 and 3.10e25 1/m^3 at 300 K, times (T / 300 K)^1.5.

    Raises:
        ArgumentError: ``doping`` or ``temperature`` is no such number.
        ValidityError: below 200 K dopants freeze out, above 450 K the intrinsic density is not known here.
    """
    check_number("temperature", temperature, "K")
    if not _COLDEST <= temperature <= _HOTTEST:
        raise ValidityError(
            f"Argument `temperature` must lie between {_COLDEST:g} K and {_HOTTEST:g} K, where silicon's dopants are"
            f" ionised and its intrinsic density is known, but it is {temperature:g} K."
        )
    relative = (temperature / 300.0) ** 1.5
    return Semiconductor(
        doping=doping,
        permittivity=11.7,
        intrinsic_density=5.29e25 * (temperature / 300.0) ** 2.54 * float(np.exp(-6726.0 / temperature)),
        electron_states=2.86e25 * relative,
        hole_states=3.10e25 * relative,
        temperature=temperature,
        statistics=statistics,
    )


def substrate_of(card: DeviceCard, temperature: float = 300.0) -> Semiconductor | None:
    """Return the substrate of a card with a section [interface], or None where its bottom electrode is a metal.

    Fermi's statistics: they hold for every doping.
    """
    doping = card.require(InterfaceSpec).substrate_doping
    return None if doping is None else silicon(doping.value, temperature, "fermi")


def sheet_charge(substrate: Semiconductor, surface_potential: ArrayLike) -> NDArray[np.float64]:
    """Return the charge of the substrate [C/m^2] at a surface potential [V].

    Raises:
        ArgumentError: the potential is not finite, or beyond 600 kT / q, where the charge means nothing.
    """
    psi = np.asarray(surface_potential, dtype=np.float64)
    u = psi / (BOLTZMANN_EV * substrate.temperature)
    if not (np.abs(u) <= _LARGEST_EXPONENT).all():
        limit = _LARGEST_EXPONENT * BOLTZMANN_EV * substrate.temperature
        raise argument_error("surface_potential", f"lie within +-{limit:.3g} V", psi.flat[np.abs(u).argmax()])
    return _charge(substrate, u)


def solve_surface_potential(
    stack: Stack,
    substrate: Semiconductor,
    voltage: ArrayLike,
    polarization: ArrayLike,
    interface_charge: ArrayLike = 0.0,
) -> SurfaceSolution:
    """Solve the stack above a semiconductor for its band bending.

    Args:
        stack: the layers; its built-in voltage is the flat-band voltage. Its bottom screening length is left out: that
            is the linear approximation of what is solved for here.
        substrate: below the interlayer.
        voltage: top electrode against substrate [V].
        polarization: positive downwards [C/m^2].
        interface_charge: between ferroelectric and interlayer [C/m^2].

    Returns:
        Potential, charge and fields, in the broadcast shape of the inputs, exact to about 1e-12 V.

    Raises:
        ArgumentError: an argument is not finite.
    """
    v, p, sigma = np.broadcast_arrays(
        finite_array("voltage", voltage, "V"),
        finite_array("polarization", polarization, "C/m^2"),
        finite_array("interface_charge", interface_charge, "C/m^2"),
    )
    # The sum of all that does not depend on psi_s, and the volts per charge of the substrate.
    film = stack.ferroelectric_thickness / (VACUUM_PERMITTIVITY * stack.ferroelectric_permittivity)
    above = stack.top_reduced_thickness / VACUUM_PERMITTIVITY
    below = stack.interlayer_thickness / (stack.interlayer_permittivity * VACUUM_PERMITTIVITY)
    drive = v - stack.built_in_voltage + (p + sigma) * film + sigma * above
    thermal = BOLTZMANN_EV * substrate.temperature
    u = _root(substrate, drive / thermal, (film + above + below) / thermal)
    psi, charge = u * thermal, _charge(substrate, u)
    bulk = _bulk(substrate)
    limit = float(np.log(_BOLTZMANN_SHARE))
    surface = (bulk.electron_level + u > limit) | (bulk.hole_level - u > limit)
    return SurfaceSolution(
        surface_potential=psi,
        substrate_charge=charge,
        field=(-charge - sigma - p) / (VACUUM_PERMITTIVITY * stack.ferroelectric_permittivity),
        interlayer_field=-charge / (VACUUM_PERMITTIVITY * stack.interlayer_permittivity),
        degenerate=np.asarray(surface | substrate.degenerate),
    )


def _root(substrate: Semiconductor, drive: NDArray[np.float64], slope: float) -> NDArray[np.float64]:
    """Solve u + slope x (-Q_s(u)) = drive for u: Newton's steps, halved brackets where they leave it."""
    low = np.maximum(np.minimum(drive, 0.0), -_LARGEST_EXPONENT)
    high = np.minimum(np.maximum(drive, 0.0), _LARGEST_EXPONENT)
    u = 0.5 * (low + high)
    for _ in range(_ITERATIONS):
        charge, derivative = _charge(substrate, u), _charge_slope(substrate, u)
        residual = u - slope * charge - drive
        low, high = np.where(residual < 0.0, u, low), np.where(residual < 0.0, high, u)
        step = u - residual / (1.0 - slope * derivative)
        # Newton on a steep exponential creeps by one kT a step: halving is quicker as long as the bracket is wide.
        use = (step > low) & (step < high) & (np.abs(step - u) > 1.5) | (np.abs(step - u) <= 1e-3)
        moved = np.clip(np.where(use, step, 0.5 * (low + high)), low, high)
        if (np.abs(moved - u) <= 4e-15 * (1.0 + np.abs(u))).all():
            return np.asarray(moved)
        u = moved
    return np.asarray(u)


@lru_cache(maxsize=256)
def _bulk(substrate: Semiconductor) -> _Bulk:
    """Solve the neutrality of the bulk, n - p = doping."""
    states = np.array([substrate.electron_states, substrate.hole_states])
    gap = float(np.log(substrate.intrinsic_density / states[0]) + np.log(substrate.intrinsic_density / states[1]))
    if substrate.statistics == "boltzmann":
        half = abs(substrate.doping) / 2.0
        majority = float(half + np.hypot(half, substrate.intrinsic_density))
        minority = substrate.intrinsic_density**2 / majority
        n, p = (majority, minority) if substrate.doping >= 0.0 else (minority, majority)
        return _Bulk(n, p, float(np.log(n / states[0])), float(np.log(p / states[1])))

    def excess(level: float) -> float:
        return float(states[0] * fermi_half(level) - states[1] * fermi_half(gap - level)) - substrate.doping

    level = float(optimize.brentq(excess, gap - 5000.0, 5000.0, xtol=1e-13, rtol=1e-14))
    n, p = float(states[0] * fermi_half(level)), float(states[1] * fermi_half(gap - level))
    return _Bulk(n, p, level, gap - level)


def _charge(substrate: Semiconductor, u: NDArray[np.float64]) -> NDArray[np.float64]:
    scale = 2.0 * substrate.permittivity * VACUUM_PERMITTIVITY * BOLTZMANN * substrate.temperature
    bulk = _bulk(substrate)
    if substrate.statistics == "boltzmann":
        density = bulk.holes * _beyond_linear(-u) + bulk.electrons * _beyond_linear(u)
    else:
        density = substrate.hole_states * _beyond_linear_fermi(bulk.hole_level, -u)
        density = density + substrate.electron_states * _beyond_linear_fermi(bulk.electron_level, u)
    return np.asarray(-np.sign(u) * np.sqrt(scale * np.maximum(density, 0.0)))


def _charge_slope(substrate: Semiconductor, u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return d Q_s / du (never positive): half the derivative of Q_s^2 over Q_s, its limit at flat band."""
    scale = 2.0 * substrate.permittivity * VACUUM_PERMITTIVITY * BOLTZMANN * substrate.temperature
    bulk = _bulk(substrate)
    flat = np.abs(u) < 1e-6
    safe = np.where(flat, 1e-6, u)
    if substrate.statistics == "boltzmann":
        density = bulk.electrons * np.expm1(safe) - bulk.holes * np.expm1(-safe)
    else:
        density = substrate.electron_states * fermi_half(bulk.electron_level + safe) - bulk.electrons
        density = density - (substrate.hole_states * fermi_half(bulk.hole_level - safe) - bulk.holes)
    return np.asarray(0.5 * scale * density / _charge(substrate, safe))


def _beyond_linear_fermi(level: float, u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return F_3/2(level + u) - F_3/2(level) - F_1/2(level) u; near zero by the integral of F_1/2's change."""
    near = np.clip(u, -1.0, 1.0)
    change = fermi_half(level + 0.5 * near[..., None] * (1.0 + _NODES)) - fermi_half(level)
    close = 0.5 * near * (change * _WEIGHTS).sum(axis=-1)
    far = fermi_three_halves(level + u) - fermi_three_halves(level) - fermi_half(level) * u
    return np.asarray(np.where(np.abs(u) < 1.0, close, far))


def _beyond_linear(u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return e^u - u - 1."""
    small = np.abs(u) < _SMALL
    series = u**2 * (0.5 + u * (1.0 / 6.0 + u * (1.0 / 24.0 + u / 120.0)))
    return np.asarray(np.where(small, series, np.expm1(u) - u))
