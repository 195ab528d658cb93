"""Which conductance levels telegraph noise leaves apart: a limited dynamic range, "RTN-safe".

Koo et al. 2024 (doi:10.1016/j.chaos.2024.115856) propose to map weights only to conductances where telegraph noise
is small. Here a level is safe if its noise, averaged over a read, stays below a stated share of the distance to the
nearest other level. The noise of a level is its conductance times the relative noise of its state: towards the off
state the relative steps grow (``off_state_amplitude_factor``), while the conductance falls.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.errors import ArgumentError, argument_error, check_number
from ferrogen.device.card import DeviceCard
from ferrogen.device.noise.amplitude import amplitude_moment, blocked_shares, scaled_amplitude_moment
from ferrogen.device.noise.ensemble import expected_window_variance
from ferrogen.device.noise.rtn.closed_form import window_variance
from ferrogen.device.noise.traps import TrapPopulation
from ferrogen.device.transport.compact import conductance

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SafeLevels:
    """Conductance levels beside their telegraph noise, one entry a level in rising order.

    Attributes:
        fraction: switched fraction of the level [1].
        conductance: with all traps empty [S].
        relative_noise: rms noise of a read over the conductance [1].
        noise: rms noise of a read [S].
        spacing: distance to the nearest other level [S].
        safe: whether the noise stays below the stated share of the spacing.
    """

    fraction: Array
    conductance: Array
    relative_noise: Array
    noise: Array
    spacing: Array
    safe: NDArray[np.bool_]

    @property
    def longest_run(self) -> slice:
        """The longest run of consecutive safe levels, the first of several; empty if none is safe."""
        best, start = slice(0, 0), 0
        for k, safe in enumerate([*self.safe.tolist(), False]):
            if safe:
                continue
            if k - start > best.stop - best.start:
                best = slice(start, k)
            start = k + 1
        return best


def level_fractions(card: DeviceCard, count: int | None = None) -> Array:
    """Return the switched fractions of equally spaced conductance levels, as many as the card can program by default.

    Raises:
        ArgumentError: fewer than two levels.
    """
    number = round(card.programmable_levels.value) if count is None else count
    if number < 2:
        raise argument_error("count", "be at least 2 levels", number)
    return np.linspace(0.0, 1.0, number)


def geometric_fractions(card: DeviceCard, count: int) -> Array:
    """Return the switched fractions of ``count`` levels whose conductances are a constant ratio apart.

    Raises:
        ArgumentError: fewer than two levels.
    """
    if count < 2:
        raise argument_error("count", "be at least 2 levels", count)
    on, off = card.on_conductance.value, card.off_conductance.value
    return np.clip((np.geomspace(off, on, count) - off) / (on - off), 0.0, 1.0)


def _levels(card: DeviceCard, fraction: ArrayLike | None, share: float) -> tuple[Array, Array, Array]:
    """Return (fraction, conductance, spacing), checked."""
    check_number("share", share, "1")
    s = level_fractions(card) if fraction is None else np.asarray(fraction, dtype=np.float64)
    if s.ndim != 1 or s.shape[0] < 2 or not np.all((s >= 0.0) & (s <= 1.0)) or not np.all(np.diff(s) > 0.0):
        raise ArgumentError(
            "Argument `fraction` must be a rising list of at least two switched fractions from 0 to 1, but it is"
            f" {s.tolist()[:5]}."
        )
    level = conductance(s, card.on_conductance.value, card.off_conductance.value)
    gaps = np.diff(level)
    return s, level, np.minimum(np.append(gaps, np.inf), np.append(np.inf, gaps))


def safe_levels(
    card: DeviceCard,
    *,
    voltage: float,
    temperature: float,
    duration: float,
    share: float,
    fraction: ArrayLike | None = None,
) -> SafeLevels:
    """Return which levels of a card are safe in the root mean square over its cells.

    Args:
        card: the device card.
        voltage: read voltage [V].
        temperature: [K].
        duration: of a read [s].
        share: of the level spacing that the rms noise of a read may reach [1].
        fraction: switched fractions of the levels, rising; equally spaced, the card's number, if not given.

    Raises:
        ValidityError: voltage, temperature or duration outside of the card's ranges.
        ArgumentError: a share that is not positive, fractions that are no rising list.
    """
    card.check("read_time", duration, "duration")
    s, level, spacing = _levels(card, fraction, share)
    on_variance = float(expected_window_variance(card, duration, voltage, temperature))
    square = amplitude_moment(card, 2)
    factors = 1.0 + (card.off_state_amplitude_factor.value - 1.0) * (1.0 - s)
    ratios = np.array([scaled_amplitude_moment(card, float(k), 2) for k in factors]) / (square or 1.0)
    relative = np.sqrt(on_variance * ratios)
    noise = relative * level
    return SafeLevels(s, level, relative, noise, spacing, noise < share * spacing)


def safe_share(
    card: DeviceCard,
    traps: TrapPopulation,
    *,
    voltage: float,
    temperature: float,
    duration: float,
    share: float,
    fraction: ArrayLike | None = None,
) -> Array:
    """Return in which share of a population's cells each level is safe, shape ``(levels,)``.

    Few traps of a log-normal amplitude make cells very unequal: most are safe at levels whose rms is not.

    Args:
        card: the device card.
        traps: drawn from it.
        voltage: read voltage [V].
        temperature: [K].
        duration: of a read [s].
        share: of the level spacing that the rms noise of a cell's read may reach [1].
        fraction: switched fractions of the levels, as for :func:`safe_levels`.

    Raises:
        ValidityError: voltage, temperature or duration outside of the card's ranges.
        ArgumentError: a share that is not positive, fractions that are no rising list, a population without cells.
    """
    card.check("read_voltage", voltage, "voltage")
    card.check("temperature", temperature, "temperature")
    card.check("read_time", duration, "duration")
    s, level, spacing = _levels(card, fraction, share)
    cells = traps.starts.shape[0] - 1
    if cells < 1:
        raise argument_error("traps", "belong to at least one cell", cells)
    unit = window_variance(*traps.rates(voltage, temperature), duration)
    factor, limit = card.off_state_amplitude_factor.value, card.trap_amplitude_limit.value
    shares = np.empty(s.shape[0])
    for k in range(s.shape[0]):
        square = blocked_shares(traps.amplitude, traps.cell, cells, s[k], factor, limit) ** 2 * unit
        variance = np.bincount(traps.cell, weights=square, minlength=cells)
        shares[k] = np.mean(np.sqrt(variance) * level[k] < share * spacing[k])
    return shares
