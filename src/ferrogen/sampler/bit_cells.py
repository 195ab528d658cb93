"""Cells fit to serve as random bits: one trap that settles, is seen, and outweighs everything else in its cell.

At most one cell of a bit line serves: all bits of a chip can be held at their own voltages and read at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.tile import Tile
from ferrogen.core.constants import BOLTZMANN_EV
from ferrogen.core.errors import argument_error
from ferrogen.device.noise.multiphonon import equal_curvature_rates
from ferrogen.device.transport.compact import effective_voltage

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class TrapTable:
    """Traps, one array entry a trap; each attribute as in :class:`ferrogen.device.noise.traps.TrapPopulation`."""

    level: Array
    relative_depth: Array
    relaxation_energy: Array
    attempt_rate: Array

    def rates(self, voltage: Array, temperature: float) -> tuple[Array, Array]:
        """Return (capture, emission) rates [1/s] at voltages [V] that broadcast against the traps."""
        offset = self.level - voltage * self.relative_depth
        return equal_curvature_rates(self.attempt_rate, self.relaxation_energy, offset, temperature)

    def take(self, which: NDArray[np.int64]) -> TrapTable:
        """Return the traps of these numbers."""
        return TrapTable(
            self.level[which], self.relative_depth[which], self.relaxation_energy[which], self.attempt_rate[which]
        )


@dataclass(frozen=True, slots=True, eq=False)
class BitCells:
    """Cells that serve as bits, the best reach first.

    Attributes:
        tile: tile number of every cell, shape ``(bits,)``.
        cell: its number on the tile, bit line by bit line, same shape.
        trap: the one that is read.
        step: by which it lowers the cell's conductance when occupied [S], shape ``(bits,)``.
        margin: between a level and the threshold, other traps at their worst [S], same shape.
        noise: rms of amplifier and shot noise over one sense time, as a conductance at the lowest voltage, where it is
            largest [S], same shape.
        others: the cells' other traps.
        other_starts: those of bit k are ``other_starts[k]:other_starts[k + 1]``.
        other_steps: by which they lower the conductance [S].
        examined: how many cells were looked at.
    """

    tile: NDArray[np.int64]
    cell: NDArray[np.int64]
    trap: TrapTable
    step: Array
    margin: Array
    noise: Array
    others: TrapTable
    other_starts: NDArray[np.int64]
    other_steps: Array
    examined: int

    @property
    def count(self) -> int:
        """How many cells serve."""
        return int(self.step.shape[0])

    @property
    def threshold(self) -> Array:
        """How far below the conductance of the empty cell the comparator's threshold lies [S], shape ``(bits,)``."""
        bit = np.repeat(np.arange(self.count), np.diff(self.other_starts))
        return np.asarray(0.5 * (self.step + np.bincount(bit, weights=self.other_steps, minlength=self.count)))

    @property
    def half(self) -> Array:
        """Voltage at which the settled trap is occupied half of the time [V], shape ``(bits,)``."""
        return self.trap.level / self.trap.relative_depth

    def probability(self, voltage: Array, point: OperatingPoint) -> Array:
        """Return the probability that the trap is occupied when the bit is read: p + (p_rest - p) exp(-L T).

        Args:
            voltage: of the bit [V], broadcast to ``(n, bits)``.
            point: operating point.
        """
        capture, emission = self.trap.rates(voltage, point.temperature)
        rate = capture + emission
        p = capture / rate
        return np.asarray(p + (self.resting(point) - p) * np.exp(-rate * point.sampling_time))

    def resting(self, point: OperatingPoint) -> Array:
        """Return the occupancy at the end of the rest, shape ``(bits,)``; what came before is forgotten."""
        capture, emission = self.trap.rates(np.array(point.multiply_voltage), point.temperature)
        return np.asarray(capture / (capture + emission))

    def memory(self, voltage: Array, point: OperatingPoint) -> Array:
        """Return the correlation coefficient's factor from one bit to the next at one voltage, exp(-M) of a cycle.

        It multiplies what the state before is off its mean; at rest traps are fast, so it is far below rounding.
        """
        capture, emission = self.trap.rates(voltage, point.temperature)
        rest_capture, rest_emission = self.trap.rates(np.array(point.multiply_voltage), point.temperature)
        moves = (capture + emission) * point.sampling_time + (rest_capture + rest_emission) * point.reset
        return np.asarray(np.exp(-moves))

    def first(self, count: int) -> BitCells:
        """Return the first ``count`` cells."""
        end = int(self.other_starts[count])
        return BitCells(
            self.tile[:count],
            self.cell[:count],
            self.trap.take(np.arange(count)),
            self.step[:count],
            self.margin[:count],
            self.noise[:count],
            self.others.take(np.arange(end)),
            self.other_starts[: count + 1],
            self.other_steps[:end],
            self.examined,
        )


