"""Closed forms for tunnelling through a trapezoid, at zero temperature but for :func:`temperature_factor`.

All take the transverse mass of the electrodes to be free and the barrier's mass in the exponent only, the convention of
the reference integral (:mod:`.wkb`). Papers that put the barrier's mass into the prefactor as well get m / m0 times as
much; ``prefactor_mass`` says so. V is the top electrode against the bottom one, so electrons come from below for V > 0.

Each is refused where it does not hold, |V| at or above the barrier on the collector's side: there is no trapezoid then
(:func:`fowler_nordheim`, or the integral). Against the integral at 300 K, 2 to 3 nm, 1.6 to 2.4 eV and m = 0.2:
Gruverman 0.91 to 0.94 of it, Simmons 0.74 to 0.85 (tests/analytic/test_tunnelling_closed_forms.py).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.arrays import finite_array
from ferrogen.core.constants import BOLTZMANN_EV, ELECTRON_MASS, ELEMENTARY_CHARGE, PLANCK, REDUCED_PLANCK
from ferrogen.core.errors import ValidityError, argument_error, check_number
from ferrogen.device.transport.barrier import Barrier

_WAVE_NUMBER = np.sqrt(2.0 * ELECTRON_MASS * ELEMENTARY_CHARGE) / REDUCED_PLANCK  # of a free electron of 1 eV [1/m]
_LARGEST_CUBIC = 0.25  # of Brinkman's cubic term over the linear one: the fifth order is then about 0.3 x 0.25^2 = 2 %


def gruverman(voltage: ArrayLike, barrier: Barrier, prefactor_mass: float = 1.0) -> NDArray[np.float64]:
    """Return the direct tunnelling current density [A/m^2] of Gruverman 2009 (doi:10.1021/nl901754t), equation (2.1).

    With u, w the barrier's sides above the mean Fermi level and K = 4 d sqrt(2 m) / 3 hbar the published form's

        a (w^1.5 - u^1.5), a (sqrt(w) - sqrt(u)),  a = K / (u - w)

    are -K (u + sqrt(u w) + w) / (sqrt(u) + sqrt(w)) and -K / (sqrt(u) + sqrt(w)): its singular point u = w is none.

    Args:
        voltage: top against bottom [V].
        barrier: the trapezoid.
        prefactor_mass: in the prefactor, in electron masses.

    Raises:
        ValidityError: |V| reaches the barrier of the collecting electrode.
        ArgumentError: a voltage is not finite.
    """
    v = _direct_range(voltage, barrier)
    check_number("prefactor_mass", prefactor_mass, "electron masses")
    u, w = barrier.bottom_height + 0.5 * v, barrier.top_height - 0.5 * v
    root_u, root_w = np.sqrt(u), np.sqrt(w)
    action = 4.0 / 3.0 * barrier.thickness * np.sqrt(barrier.mass) * _WAVE_NUMBER  # 1 / sqrt(eV)
    slope = action / (root_u + root_w)
    exponent = action * (u + root_u * root_w + w) / (root_u + root_w)
    joule = ELEMENTARY_CHARGE**2  # the prefactor's two energies, in eV in slope
    front = 4.0 * ELEMENTARY_CHARGE * prefactor_mass * ELECTRON_MASS / (9.0 * np.pi**2 * REDUCED_PLANCK**3) * joule
    return np.asarray(front / slope**2 * _damped_sinh(0.75 * slope * v, exponent))


def simmons(voltage: ArrayLike, barrier: Barrier, prefactor_mass: float = 1.0) -> NDArray[np.float64]:
    """Return the current density [A/m^2] of Simmons 1963 (doi:10.1063/1.1702682), equation (2.3), for the mean barrier.

    Its own prefactor has no mass: it belongs to the barrier's mass in front and behind, and is multiplied by
    ``prefactor_mass`` / m here. It replaces the trapezoid by its mean height, so it is antisymmetric by construction.
    Arguments and errors as in :func:`gruverman`.
    """
    v = _direct_range(voltage, barrier)
    check_number("prefactor_mass", prefactor_mass, "electron masses")
    action = 2.0 * barrier.thickness * np.sqrt(barrier.mass) * _WAVE_NUMBER
    high, low = barrier.mean_height + 0.5 * v, barrier.mean_height - 0.5 * v
    front = ELEMENTARY_CHARGE**2 / (2.0 * np.pi * PLANCK * barrier.thickness**2) * prefactor_mass / barrier.mass
    flow = low * np.exp(-action * np.sqrt(low)) - high * np.exp(-action * np.sqrt(high))
    return np.asarray(front * flow)


def zero_bias_conductance(barrier: Barrier, prefactor_mass: float = 1.0) -> float:
    """Return the conductance at zero bias [S/m^2]: e^2 sqrt(2 m phi) / (h^2 d) exp(-2 d sqrt(2 m phi) / hbar).

    The mean barrier's; Brinkman, Dynes and Rowell 1970 (doi:10.1063/1.1659141), times ``prefactor_mass`` / m.
    """
    check_number("prefactor_mass", prefactor_mass, "electron masses")
    decay = _WAVE_NUMBER * np.sqrt(barrier.mass * barrier.mean_height)
    front = ELEMENTARY_CHARGE**2 * decay * REDUCED_PLANCK / (PLANCK**2 * barrier.thickness)
    return float(front * prefactor_mass / barrier.mass * np.exp(-2.0 * barrier.thickness * decay))


def brinkman(voltage: ArrayLike, barrier: Barrier, prefactor_mass: float = 1.0) -> NDArray[np.float64]:
    """Return the current density [A/m^2] of Brinkman, Dynes and Rowell 1970 (doi:10.1063/1.1659141), equation (2.2).

    J = G0 [V - A0 dphi V^2 / (32 phi^1.5) + 3 A0^2 V^3 / (128 phi)] with dphi = top - bottom height: a cubic at low
    bias, within 5 % of :func:`gruverman` where it is not refused. The quadratic term moves the least conductance off
    zero bias. Arguments and errors as in :func:`gruverman`.

    Raises:
        ValidityError: the cubic term exceeds a quarter of the linear one, where the series ends to be of use, or |V|
            reaches the collecting electrode's barrier.
        ArgumentError: a voltage is not finite.
    """
    v = _direct_range(voltage, barrier)
    phi = barrier.mean_height
    action = 4.0 / 3.0 * barrier.thickness * np.sqrt(barrier.mass) * _WAVE_NUMBER
    skew = action * (barrier.top_height - barrier.bottom_height) / (32.0 * phi**1.5)
    cubic = 3.0 * action**2 / (128.0 * phi)
    limit = np.sqrt(_LARGEST_CUBIC / cubic)
    if (np.abs(v) > limit).any():
        raise ValidityError(
            f"Argument `voltage` must not exceed {limit:.3g} V for this barrier, where Brinkman's cubic holds, but it"
            f" reaches {np.abs(v).max():g} V. Use `gruverman` or the integral of `wkb`."
        )
    return np.asarray(zero_bias_conductance(barrier, prefactor_mass) * v * (1.0 - skew * v + cubic * v**2))


def temperature_factor(barrier: Barrier, temperature: ArrayLike) -> NDArray[np.float64]:
    """Return by how much the current at low bias exceeds that at zero temperature, equation (2.4).

    pi c kT / sin(pi c kT) with c = d sqrt(2 m) / (hbar sqrt(phi)), the slope of the action at the Fermi level (Stratton
    1962).

    Raises:
        ValidityError: c kT >= 1/2: electrons far above the Fermi level carry the current, and the slope there is
            another.
        ArgumentError: a temperature is not finite, or negative.
    """
    t = np.asarray(temperature, dtype=np.float64)
    if not np.isfinite(t).all() or (t < 0.0).any():
        raise argument_error("temperature", "hold finite numbers in K that are not negative", t.flat[0])
    slope = barrier.thickness * np.sqrt(barrier.mass / barrier.mean_height) * _WAVE_NUMBER
    reduced = slope * BOLTZMANN_EV * t
    if (reduced >= 0.5).any():
        raise ValidityError(
            f"Argument `temperature` must stay below {0.5 / (slope * BOLTZMANN_EV):.3g} K for this barrier, where"
            f" tunnelling at the Fermi level prevails, but it reaches {t.max():g} K. Use the integral of `wkb`."
        )
    return np.asarray(1.0 / np.sinc(reduced))


def fowler_nordheim(field: ArrayLike, height: float, mass: float, prefactor_mass: float = 1.0) -> NDArray[np.float64]:
    """Return the current density [A/m^2] through a triangular barrier, equation (2.5).

    q^3 m0 / (8 pi h phi m) E^2 exp[-8 pi sqrt(2 m) phi^1.5 / (3 h q E)], Fowler and Nordheim 1928
    (doi:10.1098/rspa.1928.0091). It holds where the voltage exceeds the barrier, |field| x thickness > height: the
    caller knows the thickness, so the caller checks it. It knows no temperature: it is 1.05 of the integral at 10 K and
    5 MV/cm through 2 eV, but 0.86 of it at 300 K.

    Args:
        field: in the barrier [V/m]; the current has its sign.
        height: above the emitting Fermi level [eV].
        mass: in the barrier, in electron masses.
        prefactor_mass: as above.

    Raises:
        ArgumentError: an argument is not finite, or height or mass not positive.
    """
    check_number("height", height, "eV")
    check_number("mass", mass, "electron masses")
    check_number("prefactor_mass", prefactor_mass, "electron masses")
    e = finite_array("field", field, "V/m")
    size = np.maximum(np.abs(e), 1.0)  # below 1 V/m the exponential is nothing at all
    front = ELEMENTARY_CHARGE**2 * prefactor_mass / (8.0 * np.pi * PLANCK * height * mass)
    exponent = 4.0 / 3.0 * _WAVE_NUMBER * np.sqrt(mass) * height**1.5 / size
    return np.asarray(np.sign(e) * front * e**2 * np.exp(-exponent))


def _direct_range(voltage: ArrayLike, barrier: Barrier) -> NDArray[np.float64]:
    v = finite_array("voltage", voltage, "V")
    if (v >= barrier.top_height).any() or (-v >= barrier.bottom_height).any():
        raise ValidityError(
            f"Argument `voltage` must lie between {-barrier.bottom_height:.3g} V and {barrier.top_height:.3g} V, where"
            f" the barrier is a trapezoid, but it is {v.flat[np.abs(v).argmax()]:g} V. Use `fowler_nordheim` or the"
            " integral of `wkb`."
        )
    return v


def _damped_sinh(argument: NDArray[np.float64], exponent: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return e^-exponent sinh(argument) without overflow (|argument| may exceed 700 for a thick film)."""
    size = np.abs(argument)
    return np.asarray(np.sign(argument) * 0.5 * np.exp(size - exponent) * -np.expm1(-2.0 * size))
