"""Thermal and shot noise of a current, and what a window of length T leaves of them.

Spectra are *one-sided* (frequencies from 0 up, so that their integral is the variance) and white as far as windows see.
The mean over a window of length T then has the variance S / (2 T): its noise bandwidth is 1 / (2 T).

Thermal: S = 4 k T / R (Nyquist 1928, doi:10.1103/PhysRev.32.110). Shot: S = 2 q F |I| (Schottky 1918,
doi:10.1002/andp.19183622304), F the Fano factor. Both are limits of one junction's noise (Blanter and Buettiker 2000,
doi:10.1016/S0370-1573(99)00123-4),

    S = (|I| / |V|) [ 4 k T (1 - F) + 2 q F |V| coth(q |V| / 2 k T) ].

The amplifier's own noise is in :mod:`ferrogen.circuit`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.arrays import finite_array
from ferrogen.core.constants import BOLTZMANN, ELEMENTARY_CHARGE
from ferrogen.core.errors import argument_error, check_number
from ferrogen.device.noise.multiphonon import check_temperature

Array = NDArray[np.float64]

_LEAST_BIAS = 1e-30  # V; below, the thermal part's current over voltage could overflow


def window_bandwidth(duration: float) -> float:
    """Return the noise bandwidth [Hz] of the mean over ``duration`` [s], 1 / (2 T).

    Raises:
        ArgumentError: a duration that is not positive.
    """
    check_number("duration", duration, "s")
    return 0.5 / duration


def thermal_density(temperature: float, resistance: ArrayLike) -> Array:
    """Return the one-sided density [A^2/Hz] of a resistance's current noise in equilibrium, 4 k T / R.

    Args:
        temperature: [K]; may be zero.
        resistance: [Ohm], positive; infinity, an open circuit, has none.

    Raises:
        ArgumentError: a negative temperature, or a resistance that is not positive.
    """
    check_number("temperature", temperature, "K", may_vanish=True)
    ohm = np.asarray(resistance, dtype=np.float64)
    if not np.all(ohm > 0.0):
        raise argument_error("resistance", "be positive in Ohm", np.ravel(ohm)[:3])
    return np.asarray(4.0 * BOLTZMANN * temperature / ohm)


def shot_density(current: ArrayLike, fano_factor: float = 1.0) -> Array:
    """Return the one-sided density [A^2/Hz] of shot noise, 2 q F |I|.

    Args:
        current: [A].
        fano_factor: F [1].

    Raises:
        ArgumentError: a Fano factor that is negative or not finite, or a current that is not finite.
    """
    check_number("fano_factor", fano_factor, "1", may_vanish=True)
    # F last: with F = 1 the bits are those of 2 q |I|
    return np.asarray(2.0 * ELEMENTARY_CHARGE * np.abs(finite_array("current", current, "A")) * fano_factor)


def crossover_voltage(temperature: float, fano_factor: float = 1.0) -> float:
    """Return the voltage [V] at which an ohmic junction's shot noise equals its thermal noise, 2 k T / (q F).

    Args:
        temperature: [K].
        fano_factor: F [1], positive.

    Raises:
        ArgumentError: a temperature or Fano factor that is not positive.
    """
    check_temperature(temperature)
    check_number("fano_factor", fano_factor, "1")
    return 2.0 * BOLTZMANN * temperature / (ELEMENTARY_CHARGE * fano_factor)


def junction_density(
    current: ArrayLike, voltage: ArrayLike, temperature: float, fano_factor: float = 1.0
) -> tuple[Array, Array]:
    """Return the one-sided densities [A^2/Hz] of a biased junction: (thermal part, shot part).

    Their sum is the formula at the top; the thermal part is what it is without bias, 4 k T |I| / |V|, and the shot part
    what the bias adds, F 2 q |I| [coth(v) - 1 / v] with v = q |V| / (2 k T), so that each has its own limit right.

    Args:
        current: [A].
        voltage: [V], not zero (the noise of a junction without bias is :func:`thermal_density` of its resistance).
        temperature: [K].
        fano_factor: F [1].

    Raises:
        ArgumentError: a temperature that is not positive, a voltage of zero, a negative Fano factor.
    """
    check_temperature(temperature)
    check_number("fano_factor", fano_factor, "1", may_vanish=True)
    flow, bias = np.abs(np.asarray(current, dtype=np.float64)), np.abs(np.asarray(voltage, dtype=np.float64))
    if not np.all(np.isfinite(bias) & (bias >= _LEAST_BIAS)) or not np.all(np.isfinite(flow)):
        raise argument_error(
            "voltage",
            f"be finite and not below {_LEAST_BIAS:g} V in size, and the current finite in A,",
            f"{np.ravel(bias)[:3]} V with {np.ravel(flow)[:3]} A",
            "Without bias use thermal_density.",
        )
    thermal = 4.0 * BOLTZMANN * temperature * flow / bias
    shot = 2.0 * ELEMENTARY_CHARGE * flow * langevin(ELEMENTARY_CHARGE * bias / (2.0 * BOLTZMANN * temperature))
    return np.asarray(thermal), np.asarray(fano_factor * shot)


def langevin(argument: ArrayLike) -> Array:
    """Return coth(v) - 1 / v for v >= 0 without the cancellation at small v."""
    v = np.asarray(argument, dtype=np.float64)
    small = v < 0.05  # there the series is good to 2e-15; at it, the difference to 2e-13
    low = np.minimum(v, 0.05)
    safe = np.where(small, 1.0, v)
    series = low / 3.0 - low**3 / 45.0 + 2.0 * low**5 / 945.0 - low**7 / 4725.0
    return np.asarray(np.where(small, series, 1.0 / np.tanh(safe) - 1.0 / safe))


def white_window_variance(density: ArrayLike, duration: float) -> Array:
    """Return the variance [A^2] of a mean over ``duration`` [s] of white noise with a one-sided ``density`` [A^2/Hz].

    Raises:
        ArgumentError: a duration that is not positive, or a density that is not finite.
    """
    return np.asarray(finite_array("density", density, "A^2/Hz") * window_bandwidth(duration))


def electronic_window_variance(
    current: ArrayLike, voltage: ArrayLike, temperature: float, duration: float, fano_factor: float = 1.0
) -> Array:
    """Return the variance [A^2] that thermal and shot noise of a junction give the mean current of a window.

    Args:
        current: [A].
        voltage: [V], not zero.
        temperature: [K].
        duration: of the window [s].
        fano_factor: F [1].

    Raises:
        ArgumentError: see :func:`junction_density` and :func:`window_bandwidth`.
    """
    thermal, shot = junction_density(current, voltage, temperature, fano_factor)
    return white_window_variance(thermal + shot, duration)
