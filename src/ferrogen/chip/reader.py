"""The sample mode of one tile, made ready at one operating point, at either level of fidelity.

Most traps of a column hardly contribute: they are empty, full, or too fast to survive the average. The reader of the
level ``cell`` follows one by one, exactly, the traps that carry ``resolved_share`` of the variance of the tile's
readings, and stands in for the rest with their exact mean and a Gaussian of exactly their variance. ``resolved_share =
1`` follows every trap. The reader of the level ``statistical`` draws from the law that the same traps give
(:mod:`ferrogen.chip.reading_law`), and follows none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ferrogen.array.population import CellPopulation
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.reading_law import ReadingLaw, SeenTraps, reading_law
from ferrogen.chip.schedule import chip_schedule
from ferrogen.chip.tile import Tile
from ferrogen.core.errors import argument_error
from ferrogen.core.philox import addressed_normals
from ferrogen.core.streams import Purpose
from ferrogen.device.noise.rtn.closed_form import scheduled_difference_moments
from ferrogen.device.noise.rtn.windows import window_sums
from ferrogen.device.transport.compact import effective_voltage

ReadingFidelity = Literal["statistical", "cell"]
"""Readings drawn from their exact law, or by following the traps that matter one by one."""


@dataclass(frozen=True, slots=True)
class WindowReader:
    """Reads doubly sampled, differential currents of a tile's bit-line pairs.

    Made by :func:`window_reader`. Row sums run over the cells of ``2 * pairs_per_reading`` bit lines.

    Attributes:
        offset: mean of the unresolved traps' difference [A], shape ``(readings,)``.
        unresolved_noise: their rms [A], same shape.
        electronic_noise: rms of amplifier and shot noise [A], same shape.
        standing_current: sum of the lines' currents [A], same shape.
        resolved_traps: how many traps are followed one by one.
        traps: how many there are.
        tile: number of the tile.
        pairs_per_reading: neighbouring pairs whose currents add.
        temperature: [K].
    """

    offset: NDArray[np.float64]
    unresolved_noise: NDArray[np.float64]
    electronic_noise: NDArray[np.float64]
    standing_current: NDArray[np.float64]
    resolved_traps: int
    traps: int
    _trap_key: np.uint64
    _noise_key: np.uint64
    _address: NDArray[np.uint64]
    _starts: NDArray[np.int64]
    _steps: NDArray[np.float64]
    _to_one: NDArray[np.float64]
    _to_zero: NDArray[np.float64]
    _observed: NDArray[np.bool_]
    tile: int = 0
    pairs_per_reading: int = 1
    temperature: float = 300.0

    def read(self, first_cycle: int, cycles: int, threads: int = 1) -> NDArray[np.float64]:
        """Return analog readings [A] of consecutive cycles, shape ``(cycles, readings)``, amplifier noise included."""
        sums = window_sums(
            self._trap_key,
            self._address,
            self._starts,
            self._steps,
            self._to_one,
            self._to_zero,
            self._observed,
            first_cycle=first_cycle,
            cycles=cycles,
            threads=threads,
        )
        doubled = (sums[:, :, 1] - sums[:, :, 0]).T
        addresses = np.arange(first_cycle, first_cycle + cycles, dtype=np.int64)
        normals = addressed_normals(self._noise_key, addresses, self.offset.shape[0])
        rms = np.sqrt(self.unresolved_noise**2 + self.electronic_noise**2)
        return doubled + self.offset + rms * normals


@dataclass(frozen=True, slots=True, eq=False)
class StatisticalReader:
    """Reads what a :class:`WindowReader` reads, from the readings' exact law.

    Made by :func:`statistical_reader`.

    Attributes:
        law: of the readings.
        electronic_noise: rms of amplifier and shot noise [A], shape ``(readings,)``; it is part of the law.
        standing_current: sum of the lines' currents [A], same shape.
        traps: how many there are.
        tile: number of the tile.
        pairs_per_reading: neighbouring pairs whose currents add.
        temperature: [K].
    """

    law: ReadingLaw
    electronic_noise: NDArray[np.float64]
    standing_current: NDArray[np.float64]
    traps: int
    _key: np.uint64
    tile: int = 0
    pairs_per_reading: int = 1
    temperature: float = 300.0

    @property
    def resolved_traps(self) -> int:
        """How many traps enter the law with their own."""
        return self.law.resolved_traps

    def read(self, first_cycle: int, cycles: int, threads: int = 1) -> NDArray[np.float64]:
        """Return analog readings [A] of consecutive cycles, shape ``(cycles, readings)``, amplifier noise included."""
        del threads  # there is nothing to share out
        return self.law.draw(self._key, first_cycle, cycles)


Reader = WindowReader | StatisticalReader


def window_reader(
    tile: Tile, point: OperatingPoint, *, readings: int, pairs_per_reading: int, resolved_share: float
) -> WindowReader:
    """Prepare the sample mode of a tile, traps followed one by one.

    Args:
        tile: programmed, with ``samples`` set.
        point: operating point.
        readings: how many readings the tile gives a cycle.
        pairs_per_reading: neighbouring pairs whose currents add.
        resolved_share: share of the variance carried by traps that are followed one by one, in (0, 1].

    Raises:
        ArgumentError: a share outside (0, 1], or a tile that does not serve the sample mode.
    """
    seen, standing, electronic = _prepare(tile, point, readings, pairs_per_reading, resolved_share)
    steps = seen.steps
    mean, variance = scheduled_difference_moments(seen.to_one, seen.to_zero)
    share = steps**2 * variance
    order = np.argsort(-share, kind="stable")
    total = np.cumsum(share[order])
    enough = int(np.searchsorted(total, resolved_share * total[-1])) + 1 if share.size and total[-1] > 0.0 else 0
    followed = np.zeros(share.shape[0], dtype=np.bool_)
    followed[order[:enough] if resolved_share < 1.0 else order] = True
    rest = ~followed

    def per_reading(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(seen.reading[rest], weights=values[rest], minlength=readings), dtype=np.float64)

    return WindowReader(
        offset=per_reading(steps * mean),
        unresolved_noise=np.sqrt(per_reading(share)),
        electronic_noise=electronic,
        standing_current=standing,
        resolved_traps=int(followed.sum()),
        traps=int(followed.shape[0]),
        _trap_key=tile.streams.key(Purpose.TELEGRAPH_WINDOW, tile.number),
        _noise_key=tile.streams.key(Purpose.SAMPLE_AMPLIFIER, tile.number),
        _address=seen.trap[followed].astype(np.uint64),
        _starts=np.searchsorted(seen.reading[followed], np.arange(readings + 1)).astype(np.int64),
        _steps=steps[followed],
        _to_one=np.ascontiguousarray(seen.to_one[followed]),
        _to_zero=np.ascontiguousarray(seen.to_zero[followed]),
        _observed=chip_schedule(point, samples=True, observe="windows").observed,
        tile=tile.number,
        pairs_per_reading=pairs_per_reading,
        temperature=point.temperature,
    )


def statistical_reader(
    tile: Tile, point: OperatingPoint, *, readings: int, pairs_per_reading: int, resolved_share: float
) -> StatisticalReader:
    """Prepare the sample mode of a tile, readings drawn from their law.

    Args:
        tile: programmed, with ``samples`` set.
        point: operating point.
        readings: how many readings the tile gives a cycle.
        pairs_per_reading: neighbouring pairs whose currents add.
        resolved_share: share of variance and fourth cumulants that traps with their own law carry, in (0, 1].

    Raises:
        ArgumentError: a share outside (0, 1], or a tile that does not serve the sample mode.
    """
    seen, standing, electronic = _prepare(tile, point, readings, pairs_per_reading, resolved_share)
    return StatisticalReader(
        law=reading_law(seen, electronic, resolved_share=resolved_share),
        electronic_noise=electronic,
        standing_current=standing,
        traps=int(seen.trap.shape[0]),
        _key=tile.streams.key(Purpose.STATISTICAL_LATENT, tile.number),
        tile=tile.number,
        pairs_per_reading=pairs_per_reading,
        temperature=point.temperature,
    )


def _prepare(
    tile: Tile, point: OperatingPoint, readings: int, pairs_per_reading: int, resolved_share: float
) -> tuple[SeenTraps, NDArray[np.float64], NDArray[np.float64]]:
    """Return the traps that readings see, the readings' standing currents and their electronic noise [A]."""
    if not 0.0 < resolved_share <= 1.0:
        raise argument_error("resolved_share", "lie in (0, 1]", resolved_share)
    if not tile.samples:
        raise argument_error("tile", "be one that was programmed with samples=True", f"tile {tile.number}")
    population = tile.population()
    seen = _seen_traps(tile, population, readings, pairs_per_reading)
    schedule = chip_schedule(point, samples=True, observe="windows")
    to_one, to_zero = (part[seen.trap] for part in tile.event_means(population, schedule, point.temperature))
    drive = float(effective_voltage(point.sample_voltage, tile.card.characteristic_voltage.value))
    traps = SeenTraps(
        trap=seen.trap,
        starts=np.searchsorted(seen.reading, np.arange(readings + 1)).astype(np.int64),
        steps=drive * seen.weight * tile.steps(population)[seen.trap],
        to_one=to_one,
        to_zero=to_zero,
    )
    standing = drive * seen.standing
    # Two windows are subtracted: the noise of one counts twice; its shot noise is that of all lines' currents.
    amplifier = tile.spec.periphery.sample_amplifier
    electronic = np.sqrt(2.0) * amplifier.noise_current(point.sampling_time, point.temperature, standing)
    electronic = np.where(seen.saturated, 0.0, electronic)
    return traps, standing, electronic


