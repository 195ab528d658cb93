"""Flicker noise: what a card's whole population of traps does to the current, on average over cells.

A trap's time constant at the level crossing is log-uniform; off the crossing it is shorter by a factor that depends on
level, depth, relaxation energy and temperature, but not on the time constant itself. So for given level, depth and
relaxation energy the time constants are still log-uniform, and the spectrum and the window variance are closed forms
(McWhorter 1957; here :func:`log_uniform_density`, :func:`log_uniform_window_variance`); only the rest is integrated,
by Gauss' rules. All is relative to the current with empty traps, squared, and for the fully switched-on state; that
traps cannot together block more than there is (:func:`ferrogen.device.noise.amplitude.blocked_shares`) is left out, as
it couples them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.arrays import finite_array
from ferrogen.core.constants import BOLTZMANN_EV
from ferrogen.core.errors import argument_error, check_number
from ferrogen.device.card import DeviceCard
from ferrogen.device.noise.amplitude import amplitude_moment
from ferrogen.device.noise.multiphonon import check_temperature, equal_curvature_rates
from ferrogen.device.noise.rtn.closed_form import averaging_factor, log_uniform_spectrum, window_variance
from ferrogen.device.noise.traps import REFERENCE_AREA, REFERENCE_TEMPERATURE, TrapPopulation, stack_thickness
from ferrogen.device.parameter import Parameter

Array = NDArray[np.float64]

_NODES = 32  # of each integral over level and depth: 1e-6 of the result for the shipped cards


def log_uniform_density(frequency: ArrayLike, shortest: ArrayLike, longest: ArrayLike) -> Array:
    """Return the one-sided spectrum [1/Hz] per p (1 - p) of log-uniform time constants, zero frequency included.

    Args:
        frequency: [Hz], not negative.
        shortest: time constant [s].
        longest: [s]; equal to the shortest for a single one. All broadcast.

    Raises:
        ArgumentError: a negative frequency, or times that are not positive and in order.
    """
    f, low, high = (np.asarray(value, dtype=np.float64) for value in (frequency, shortest, longest))
    _check_span(low, high)
    if not np.all(np.isfinite(f) & (f >= 0.0)):
        raise argument_error("frequency", "hold finite frequencies in Hz that are not negative", np.ravel(f)[:3])
    omega = 2.0 * np.pi * f
    narrow = high <= low * (1.0 + 1e-6)
    single = 4.0 * low / (1.0 + (omega * low) ** 2)
    # below, both arctangents are linear to all digits, and their difference over omega is that of the times
    slow = omega * high < 1e-8
    safe_low, safe_high = np.where(narrow, 1.0, low), np.where(narrow, 2.0, high)
    still = 4.0 * (safe_high - safe_low) / np.log(safe_high / safe_low)
    moving = log_uniform_spectrum(np.where(slow, 1.0, f), safe_low, safe_high)
    return np.asarray(np.where(narrow, single, np.where(slow, still, moving)))


def _check_span(low: Array, high: Array) -> None:
    if not np.all((low > 0.0) & (low <= high) & np.isfinite(high)):
        raise argument_error(
            "shortest", "be positive and not exceed the longest time constant, both finite in s", np.ravel(low)[:3]
        )


def _integrated_factor(u: Array) -> Array:
    """Return int_u^inf g(v) dv / v, g the averaging factor: 2 / u - 1 / u^2 + 2 E_3(u) / u^2."""
    from scipy.special import expn

    small = u < 1e-2  # there the closed form has 1e-16 / u^2 of error, and the series leaves u^5 / 1e3
    safe = np.where(small, 1.0, u)
    exact = 2.0 / safe - 1.0 / safe**2 + 2.0 * expn(3, safe) / safe**2
    low = np.where(small, u, 1e-2)
    series = -np.log(low) + 1.5 - np.euler_gamma + low / 3.0 - low**2 / 24.0 + low**3 / 180.0 - low**4 / 1440.0
    return np.asarray(np.where(small, series, exact))


def log_uniform_window_variance(duration: ArrayLike, shortest: ArrayLike, longest: ArrayLike) -> Array:
    """Return the window variance per p (1 - p) of traps with log-uniform time constants, for any duration.

    [I(T / t2) - I(T / t1)] / ln(t2 / t1), I(u) = int_u^inf g(v) dv / v. Between the time constants it is
    [ln(t2 / T) + 3/2 - gamma] / ln(t2 / t1): ten times the averaging removes ln 10 / ln(t2 / t1), not a factor.

    Args:
        duration: of the window T [s].
        shortest: t1 [s].
        longest: t2 [s]; equal to t1 for a single one. All broadcast.

    Raises:
        ArgumentError: times that are not positive, or not in order.
    """
    time, low, high = (np.asarray(value, dtype=np.float64) for value in (duration, shortest, longest))
    _check_span(low, high)
    if not np.all(np.isfinite(time) & (time > 0.0)):
        raise argument_error("duration", "hold positive, finite times in s", np.ravel(time)[:3])
    narrow = high <= low * (1.0 + 1e-6)
    safe_high = np.where(narrow, 2.0 * low, high)
    wide = (_integrated_factor(time / safe_high) - _integrated_factor(time / low)) / np.log(safe_high / low)
    return np.asarray(np.where(narrow, averaging_factor(time / low), np.clip(wide, 0.0, 1.0)))


def mean_activity(lowest: ArrayLike, highest: ArrayLike, temperature: float) -> Array:
    """Return <p (1 - p)> over trap levels that are uniform from ``lowest`` to ``highest`` above the Fermi level [eV].

    (kT / width) [p(lowest) - p(highest)], for p (1 - p) = -kT dp/dE; (kT / w) tanh(w / 4 kT) if it is centred.

    Raises:
        ArgumentError: levels that are not finite and in order, or a temperature that is not positive.
    """
    check_temperature(temperature)
    low, high = np.asarray(lowest, dtype=np.float64), np.asarray(highest, dtype=np.float64)
    if not np.all(np.isfinite(low) & np.isfinite(high) & (low <= high)):
        raise argument_error("lowest", "be finite and not exceed the highest level, in eV", np.ravel(low)[:3])
    thermal = BOLTZMANN_EV * temperature
    centre, half = (low + high) / (4.0 * thermal), (high - low) / (4.0 * thermal)
    # p(a) - p(b) = [tanh(b / 2 kT) - tanh(a / 2 kT)] / 2, in a form that does not cancel far off the Fermi level:
    # sinh(2 h) / (2 cosh(c + h) cosh(c - h)), each with its exponential taken out
    upper, lower = np.abs(centre + half), np.abs(centre - half)
    shrink = np.exp(2.0 * half - upper - lower)
    wide = -np.expm1(-4.0 * half) / ((1.0 + np.exp(-2.0 * upper)) * (1.0 + np.exp(-2.0 * lower))) * shrink
    narrow = half < 1e-8
    point = np.exp(-2.0 * np.abs(centre)) / (1.0 + np.exp(-2.0 * np.abs(centre))) ** 2
    return np.asarray(np.where(narrow, point, wide / np.where(narrow, 1.0, 4.0 * half)))


def active_traps(density: float, area: float, depth_range: float, temperature: float) -> float:
    """Return the effective number of active traps of a cell, N_t = D A dz kT: the sum of p (1 - p) over its traps.

    It holds for levels spread evenly over much more than kT around the Fermi level (:func:`mean_activity` for less).

    Args:
        density: of traps D [1/(eV m^3)].
        area: of the cell A [m^2].
        depth_range: over which traps exchange carriers dz [m].
        temperature: [K].

    Raises:
        ArgumentError: an argument that is not positive.
    """
    check_number("density", density, "1/(eV m^3)")
    check_number("area", area, "m^2")
    check_number("depth_range", depth_range, "m")
    check_temperature(temperature)
    return density * area * depth_range * BOLTZMANN_EV * temperature


def hooge_coefficient(frequency: ArrayLike, relative_density: ArrayLike, carriers: float) -> Array:
    """Return Hooge's alpha = f (S / I^2) N [1] at each frequency: constant for 1/f noise.

    Source: Hooge, Phys. Lett. A 29, 139 (1969), doi:10.1016/0375-9601(69)90076-0. Noise of traps goes as 1 / area; with
    ``carriers`` = 1 this is the figure f S / I^2 that falls so.

    Args:
        frequency: [Hz].
        relative_density: S / I^2 [1/Hz], same shape.
        carriers: number of free carriers N [1].

    Raises:
        ArgumentError: a number of carriers that is not positive, or another argument that is not finite.
    """
    check_number("carriers", carriers, "1")
    density = finite_array("relative_density", relative_density, "1/Hz")
    return np.asarray(finite_array("frequency", frequency, "Hz") * density * carriers)


@dataclass(frozen=True, slots=True)
class TrapAverage:
    """Nodes and weights of the average over level, depth and relaxation energy of a card's traps.

    Attributes:
        strength: expected traps a cell x E[amplitude^2] x weight x p (1 - p) of each node [1], shape ``(nodes,)``.
        shortest: shortest time constant at the operating point [s], same shape.
        longest: longest [s].
    """

    strength: Array
    shortest: Array
    longest: Array


def _nodes(item: Parameter, *, low: float = -np.inf, high: float = np.inf, count: int = _NODES) -> tuple[Array, Array]:
    """Return (values, weights) of a parameter's spread, clipped to [low, high] as the draw is."""
    spread = item.spread
    if spread is None or not spread.value:
        return np.array([item.value]), np.array([1.0])
    if spread.distribution == "uniform":
        x, weight = np.polynomial.legendre.leggauss(count)
        return np.clip(item.value + spread.value * x, low, high), weight / 2.0
    x, weight = np.polynomial.hermite_e.hermegauss(count)
    return np.clip(item.value + spread.value * x, low, high), weight / weight.sum()


