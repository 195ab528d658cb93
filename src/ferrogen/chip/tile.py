"""One tile: cells drawn from the card, programmed once, read in both modes.

A tile is a function of (card, chip seed, tile number): which tile is used first does not matter. Its traps are drawn
anew when they are needed, from the same address, instead of being kept: they take far more memory than everything else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ferrogen.array.condition import Condition
from ferrogen.array.levels import ConductanceWindow, conductance_window
from ferrogen.array.population import CellPopulation, draw_population
from ferrogen.array.programming import ProgrammedState, program
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.schedule import READ_PHASE, chip_schedule
from ferrogen.chip.spec import ChipSpec
from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.card import DeviceCard
from ferrogen.device.noise.rtn.moments import phase_moments
from ferrogen.device.noise.rtn.schedule import Schedule
from ferrogen.device.noise.rtn.windows import window_sums

# A trap with fewer expected moves than one in so many cycles keeps its state for a run; others are fresh in every
# product.
_FROZEN_CYCLES = 1000


@dataclass(frozen=True, slots=True)
class ProductStatistics:
    """What a product sees of a tile at one operating point.

    Attributes:
        mean: conductance [S], traps and wires included, shape ``(rows, columns)``.
        variance: of a cell's conductance from one product to the next [S^2], same shape.
    """

    mean: NDArray[np.float64]
    variance: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tile:
    """A programmed tile.

    Attributes:
        number: which tile of the chip.
        samples: whether its bit lines serve the sample mode.
        state: what programming left.
        condition: what use has made of it since; None: nothing.
    """

    card: DeviceCard
    spec: ChipSpec
    streams: Streams
    number: int
    samples: bool
    state: ProgrammedState
    condition: Condition | None = None

    @property
    def window(self) -> ConductanceWindow:
        """The conductance window of the card."""
        return conductance_window(self.card)

    @property
    def switched_fraction(self) -> NDArray[np.float64]:
        """Share of each cell's domains in the on state now, shape ``(rows, columns)``."""
        return self.state.switched_fraction if self.condition is None else self.condition.switched_fraction

    def population(self) -> CellPopulation:
        """Draw this tile's cells (the same ones every time), aged as its condition says."""
        fresh = _population(self.card, self.spec, self.streams, self.number)
        if self.condition is None:
            return fresh
        return replace(
            fresh,
            on_conductance=fresh.on_conductance * self.condition.on_factor,
            off_conductance=fresh.off_conductance * self.condition.off_factor,
        )

    def conductance(self, population: CellPopulation) -> NDArray[np.float64]:
        """Return the present conductance [S] of its ``population`` with all traps empty, shape ``(rows, columns)``."""
        return population.conductance(self.switched_fraction)

    def event_means(
        self, population: CellPopulation, schedule: Schedule, temperature: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return (capture, emission) rate x duration of every trap and phase, each of shape ``(traps, phases)``."""
        shape = (population.traps.count, len(schedule.phases))
        to_one, to_zero = np.empty(shape), np.empty(shape)
        for k, phase in enumerate(schedule.phases):
            capture, emission = population.traps.rates(phase.voltage, temperature)
            to_one[:, k], to_zero[:, k] = capture * phase.duration, emission * phase.duration
        return to_one, to_zero

    def steps(self, population: CellPopulation) -> NDArray[np.float64]:
        """Return the conductance step [S] of every trap in the present state."""
        return population.trap_steps(
            self.switched_fraction,
            self.card.off_state_amplitude_factor.value,
            self.card.trap_amplitude_limit.value,
        )

    def product_statistics(self, point: OperatingPoint) -> ProductStatistics:
        """Return mean and variance of the cells' conductances as products see them.

        Traps that move less than once in a thousand cycles are frozen in the state they have in cycle 0; the others
        contribute their exact mean and window variance and are taken as independent from product to product.
        """
        population = self.population()
        schedule = chip_schedule(point, samples=self.samples, observe="product")
        to_one, to_zero = self.event_means(population, schedule, point.temperature)
        steps = self.steps(population)
        mean, variance = phase_moments(to_one, to_zero, READ_PHASE)
        frozen = np.flatnonzero((to_one + to_zero).sum(axis=1) * _FROZEN_CYCLES < 1.0)
        mean[frozen] = window_sums(
            self.streams.key(Purpose.TELEGRAPH_WINDOW, self.number),
            frozen.astype(np.uint64),
            np.arange(frozen.shape[0] + 1),
            np.ones(frozen.shape[0]),
            np.ascontiguousarray(to_one[frozen]),
            np.ascontiguousarray(to_zero[frozen]),
            schedule.observed,
            first_cycle=0,
            cycles=1,
        )[:, 0, 0]
        variance[frozen] = 0.0
        still = self.conductance(population)
        average = still + population.per_cell(steps * mean)
        return ProductStatistics(
            mean=self.spec.periphery.wires.effective_conductance(average),
            variance=population.per_cell(steps**2 * variance),
        )

    def product_conductances(
        self, point: OperatingPoint, *, first_cycle: int, cycles: int, threads: int = 1
    ) -> NDArray[np.float64]:
        """Return every cell's conductance [S] averaged over the product read of each cycle: the reference level.

        Every trap is followed from cycle to cycle. Shape ``(cycles, rows, columns)``.
        """
        population = self.population()
        schedule = chip_schedule(point, samples=self.samples, observe="product")
        to_one, to_zero = self.event_means(population, schedule, point.temperature)
        sums = window_sums(
            self.streams.key(Purpose.TELEGRAPH_WINDOW, self.number),
            np.arange(population.traps.count, dtype=np.uint64),
            population.traps.starts,
            self.steps(population),
            to_one,
            to_zero,
            schedule.observed,
            first_cycle=first_cycle,
            cycles=cycles,
            threads=threads,
        )[:, :, 0]
        still = self.conductance(population)
        moved = sums.reshape(population.columns, population.rows, cycles).transpose(2, 1, 0)
        wires = self.spec.periphery.wires
        return np.stack([wires.effective_conductance(still + moved[k]) for k in range(cycles)])


def _population(card: DeviceCard, spec: ChipSpec, streams: Streams, number: int) -> CellPopulation:
    return draw_population(card, spec.rows, spec.columns, streams.generator(Purpose.POPULATION, number))


def program_tile(
    card: DeviceCard, spec: ChipSpec, streams: Streams, number: int, target: NDArray[np.float64], *, samples: bool
) -> Tile:
    """Draw tile ``number``, program it to ``target`` conductances [S] of shape ``(rows, columns)``."""
    state = program(
        _population(card, spec, streams, number),
        target,
        conductance_window(card).span,
        spec.programming,
        card.switching_noise.value,
        streams.generator(Purpose.PROGRAMMING, number),
    )
    return Tile(card=card, spec=spec, streams=streams, number=number, samples=samples, state=state)