@dataclass(frozen=True, slots=True, eq=False)
class _Lines:
    """Which traps a tile's readings see: one entry a trap and reading, in the order of the readings.

    Attributes:
        trap: its index among the tile's traps.
        reading: which reading.
        weight: share, with its sign, of the trap's current in the reading [1].
        standing: sum of the conductances that a reading sees [S], shape ``(readings,)``.
        saturated: whether a shorted cell saturates the reading in both windows, so that it is zero, same shape.
    """

    trap: NDArray[np.int64]
    reading: NDArray[np.int64]
    weight: NDArray[np.float64]
    standing: NDArray[np.float64]
    saturated: NDArray[np.bool_]


def _seen_traps(tile: Tile, population: CellPopulation, readings: int, pairs_per_reading: int) -> _Lines:
    columns = 2 * pairs_per_reading * readings
    # Every other pair of a reading is turned round: trained weights are not symmetric, and what skew the positive
    # lines have in common would survive the difference with the negative ones.
    polarity = np.tile([1.0, -1.0], columns // 2).reshape(readings, pairs_per_reading, 2)
    polarity[:, 1::2] *= -1.0
    conductance = tile.conductance(population)
    shares = tile.shares()
    if shares is None:
        starts = population.traps.starts[:: population.rows][: columns + 1]
        traps = np.diff(starts)
        return _Lines(
            trap=np.arange(int(starts[-1])),
            reading=np.repeat(np.repeat(np.arange(readings), 2 * pairs_per_reading), traps),
            weight=np.repeat(polarity.ravel(), traps),
            standing=conductance.sum(axis=0)[:columns].reshape(readings, -1).sum(axis=1),
            saturated=np.zeros(readings, dtype=np.bool_),
        )
    # All word lines carry the sample voltage, the spare ones too.
    driven = tile.driven()
    lines = shares.outputs[:, :columns]
    every = sparse.csr_array((np.ones(columns), (np.arange(columns), np.arange(columns) // (2 * pairs_per_reading))))
    signs = sparse.diags_array(polarity.ravel())
    magnitude = sparse.diags_array(driven) @ lines @ every
    weights = sparse.csc_array(sparse.diags_array(driven) @ lines @ signs @ every)
    saturated = np.zeros(readings, dtype=np.bool_)
    if tile.faults is not None and tile.faults.shorted_cells:
        shorted = tile.faults.mask("shorted_cells").T.ravel()
        saturated = np.asarray(magnitude[shorted].sum(axis=0)) > 0.0
        weights = sparse.csc_array(weights @ sparse.diags_array(np.where(saturated, 0.0, 1.0)))
    weights.eliminate_zeros()
    weights.sort_indices()
    cells = weights.indices.astype(np.int64)
    first, traps = population.traps.starts[cells], np.diff(population.traps.starts)[cells]
    within = np.arange(int(traps.sum())) - np.repeat(np.cumsum(traps) - traps, traps)
    return _Lines(
        trap=np.repeat(first, traps) + within,
        reading=np.repeat(np.repeat(np.arange(readings), np.diff(weights.indptr)), traps),
        weight=np.repeat(np.asarray(weights.data, dtype=np.float64), traps),
        standing=np.asarray(conductance.T.ravel() @ magnitude, dtype=np.float64),
        saturated=saturated,
    )
