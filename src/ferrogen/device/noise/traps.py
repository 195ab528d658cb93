"""Traps of a junction: how many, where, how fast, and how the read voltage moves them.

A trap at relative depth x exchanges electrons with the electrode from which x counts. The read voltage pulls its level
down, dE(V) = E_T - q V x, and with it the occupancy: capture/emission = exp(-dE / kT) (detailed balance). So a voltage
counts positive here where it makes that electrode the negative one, the source of the electrons: top against bottom, as
:mod:`ferrogen.device.electrostatics.stack` counts, it is V for traps near the bottom electrode and -V for traps near
the top one (the level follows the bands: tests/unit/device/noise/test_noise_rates.py). Arrays read traps at positive
voltages, so a card with a trap near the top electrode is read there with that electrode negative.

The rates are those of a strongly coupled multiphonon transition (Grasser 2012, doi:10.1016/j.microrel.2011.09.002) with
relaxation energy S:

    capture  = k exp(-(S + dE)^2 / (4 S k_B T)),      emission = k exp(-(S - dE)^2 / (4 S k_B T)).

So at a low voltage (dE = 0.3 eV) capture is hundreds of times slower and emission hundreds of times faster than at the
crossing: the trap is empty and silent. Near the crossing it is active. Nothing else switches the noise on or off. Other
curvatures: :mod:`ferrogen.device.noise.multiphonon`; a polarised film's field: :mod:`ferrogen.device.noise.rates`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferrogen.core.arrays import finite_array
from ferrogen.core.constants import BOLTZMANN_EV
from ferrogen.core.errors import CardError, ValidityError
from ferrogen.device.card import DeviceCard
from ferrogen.device.electrostatics.stack import stack_of
from ferrogen.device.noise.multiphonon import check_temperature, equal_curvature_rates
from ferrogen.device.parameter import Parameter

REFERENCE_TEMPERATURE = 300.0
"""Temperature [K] at which a card states its time constants."""

REFERENCE_AREA = 1e-14
"""Area [m^2] to which the number and the amplitude of a card's traps refer."""


