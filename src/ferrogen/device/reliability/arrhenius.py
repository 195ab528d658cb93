"""Thermal activation relative to the temperature at which cards state their values."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.constants import BOLTZMANN_EV
from ferrogen.core.errors import argument_error, check_number
from ferrogen.device.noise.traps import REFERENCE_TEMPERATURE
from ferrogen.device.parameter import VALIDITY_RANGES

_LARGEST_ENERGY = 5.0  # eV; at 77 K that is a factor of 1e243
_SCALES = (1e-30, 1e60)  # what a time or number of cycles of a law may be: no product of it overflows then
_LARGEST_COUNT = 1e100
_LARGEST_LOGARITHM = 700.0


def check_temperature(temperature: float) -> None:
    """Refuse a temperature [K] outside of what any formula here is meant for.

    Raises:
        ArgumentError: it is no finite number, or lies outside 77 K to 1000 K.
    """
    check_number("temperature", temperature, "K")
    low, high, _ = VALIDITY_RANGES["temperature"]
    if not low <= temperature <= high:
        raise argument_error("temperature", f"lie between {low:g} K and {high:g} K", f"{temperature:g} K")


def slowdown(activation_energy: float, temperature: float) -> float:
    """Return by which factor a thermally activated time is longer at a temperature than at 300 K.

    exp[E / k (1 / T - 1 / 300 K)] (Arrhenius).

    Args:
        activation_energy: [eV], not negative.
        temperature: [K].

    Raises:
        ArgumentError: a value out of range.
    """
    check_energy(activation_energy)
    check_temperature(temperature)
    return math.exp(activation_energy / BOLTZMANN_EV * (1.0 / temperature - 1.0 / REFERENCE_TEMPERATURE))


def check_energy(activation_energy: float) -> None:
    """Refuse an activation energy [eV] that is negative, not finite, or above 5 eV.

    Raises:
        ArgumentError: saying so.
    """
    check_number("activation_energy", activation_energy, "eV", may_vanish=True)
    if activation_energy > _LARGEST_ENERGY:
        raise argument_error("activation_energy", f"be at most {_LARGEST_ENERGY:g} eV", f"{activation_energy:g} eV")


def check_scale(name: str, value: float, unit: str) -> None:
    """Refuse a characteristic time or number of cycles that is not positive, or no number of this world.

    Raises:
        ArgumentError: saying so.
    """
    check_number(name, value, unit)
    low, high = _SCALES
    if not low <= value <= high:
        raise argument_error(name, f"lie between {low:g} and {high:g} {unit}", f"{value:g} {unit}")


def check_exponent(name: str, value: float) -> None:
    """Refuse an exponent or Weibull shape outside of 0.01 to 100.

    Raises:
        ArgumentError: saying so.
    """
    check_number(name, value, "1")
    if not 0.01 <= value <= 100.0:
        raise argument_error(name, "lie between 0.01 and 100", f"{value:g}")


def from_logarithm(logarithm: float, name: str, value: float, unit: str) -> float:
    """Return exp(logarithm), a time or number of cycles that follows from the argument ``name``.

    Raises:
        ArgumentError: the result is more or less than a float can hold.
    """
    if abs(logarithm) > _LARGEST_LOGARITHM:
        raise argument_error(
            name,
            f"give a result between 1e-304 and 1e304 {unit}",
            f"{value:g}",
            f"It would be 1e{logarithm / math.log(10.0):.0f} {unit}: the law holds nowhere near there.",
        )
    return math.exp(logarithm)


def counts(name: str, values: ArrayLike, unit: str, *, positive: bool = False) -> NDArray[np.float64]:
    """Return times, cycles or the like as an array of float.

    Raises:
        ArgumentError: one is no number, negative, beyond 1e100, or (``positive``) zero.
    """
    array = np.asarray(values, dtype=np.float64)
    bad = ~(array <= _LARGEST_COUNT) | (array < 0.0) | (positive & (array == 0.0))
    if bad.any():
        must = "be positive" if positive else "not be negative"
        raise argument_error(name, f"{must} and be at most {_LARGEST_COUNT:g} {unit}", f"{float(array[bad].flat[0]):g}")
    return array