def find_bit_cells(
    tiles: list[Tile],
    point: OperatingPoint,
    *,
    low: float,
    high: float,
    sense_time: float,
    settling: float,
    senses: float,
    safety: float,
) -> BitCells:
    """Find the cells of tiles that are fit to serve as bits.

    Args:
        tiles: programmed ones.
        point: operating point.
        low: smallest voltage of a bit [V].
        high: largest [V].
        sense_time: of the comparator [s].
        settling: time constants that the sampling time must have at least.
        senses: sense times that the time constant must have at least.
        safety: standard deviations of noise that the margin must have.

    Raises:
        ArgumentError: no tile, or one with faults.
    """
    if not tiles:
        raise argument_error("tiles", "hold at least one that is programmed with samples=True", "empty")
    for tile in tiles:
        if tile.faults is not None:
            raise argument_error("tiles", "be free of faults", f"tile {tile.number} with {tile.faults.count}")
    populations = [tile.population() for tile in tiles]
    sizes = [population.rows * population.columns for population in populations]
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    traps = TrapTable(
        *(
            np.concatenate([getattr(population.traps, name) for population in populations])
            for name in ("level", "relative_depth", "relaxation_energy", "attempt_rate")
        )
    )
    number = np.concatenate([np.diff(population.traps.starts) for population in populations])
    starts = np.concatenate([[0], np.cumsum(number)]).astype(np.int64)
    owner = np.repeat(np.arange(offsets[-1]), number)
    steps = np.concatenate([-tile.steps(population) for tile, population in zip(tiles, populations, strict=True)])
    conductance = np.concatenate(
        [tile.conductance(population).T.ravel() for tile, population in zip(tiles, populations, strict=True)]
    )
    drive = float(effective_voltage(low, tiles[0].card.characteristic_voltage.value))
    amplifier = tiles[0].spec.periphery.sample_amplifier
    noise = amplifier.noise_current(sense_time, point.temperature, drive * conductance) / drive

    # A trap at no depth is not moved by the voltage; one outside the range cannot be balanced.
    margin = steps - 0.5 * np.bincount(owner, weights=steps, minlength=conductance.shape[0])[owner]
    candidate = np.flatnonzero((traps.relative_depth > 0.0) & (steps > 0.0) & (margin >= safety * noise[owner]))
    chosen = traps.take(candidate)
    half = chosen.level / chosen.relative_depth
    width = BOLTZMANN_EV * point.temperature / chosen.relative_depth
    reach = np.minimum((high - half) / width, (half - low) / width)
    inside = reach > 0.0
    candidate, chosen, reach, half = candidate[inside], chosen.take(np.flatnonzero(inside)), reach[inside], half[inside]
    slowest = 1.0 / sum(chosen.rates(half, point.temperature))
    suits = (point.sampling_time >= settling * slowest) & (slowest >= senses * sense_time)
    order = np.flatnonzero(suits)
    candidate = candidate[order[np.argsort(-reach[order], kind="stable")]]
    # Every bit needs a voltage of its own, which its bit line carries: of the cells on one line the best serves.
    lines = owner[candidate] // tiles[0].spec.rows
    candidate = candidate[np.sort(np.unique(lines, return_index=True)[1])]

    cell = owner[candidate]
    count = number[cell] - 1
    ends = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    within = np.arange(int(ends[-1])) - np.repeat(ends[:-1], count)
    others = np.repeat(starts[cell], count) + within
    others += others >= np.repeat(candidate, count)
    place = np.searchsorted(offsets, cell, side="right") - 1
    return BitCells(
        tile=np.array([tile.number for tile in tiles])[place],
        cell=cell - offsets[place],
        trap=traps.take(candidate),
        step=steps[candidate],
        margin=margin[candidate],
        noise=noise[cell],
        others=traps.take(others),
        other_starts=ends,
        other_steps=steps[others],
        examined=int(offsets[-1]),
    )