@dataclass(frozen=True, slots=True)
class TrapPopulation:
    """Traps of many cells, one array entry a trap, sorted by cell.

    Attributes:
        cell: index of the cell each trap sits in, shape ``(traps,)``.
        starts: traps of cell c are ``starts[c]:starts[c + 1]``, shape ``(cells + 1,)``.
        level: energy above the Fermi level of the electrode it exchanges with, at zero bias [eV].
        relative_depth: share of the applied voltage that drops between electrode and trap.
        relaxation_energy: [eV].
        attempt_rate: k of the formulas above [1/s].
        amplitude: relative change of the cell's on-state current when occupied (negative: it blocks).
    """

    cell: NDArray[np.int64]
    starts: NDArray[np.int64]
    level: NDArray[np.float64]
    relative_depth: NDArray[np.float64]
    relaxation_energy: NDArray[np.float64]
    attempt_rate: NDArray[np.float64]
    amplitude: NDArray[np.float64]

    @property
    def count(self) -> int:
        """Number of traps."""
        return int(self.cell.shape[0])

    def rates(self, voltage: float, temperature: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return (capture rate, emission rate) [1/s] at a read voltage [V] and temperature [K].

        The voltage counts positive where it makes the electrode that the traps exchange with the negative one.

        Raises:
            ArgumentError: a voltage that is not finite, or a temperature that is not positive.
            ValidityError: a voltage that pulls a level beyond the relaxation energy, where the formula ends; a card's
                read voltages do not.
        """
        check_temperature(temperature)
        offset = self.level - finite_array("voltage", voltage, "V") * self.relative_depth
        if not (np.abs(offset) < self.relaxation_energy).all():
            raise ValidityError(
                f"Argument `voltage` must leave every trap's level within its relaxation energy, but {voltage:g} V move"
                f" one to {float(np.abs(offset).max()):.3g} eV from the Fermi level. Lower the voltage."
            )
        return equal_curvature_rates(self.attempt_rate, self.relaxation_energy, offset, temperature)


def _spread_draw(parameter: Parameter, size: int, generator: np.random.Generator, name: str) -> NDArray[np.float64]:
    spread = parameter.spread
    if spread is None:
        return np.full(size, parameter.value)
    if spread.distribution == "loguniform" and spread.low is not None and spread.high is not None:
        return np.exp(generator.uniform(np.log(spread.low), np.log(spread.high), size))
    if spread.value is not None:
        if spread.distribution == "uniform":
            return parameter.value + spread.value * generator.uniform(-1.0, 1.0, size)
        if spread.distribution == "normal":
            return parameter.value + spread.value * generator.standard_normal(size)
        if spread.distribution == "lognormal":
            return parameter.value * np.exp(spread.value * generator.standard_normal(size))
    raise CardError(f"Parameter `{name}` has a {spread.distribution} spread, which cannot be drawn for each item.")


def draw_parameter(card: DeviceCard, name: str, size: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """Draw ``size`` values of a card's parameter from its spread.

    Raises:
        CardError: the parameter's spread is one that gives no value for each item (``poisson``).
    """
    own = getattr(card, name, None)  # listing all of a card's parameters takes longer than many a draw
    return _spread_draw(own if isinstance(own, Parameter) else card.parameters[name], size, generator, name)


def stack_thickness(card: DeviceCard) -> float:
    """Return the stack's thickness in metres of ferroelectric: t_F + eps_F (sum of t / eps of all other layers).

    A trap x from an electrode then sees the share x / thickness of the voltage; what drops in that electrode's own
    screening length is left out (none in most cards, 7 % of the voltage in ``hzo-3nm-direct``).
    """
    return stack_of(card).equivalent_thickness


def no_traps(cells: int) -> TrapPopulation:
    """Return the traps of ``cells`` junctions that have none."""
    none = np.zeros(0)
    return TrapPopulation(
        np.zeros(0, dtype=np.int64), np.zeros(cells + 1, dtype=np.int64), none, none, none, none, none
    )


def draw_traps(card: DeviceCard, cells: int, generator: np.random.Generator) -> TrapPopulation:
    """Draw the traps of ``cells`` junctions from a card.

    The number is Poisson with a mean proportional to the cell's area; the relative amplitude goes as one over the area.
    """
    area = card.cell_area.value / REFERENCE_AREA
    number = generator.poisson(card.traps_per_cell.value * area, size=cells)
    starts = np.concatenate([[0], np.cumsum(number)]).astype(np.int64)
    count = int(starts[-1])
    time_constant = draw_parameter(card, "trap_time_constant", count, generator)
    level = draw_parameter(card, "trap_level", count, generator)
    # A trap lies inside the film, whatever the normal distribution's tails say.
    depth = np.clip(draw_parameter(card, "trap_depth", count, generator), 0.0, card.ferroelectric_thickness.value)
    relaxation = draw_parameter(card, "trap_relaxation_energy", count, generator)
    amplitude = draw_parameter(card, "trap_amplitude", count, generator) / area
    # At the crossing capture = emission = k exp(-S / 4 kT), so 1 / tau = 2 k exp(-S / 4 kT).
    thermal = 4.0 * BOLTZMANN_EV * REFERENCE_TEMPERATURE
    one_for_all = count > 0 and card.trap_relaxation_energy.spread is None
    attempt = np.exp((relaxation[:1] if one_for_all else relaxation) / thermal) / (2.0 * time_constant)
    return TrapPopulation(
        cell=np.repeat(np.arange(cells, dtype=np.int64), number),
        starts=starts,
        level=level,
        relative_depth=depth / stack_thickness(card),
        relaxation_energy=relaxation,
        attempt_rate=attempt,
        amplitude=-np.minimum(amplitude, card.trap_amplitude_limit.value),
    )