def trap_average(card: DeviceCard, voltage: float, temperature: float) -> TrapAverage:
    """Return the average over a card's traps at an operating point.

    Args:
        card: the device card.
        voltage: read voltage [V].
        temperature: [K].

    Raises:
        ValidityError: voltage or temperature outside of the card's ranges.
    """
    card.check("read_voltage", voltage, "voltage")
    card.check("temperature", temperature, "temperature")
    level, level_weight = _nodes(card.trap_level)
    depth, depth_weight = _nodes(card.trap_depth, low=0.0, high=card.ferroelectric_thickness.value)
    # within a relaxation energy the logarithm of the time constants shifts almost linearly: few nodes do
    energy, energy_weight = _nodes(card.trap_relaxation_energy, count=12)
    offset = level[:, None, None] - voltage * depth[:, None] / stack_thickness(card)
    capture, emission = equal_curvature_rates(
        np.exp(energy / (4.0 * BOLTZMANN_EV * REFERENCE_TEMPERATURE)) / 2.0, energy, offset, temperature
    )
    rate = capture + emission  # of a trap whose time constant at the crossing is 1 s
    weight = level_weight[:, None, None] * depth_weight[:, None] * energy_weight
    number = card.traps_per_cell.value * card.cell_area.value / REFERENCE_AREA
    strength = number * amplitude_moment(card, 2) * weight * (capture / rate) * (emission / rate)
    spread, time = card.trap_time_constant.spread, card.trap_time_constant.value
    low = spread.low if spread and spread.low is not None else time
    high = spread.high if spread and spread.high is not None else time
    return TrapAverage(strength.ravel(), low / rate.ravel(), high / rate.ravel())


