"""One tile: cells drawn from the card, programmed once, read in both modes.

A tile is a function of (card, chip seed, tile number): which tile is used first does not matter. Its traps are drawn
anew when they are needed, from the same address, instead of being kept: they take far more memory than everything else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ferrogen.array.condition import Condition
from ferrogen.array.evolution_exposure import Stage
from ferrogen.array.faults import FaultMap
from ferrogen.array.faults_lines import LineShares
from ferrogen.array.levels import ConductanceWindow, conductance_window
from ferrogen.array.population import CellPopulation, draw_population
from ferrogen.array.programming import IdealProgramming, ProgrammedState, program
from ferrogen.chip.placement import Placement, tile_shares
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.schedule import READ_PHASE, chip_schedule
from ferrogen.chip.spec import ChipSpec
from ferrogen.core.errors import argument_error
from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.card import DeviceCard
from ferrogen.device.noise.rtn.moments import phase_moments
from ferrogen.device.noise.rtn.schedule import Schedule
from ferrogen.device.noise.rtn.windows import window_sums
from ferrogen.device.transport.compact import conductance

# A trap with fewer expected moves than one in so many cycles keeps its state for a run; others are fresh in every
# product.
_FROZEN_CYCLES = 1000


@dataclass(frozen=True, slots=True)
class ProductStatistics:
    """What a product sees of a tile at one operating point.

    Attributes:
        mean: conductance [S], traps, wires and faults included, shape ``(rows, columns)``; with a placement, of its
            logical rows and lines.
        variance: of a cell's conductance from one product to the next [S^2], same shape. With broken lines or a
            placement, what a pair's lines hold together is the variance of their difference.
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
        faults: what is broken; None: nothing.
        placement: which of its lines carry what; None: each its own number.
        known: the statistics of its cells at one point, if somebody has them already (:meth:`cell_statistics`).
    """

    card: DeviceCard
    spec: ChipSpec
    streams: Streams
    number: int
    samples: bool
    state: ProgrammedState
    condition: Condition | None = None
    faults: FaultMap | None = None
    placement: Placement | None = None
    known: tuple[OperatingPoint, ProductStatistics] | None = None

    @property
    def window(self) -> ConductanceWindow:
        """The conductance window of the card."""
        return conductance_window(self.card)

    @property
    def switched_fraction(self) -> NDArray[np.float64]:
        """Share of each cell's domains in the on state now, shape ``(rows, columns)``."""
        now = self.state.switched_fraction if self.condition is None else self.condition.switched_fraction
        return now if self.faults is None else self.faults.on_state(now)

    def with_condition(self, condition: Condition | None) -> Tile:
        """Return this tile after use; nothing that was known of its cells before is kept.

        Args:
            condition: of its cells; None: as programmed.

        Raises:
            ArgumentError: the condition is of an array of another shape.
        """
        shape = self.state.switched_fraction.shape
        if condition is not None and condition.switched_fraction.shape != shape:
            raise argument_error(
                "condition",
                f"be that of an array of the shape {shape}",
                f"of shape {condition.switched_fraction.shape}",
            )
        return replace(self, condition=condition, known=None)

    def shares(self) -> LineShares | None:
        """Return what its logical inputs and outputs see of its cells; None: they are its rows and columns."""
        return tile_shares(self.faults, self.placement, self.spec.rows, self.spec.columns)

    def driven(self) -> NDArray[np.float64]:
        """Return which share of the voltage a cell sees if all word lines have it, shape ``(cells,)``, as traps are."""
        shares = tile_shares(self.faults, None, self.spec.rows, self.spec.columns)
        return np.ones(self.spec.rows * self.spec.columns) if shares is None else shares.driven()

    def seen(self, conductance: NDArray[np.float64], shares: LineShares | None) -> NDArray[np.float64]:
        """Return what inputs and outputs see of cells' conductances [S] through wires and broken lines."""
        wired = self.spec.periphery.wires.effective_conductance(conductance)
        if shares is None:
            return wired
        if self.faults is not None and self.faults.shorted_cells:
            wired = wired + self.faults.short_conductance * self.faults.mask("shorted_cells")
        return shares.effective(wired)

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
        rates, voltage = self.trap_rates(population, schedule, temperature)
        one, zero = (np.empty((rates.shape[0], len(schedule.phases))) for _ in range(2))
        for k, phase in enumerate(schedule.phases):
            one[:, k], zero[:, k] = (rates[:, voltage[k], way] * phase.duration for way in range(2))
        return one, zero

    def trap_rates(
        self, population: CellPopulation, schedule: Schedule, temperature: float
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the rates [1/s] of every trap at the voltages of a schedule, and which voltage each phase has.

        Shapes ``(traps, voltages, 2)``, capture and emission, and ``(phases,)``.
        """
        voltages = sorted({phase.voltage for phase in schedule.phases})
        rates = np.empty((population.traps.count, len(voltages), 2))
        for k, voltage in enumerate(voltages):
            rates[:, k, 0], rates[:, k, 1] = population.traps.rates(voltage, temperature)
        return rates, np.array([voltages.index(phase.voltage) for phase in schedule.phases])

    def steps(self, population: CellPopulation) -> NDArray[np.float64]:
        """Return the conductance step [S] of every trap in the present state."""
        return population.trap_steps(
            self.switched_fraction,
            self.card.off_state_amplitude_factor.value,
            self.card.trap_amplitude_limit.value,
        )

    def cell_statistics(self, point: OperatingPoint) -> ProductStatistics:
        """Return mean and variance of the cells' conductances as products see them, before wires and lines.

        Traps that move less than once in a thousand cycles are frozen in the state they have in cycle 0; the others
        contribute their exact mean and window variance and are taken as independent from product to product.
        """
        if self.known is not None and self.known[0] == point:
            return self.known[1]
        population = self.population()
        schedule = chip_schedule(point, samples=self.samples, observe="product")
        steps = self.steps(population)
        mean, variance = self.trap_moments(*self.event_means(population, schedule, point.temperature), schedule)
        still = self.conductance(population)
        return ProductStatistics(
            mean=still + population.per_cell(steps * mean), variance=population.per_cell(steps**2 * variance)
        )

    def trap_moments(
        self, to_one: NDArray[np.float64], to_zero: NDArray[np.float64], schedule: Schedule
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return (mean, variance) of every trap's occupied fraction of a product read, shape ``(traps,)``.

        A frozen trap has the state of cycle 0 for its mean, and no variance.

        Args:
            to_one: of every trap and phase (:meth:`event_means`).
            to_zero: likewise.
            schedule: of the tile.
        """
        stretches = schedule.stretches
        # Columns are added one by one: numpy is slow in sums over an axis of four.
        one, zero = (np.stack([sum(part[:, j] for j in k) for k in stretches], axis=1) for part in (to_one, to_zero))
        mean, variance = phase_moments(one, zero, stretches.index([READ_PHASE]))
        moves = sum(one[:, k] + zero[:, k] for k in range(len(stretches)))
        frozen = np.flatnonzero(moves * _FROZEN_CYCLES < 1.0)
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
        return mean, variance

    def product_statistics(self, point: OperatingPoint) -> ProductStatistics:
        """Return mean and variance of what products see: :meth:`cell_statistics` through wires and broken lines."""
        cells, shares = self.cell_statistics(point), self.shares()
        return ProductStatistics(
            mean=self.seen(cells.mean, shares),
            variance=cells.variance if shares is None else shares.variance(cells.variance),
        )

    def product_conductances(
        self, point: OperatingPoint, *, first_cycle: int, cycles: int, threads: int = 1
    ) -> NDArray[np.float64]:
        """Return every cell's conductance [S] averaged over the product read of each cycle: the reference level.

        Every trap is followed from cycle to cycle. Shape ``(cycles, rows, columns)``; with a placement, its logical
        rows and lines.
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
        shares = self.shares()
        return np.stack([self.seen(still + moved[k], shares) for k in range(cycles)])


def read_stage(point: OperatingPoint, cycles: float, *, samples: bool) -> Stage:
    """Return what a tile's cells go through in a number of cycles of the chip, for :class:`.Evolution`.

    Args:
        point: operating point.
        cycles: how many.
        samples: whether the tile's bit lines serve the sample mode.
    """
    schedule = chip_schedule(point, samples=samples, observe="product")
    return Stage(cycles, tuple((phase.voltage, phase.duration) for phase in schedule.phases), point.temperature)


def _population(
    card: DeviceCard, spec: ChipSpec, streams: Streams, number: int, *, with_traps: bool = True
) -> CellPopulation:
    generator = streams.generator(Purpose.POPULATION, number)
    return draw_population(card, spec.rows, spec.columns, generator, with_traps=with_traps)


def program_tile(
    card: DeviceCard,
    spec: ChipSpec,
    streams: Streams,
    number: int,
    target: NDArray[np.float64],
    *,
    samples: bool,
    faults: FaultMap | None = None,
    placement: Placement | None = None,
) -> Tile:
    """Draw tile ``number``, program it to ``target`` conductances [S] of shape ``(rows, columns)``."""
    population = _population(card, spec, streams, number, with_traps=False)
    window = conductance_window(card).span
    state = program(
        population,
        target,
        window,
        spec.programming,
        card.switching_noise.value,
        streams.generator(Purpose.PROGRAMMING, number),
    )
    if faults is not None:
        limits = population.off_conductance, population.on_conductance
        state = with_stuck_cells(state, limits, window, spec, faults)
    return Tile(card, spec, streams, number, samples, state, faults=faults, placement=placement)


def with_stuck_cells(
    state: ProgrammedState,
    limits: tuple[NDArray[np.float64], NDArray[np.float64]],
    window: float,
    spec: ChipSpec,
    faults: FaultMap,
) -> ProgrammedState:
    """Return what programming leaves of stuck cells: they take every pulse that is allowed, or none if they suit.

    Args:
        state: what programming leaves of working cells.
        limits: off and on conductance of the cells [S].
        window: width of the conductance window [S].
        spec: of the chip.
        faults: of the tile.
    """
    stuck = faults.mask("stuck_on") | faults.mask("stuck_off")
    fraction = faults.on_state(state.switched_fraction)
    if isinstance(spec.programming, IdealProgramming):
        tolerance, most = 1e-9, 1
    else:
        tolerance, most = spec.programming.tolerance, spec.programming.max_pulses
    suits = np.abs(conductance(fraction, limits[1], limits[0]) - state.target) <= tolerance * window
    return ProgrammedState(
        switched_fraction=fraction,
        target=state.target,
        pulses=np.where(stuck, np.where(suits, 0, most), state.pulses),
        converged=np.where(stuck, suits, state.converged),
    )
