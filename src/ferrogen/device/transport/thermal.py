"""Currents that heat drives: over the barrier, out of traps, and along the film by hops.

Images and traps lower their barriers by a root of the field (Schottky, Poole-Frenkel); both formulas end where they
would lower it below zero. The leakage that hafnia films show is often neither. A measured 13 nm HfO2 capacitor
(tests/external/test_leakage.py) has at positive bias an activation energy of 0.30 to 0.32 eV from 1 to 2 V and 0.26 eV
at 3 V: from 1.5 to 3 V it falls by 0.06 eV where Poole-Frenkel with an optical permittivity of 5 asks for 0.15 eV, and
the slope over the root of the field asks for permittivities of 27 (27 C) and 20 (127 C). At negative bias it does fall,
from 0.30 to 0.10 eV, but the slopes ask for 21 and 40. So a card's leakage is Arrhenius with a sinh of the voltage.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.arrays import finite_array
from ferrogen.core.constants import (
    BOLTZMANN,
    BOLTZMANN_EV,
    ELECTRON_MASS,
    ELEMENTARY_CHARGE,
    PLANCK,
    VACUUM_PERMITTIVITY,
)
from ferrogen.core.errors import ArgumentError, CardError, ValidityError, argument_error, check_number
from ferrogen.device.noise.traps import REFERENCE_TEMPERATURE
from ferrogen.device.transport.spec import TransportSpec

RICHARDSON = 4.0 * np.pi * ELEMENTARY_CHARGE * ELECTRON_MASS * BOLTZMANN**2 / PLANCK**3
"""Richardson constant of free electrons, 1.20e6 A/(m^2 K^2)."""

_COLDEST, _HOTTEST = 1e-3, 1e5  # K; beyond, energies over kT overflow, or no film is left
_LARGEST_EXPONENT = 600.0  # of the leakage's sinh, which overflows at 710


def schottky_lowering(field: ArrayLike, optical_permittivity: float) -> NDArray[np.float64]:
    """Return sqrt(q |E| / (4 pi eps0 eps_opt)) [eV], by which the image force lowers an electrode's barrier."""
    check_number("optical_permittivity", optical_permittivity, "vacuum permittivities")
    size = np.abs(finite_array("field", field, "V/m"))
    return np.sqrt(ELEMENTARY_CHARGE * size / (4.0 * np.pi * VACUUM_PERMITTIVITY * optical_permittivity))


def poole_frenkel_lowering(field: ArrayLike, optical_permittivity: float) -> NDArray[np.float64]:
    """Return sqrt(q |E| / (pi eps0 eps_opt)) [eV], by which a field lowers the barrier of a charged trap."""
    return 2.0 * schottky_lowering(field, optical_permittivity)


def thermionic(
    field: ArrayLike,
    temperature: ArrayLike,
    height: float,
    optical_permittivity: float,
    richardson_mass: float = 1.0,
) -> NDArray[np.float64]:
    """Return the current density [A/m^2] over an electrode's barrier, equation (2.10), with the sign of the field.

    A** T^2 exp[-(phi - image lowering) / kT]: what one electrode emits. It holds where the other emits nothing, a few
    kT / q of voltage away from zero.

    Args:
        field: at the electrode [V/m].
        temperature: [K].
        height: of the barrier [eV].
        optical_permittivity: of the film [1].
        richardson_mass: of the Richardson constant, in electron masses.

    Raises:
        ValidityError: the image force leaves no barrier.
        ArgumentError: an argument is not positive and finite.
    """
    check_number("height", height, "eV")
    check_number("richardson_mass", richardson_mass, "electron masses")
    e, t = finite_array("field", field, "V/m"), _temperature(temperature)
    left = _left(height, schottky_lowering(e, optical_permittivity), "the image force")
    return np.asarray(np.sign(e) * richardson_mass * RICHARDSON * t**2 * np.exp(-left / (BOLTZMANN_EV * t)))


def poole_frenkel(
    field: ArrayLike,
    temperature: ArrayLike,
    trap_energy: float,
    optical_permittivity: float,
    conductivity: float,
) -> NDArray[np.float64]:
    """Return the current density [A/m^2] of electrons that the field helps out of charged traps, equation (2.11).

    Args:
        field: [V/m].
        temperature: [K].
        trap_energy: below the conduction band [eV].
        optical_permittivity: [1].
        conductivity: q mu N_c of the band [S/m].

    Raises:
        ValidityError: the field leaves no barrier.
        ArgumentError: an argument is not positive and finite.
    """
    check_number("trap_energy", trap_energy, "eV")
    check_number("conductivity", conductivity, "S/m")
    e, t = finite_array("field", field, "V/m"), _temperature(temperature)
    left = _left(trap_energy, poole_frenkel_lowering(e, optical_permittivity), "the field")
    return np.asarray(conductivity * e * np.exp(-left / (BOLTZMANN_EV * t)))