def expected_spectrum(card: DeviceCard, frequency: ArrayLike, voltage: float, temperature: float) -> Array:
    """Return the expected one-sided spectrum S / I^2 [1/Hz] of a cell's telegraph noise, fully on.

    Args:
        card: the device card.
        frequency: [Hz], any shape.
        voltage: read voltage [V].
        temperature: [K].

    Raises:
        ValidityError: voltage or temperature outside of the card's ranges.
        ArgumentError: a negative frequency.
    """
    average = trap_average(card, voltage, temperature)
    f = np.asarray(frequency, dtype=np.float64)
    flat = [average.strength @ log_uniform_density(x, average.shortest, average.longest) for x in f.ravel()]
    return np.array(flat, dtype=np.float64).reshape(f.shape)


def expected_window_variance(card: DeviceCard, duration: ArrayLike, voltage: float, temperature: float) -> Array:
    """Return the expected variance of a cell's relative current averaged over ``duration`` [s], fully on.

    Raises:
        ValidityError: voltage or temperature outside of the card's ranges.
        ArgumentError: a duration that is not positive.
    """
    average = trap_average(card, voltage, temperature)
    t = np.asarray(duration, dtype=np.float64)
    flat = [average.strength @ log_uniform_window_variance(x, average.shortest, average.longest) for x in t.ravel()]
    return np.array(flat, dtype=np.float64).reshape(t.shape)


def expected_variance(card: DeviceCard, voltage: float, temperature: float) -> float:
    """Return the expected variance of a cell's relative current, fully on: that of a read without averaging.

    Raises:
        ValidityError: voltage or temperature outside of the card's ranges.
    """
    return float(trap_average(card, voltage, temperature).strength.sum())


def population_spectrum(traps: TrapPopulation, frequency: ArrayLike, voltage: float, temperature: float) -> Array:
    """Return the spectrum S / I^2 [1/Hz] of every cell of a drawn population, fully on; shape ``(cells, frequencies)``.

    The sum of the traps' Lorentzians: its mean over many cells is :func:`expected_spectrum`.

    Args:
        traps: the population.
        frequency: [Hz], shape ``(frequencies,)``.
        voltage: [V].
        temperature: [K].

    Raises:
        ArgumentError: a frequency or voltage that is not finite, or a temperature that is not positive.
    """
    f = np.atleast_1d(finite_array("frequency", frequency, "Hz"))
    capture, emission = traps.rates(voltage, temperature)
    rate = capture + emission
    strength = 4.0 * traps.amplitude**2 * (capture / rate) * (emission / rate) * rate
    cells = traps.starts.shape[0] - 1
    columns = [
        np.bincount(traps.cell, weights=strength / (rate**2 + (2.0 * np.pi * x) ** 2), minlength=cells) for x in f
    ]
    return np.asarray(np.stack(columns, axis=1), dtype=np.float64)


def population_window_variance(traps: TrapPopulation, duration: float, voltage: float, temperature: float) -> Array:
    """Return the variance of every cell's relative current averaged over ``duration`` [s], fully on; ``(cells,)``."""
    check_number("duration", duration, "s")
    each = traps.amplitude**2 * window_variance(*traps.rates(voltage, temperature), duration)
    return np.asarray(np.bincount(traps.cell, weights=each, minlength=traps.starts.shape[0] - 1), dtype=np.float64)
