"""A silicon bottom electrode: how far the polarisation bends its bands (metal/ferroelectric/insulator/semiconductor).

Poisson's equation in the substrate with Boltzmann statistics and fully ionised dopants integrates once to the charge
sheet (Sze and Ng, Physics of Semiconductor Devices, ch. 4), with u = q psi_s / kT and the bulk densities p0, n0:

    Q_s = -sign(psi_s) sqrt(2 eps_s kT [p0 (e^-u + u - 1) + n0 (e^u - u - 1)]).

The stack above it supplies V - V_bi = E_F t_F + E_D t_D + psi_s with D_bottom = -Q_s, in which the left side of

    psi_s + [(-Q_s - P - sigma) / (eps0 eps_F)] t_F + (-Q_s - sigma) c_top / eps0 - Q_s c_bottom / eps0 = V - V_bi

rises monotonically with psi_s: there is one solution, and bisection finds it.

Where it holds: Boltzmann statistics need carrier densities well below the band's effective density of states (2.9e25
1/m^3 for electrons in silicon at 300 K), in the bulk and at the surface. A full ferroelectric charge breaks that: 0.1
C/m^2 needs 1e28 1/m^3 at the surface. There |psi_s| is too small by several 0.1 V against Fermi's statistics (shown in
tests/analytic/test_stack_semiconductor.py), and quantisation, which no local statistics has, adds to it. The solution
therefore says where it is degenerate; it is right in depletion and in weak inversion, which is where a semiconductor
electrode differs from a metal most.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.constants import BOLTZMANN, BOLTZMANN_EV, VACUUM_PERMITTIVITY
from ferrogen.core.errors import ValidityError, argument_error, check_number
from ferrogen.device.card import DeviceCard
from ferrogen.device.electrostatics.spec import InterfaceSpec
from ferrogen.device.electrostatics.stack import Stack

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
    """

    doping: float
    permittivity: float
    intrinsic_density: float
    electron_states: float
    hole_states: float
    temperature: float

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

    @property
    def electrons(self) -> float:
        """Bulk density of electrons [1/m^3]; the larger root is computed without cancellation."""
        return self._majority() if self.doping >= 0.0 else self.intrinsic_density**2 / self._majority()

    @property
    def holes(self) -> float:
        """Bulk density of holes [1/m^3]."""
        return self._majority() if self.doping < 0.0 else self.intrinsic_density**2 / self._majority()

    @property
    def degenerate(self) -> bool:
        """Whether the doping alone is beyond Boltzmann statistics (a tenth of the density of states)."""
        states = self.electron_states if self.doping >= 0.0 else self.hole_states
        return abs(self.doping) > _BOLTZMANN_SHARE * states

    def _majority(self) -> float:
        half = abs(self.doping) / 2.0
        return float(half + np.hypot(half, self.intrinsic_density))


@dataclass(frozen=True, slots=True)
class SurfaceSolution:
    """What a stack on silicon settles to; all arrays have the broadcast shape of the inputs.

    Attributes:
        surface_potential: of the substrate against its bulk [V]; positive bends the bands down.
        substrate_charge: [C/m^2].
        field: in the ferroelectric [V/m].
        interlayer_field: [V/m].
        degenerate: the carriers at the surface or in the bulk are too dense for Boltzmann statistics (bool): the
            potential is an extrapolation there.
    """

    surface_potential: NDArray[np.float64]
    substrate_charge: NDArray[np.float64]
    field: NDArray[np.float64]
    interlayer_field: NDArray[np.float64]
    degenerate: NDArray[np.bool_]


def silicon(doping: float, temperature: float = 300.0) -> Semiconductor:
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
    )


def substrate_of(card: DeviceCard, temperature: float = 300.0) -> Semiconductor | None:
    """Return the substrate of a card with a section [interface], or None where its bottom electrode is a metal."""
    doping = card.require(InterfaceSpec).substrate_doping
    return None if doping is None else silicon(doping.value, temperature)


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
        stack: the layers; its built-in voltage is the flat-band voltage, its bottom screening length a series layer
            (leave it out: the substrate screens).
        substrate: below the interlayer.
        voltage: top electrode against substrate [V].
        polarization: positive downwards [C/m^2].
        interface_charge: between ferroelectric and interlayer [C/m^2].

    Returns:
        Potential, charge and fields, in the broadcast shape of the inputs, exact to about 1e-12 V.

    Raises:
        ArgumentError: an argument is not finite.
    """
    inputs = [np.asarray(item, dtype=np.float64) for item in (voltage, polarization, interface_charge)]
    for name, unit, item in zip(
        ("voltage", "polarization", "interface_charge"), ("V", "C/m^2", "C/m^2"), inputs, strict=True
    ):
        if not np.isfinite(item).all():
            raise argument_error(name, f"hold finite numbers in {unit}", item[~np.isfinite(item)].flat[0])
    v, p, sigma = np.broadcast_arrays(*inputs)
    # The sum of all that does not depend on psi_s, and the volts per charge of the substrate.
    film = stack.ferroelectric_thickness / (VACUUM_PERMITTIVITY * stack.ferroelectric_permittivity)
    above = stack.top_reduced_thickness / VACUUM_PERMITTIVITY
    below = stack.bottom_reduced_thickness / VACUUM_PERMITTIVITY
    drive = v - stack.built_in_voltage + (p + sigma) * film + sigma * above
    thermal = BOLTZMANN_EV * substrate.temperature
    u = _root(substrate, drive / thermal, (film + above + below) / thermal)
    psi, charge = u * thermal, _charge(substrate, u)
    dense = _BOLTZMANN_SHARE * np.array([substrate.electron_states, substrate.hole_states])
    with np.errstate(over="ignore"):
        surface = (substrate.electrons * np.exp(u) > dense[0]) | (substrate.holes * np.exp(-u) > dense[1])
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


def _charge(substrate: Semiconductor, u: NDArray[np.float64]) -> NDArray[np.float64]:
    scale = 2.0 * substrate.permittivity * VACUUM_PERMITTIVITY * BOLTZMANN * substrate.temperature
    density = substrate.holes * _beyond_linear(-u) + substrate.electrons * _beyond_linear(u)
    return np.asarray(-np.sign(u) * np.sqrt(scale * density))


def _charge_slope(substrate: Semiconductor, u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return d Q_s / du (never positive): half the derivative of Q_s^2 over Q_s, its limit at flat band."""
    scale = 2.0 * substrate.permittivity * VACUUM_PERMITTIVITY * BOLTZMANN * substrate.temperature
    flat = np.abs(u) < 1e-9
    safe = np.where(flat, 1.0, u)
    density = substrate.electrons * np.expm1(safe) - substrate.holes * np.expm1(-safe)
    charge = _charge(substrate, safe)
    debye = np.sqrt(0.5 * scale * (substrate.electrons + substrate.holes))
    return np.asarray(np.where(flat, -debye, 0.5 * scale * density / charge))


def _beyond_linear(u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return e^u - u - 1."""
    small = np.abs(u) < _SMALL
    series = u**2 * (0.5 + u * (1.0 / 6.0 + u * (1.0 / 24.0 + u / 120.0)))
    return np.asarray(np.where(small, series, np.expm1(u) - u))