def hopping(
    field: ArrayLike, temperature: ArrayLike, activation_energy: float, distance: float, current_scale: float
) -> NDArray[np.float64]:
    """Return the current density [A/m^2] of electrons that hop from trap to trap.

    2 J0 exp(-E_a / kT) sinh(q a E / 2 kT), Mott and Gurney: hops with and against the field over the same barrier.

    Args:
        field: [V/m].
        temperature: [K].
        activation_energy: of a hop without field [eV].
        distance: a, of a hop [m].
        current_scale: J0 = q (density) a (attempt rate) [A/m^2].

    Raises:
        ValidityError: the field pulls a hop's barrier below zero, q a E / 2 > E_a.
        ArgumentError: an argument is not positive and finite.
    """
    check_number("activation_energy", activation_energy, "eV")
    check_number("distance", distance, "m")
    check_number("current_scale", current_scale, "A/m^2")
    e, t = finite_array("field", field, "V/m"), _temperature(temperature)
    pulled = 0.5 * distance * np.abs(e)
    left = _left(activation_energy, pulled, "the field")
    thermal = BOLTZMANN_EV * t
    forward = np.exp(-left / thermal) * -np.expm1(-2.0 * pulled / thermal)
    return np.asarray(np.sign(e) * current_scale * forward)


def arrhenius(activation_energy: float, temperature: ArrayLike) -> NDArray[np.float64]:
    """Return exp[-E_a (1 / kT - 1 / k 300 K)], the change from the temperature at which cards state values [1]."""
    check_number("activation_energy", activation_energy, "eV", may_vanish=True)
    t = _temperature(temperature)
    return np.asarray(np.exp(-activation_energy / BOLTZMANN_EV * (1.0 / t - 1.0 / REFERENCE_TEMPERATURE)))


def activation_energy(temperature: ArrayLike, current: ArrayLike) -> NDArray[np.float64]:
    """Return the activation energy [eV]: minus the slope of ln(current) over 1 / kT, by least squares.

    Args:
        temperature: [K], shape ``(temperatures,)``, at least two different ones.
        current: in any unit, positive, shape ``(..., temperatures)``.

    Raises:
        ArgumentError: fewer than two temperatures, shapes that do not fit, or a current that is not positive.
    """
    t, i = _temperature(temperature), finite_array("current", current, "A")
    if t.ndim != 1 or np.unique(t).size < 2 or i.ndim == 0 or i.shape[-1] != t.size:
        raise argument_error(
            "temperature", "hold two or more temperatures in K, one for each current of a row", f"of shape {t.shape}"
        )
    if (i <= 0.0).any():
        raise argument_error("current", "be positive (turn the sign of all)", i.min())
    x = 1.0 / (BOLTZMANN_EV * t)
    x = x - x.mean()
    return np.asarray(-(np.log(i) * x).sum(axis=-1) / (x**2).sum())


def leakage_current(
    transport: TransportSpec, voltage: ArrayLike, temperature: ArrayLike, relative_polarization: ArrayLike = 0.0
) -> NDArray[np.float64]:
    """Return a card's activated leakage [A/m^2]; 0 where it has none.

    G V1 sinh(V / V1) r^(p / 2) times the Arrhenius factor, r the card's ratio of both polarisations.

    Args:
        transport: the section.
        voltage: [V].
        temperature: [K].
        relative_polarization: p, from -1 (fully up) to 1 (fully down).

    Raises:
        CardError: the section gives ``leakage_conductance``, but not its voltage and activation energy.
        ArgumentError: an argument is not usable, or a voltage so high that the sinh overflows.
    """
    v, t = finite_array("voltage", voltage, "V"), _temperature(temperature)
    p = finite_array("relative_polarization", relative_polarization, "parts of the full one")
    if transport.leakage_conductance is None:
        return np.zeros(np.broadcast_shapes(v.shape, t.shape, p.shape))
    scale, energy = transport.leakage_voltage, transport.leakage_activation_energy
    if scale is None or energy is None:
        raise CardError(
            "The section [transport] has `leakage_conductance`, but lacks `leakage_voltage` or"
            " `leakage_activation_energy`. Add them, or leave all three out."
        )
    if (np.abs(v) > _LARGEST_EXPONENT * scale.value).any():
        raise argument_error("voltage", f"stay within {_LARGEST_EXPONENT * scale.value:g} V", f"{np.abs(v).max():g} V")
    ratio = 1.0 if transport.leakage_polarization_ratio is None else transport.leakage_polarization_ratio.value
    shape = scale.value * np.sinh(v / scale.value) * ratio ** (0.5 * p)
    return np.asarray(transport.leakage_conductance.value * shape * arrhenius(energy.value, t))


def _left(height: float, lowering: NDArray[np.float64], what: str) -> NDArray[np.float64]:
    if (lowering >= height).any():
        raise ValidityError(
            f"Argument `field` must leave a barrier, but {what} lowers the {height:g} eV by {lowering.max():.3g} eV."
            " Lower the field, or use the integral of `wkb`."
        )
    return np.asarray(height - lowering)


def _temperature(value: ArrayLike) -> NDArray[np.float64]:
    t = finite_array("temperature", value, "K")
    if not ((t >= _COLDEST) & (t <= _HOTTEST)).all():
        worst = t.min() if t.min() < _COLDEST else t.max()
        raise ArgumentError(
            f"Argument `temperature` must be positive, from {_COLDEST:g} K to {_HOTTEST:g} K, but it is {worst:g} K."
        )
    return t
