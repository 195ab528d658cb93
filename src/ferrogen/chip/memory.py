"""What does not change between chips that differ only in their faults: cells, their programming, their statistics.

Drawing and programming the cells of a chip takes seconds; which of them are stuck, which lines are broken, and what a
self-test reads follow from the same cells fully on, fully off, and as programmed. Results are the same with it and
without.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ferrogen.array.faults import FaultMap
from ferrogen.array.levels import conductance_window
from ferrogen.array.programming import ProgrammedState
from ferrogen.chip.placement import Placement
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.chip.tile import ProductStatistics, Tile, program_tile, with_stuck_cells
from ferrogen.core.errors import argument_error
from ferrogen.core.streams import Streams
from ferrogen.device.card import DeviceCard

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class CellLimits:
    """Statistics of a tile's working cells, fully on and fully off."""

    on: ProductStatistics
    off: ProductStatistics

    def of(self, pattern: NDArray[np.bool_]) -> ProductStatistics:
        """Return the statistics of cells that are on where ``pattern`` says so."""
        return _chosen(pattern, self.on, self.off)

    def with_stuck(self, cells: ProductStatistics, faults: FaultMap | None) -> ProductStatistics:
        """Return the statistics of ``cells`` with the stuck ones among them."""
        if faults is None:
            return cells
        return _chosen(faults.mask("stuck_on"), self.on, _chosen(faults.mask("stuck_off"), self.off, cells))


def _chosen(where: NDArray[np.bool_], one: ProductStatistics, other: ProductStatistics) -> ProductStatistics:
    return ProductStatistics(np.where(where, one.mean, other.mean), np.where(where, one.variance, other.variance))


def cell_limits(tile: Tile, point: OperatingPoint) -> CellLimits:
    """Return the statistics of a tile's cells when all are on, and when all are off, without their faults."""

    def of(share: float) -> ProductStatistics:
        state = replace(tile.state, switched_fraction=np.full(tile.state.switched_fraction.shape, share))
        return replace(tile, state=state, condition=None, faults=None, known=None).cell_statistics(point)

    return CellLimits(of(1.0), of(0.0))


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    state: ProgrammedState
    statistics: ProductStatistics
    limits: CellLimits
    conductances: tuple[Array, Array]  # off and on [S]


@dataclass(slots=True)
class TileMemory:
    """Remembers the tiles of one chip, to make chips of the same cells with other faults quickly.

    Attributes:
        point: operating point of the statistics.
        learning: whether tiles that are new are kept; then they have no faults.
    """

    point: OperatingPoint
    learning: bool = True
    _owner: tuple[int, DeviceCard, ChipSpec] | None = field(default=None, repr=False)
    _kept: dict[tuple[int, bool, bytes], _Kept] = field(default_factory=dict, repr=False)
    _limits: dict[int, CellLimits] = field(default_factory=dict, repr=False)

    def limits(self, number: int) -> CellLimits | None:
        """Return the statistics of a tile's cells fully on and off, while it does not sample; None if unknown."""
        return self._limits.get(number)

    def program(
        self,
        card: DeviceCard,
        spec: ChipSpec,
        streams: Streams,
        number: int,
        target: Array,
        *,
        samples: bool,
        faults: FaultMap | None,
        placement: Placement | None,
    ) -> Tile:
        """Do what :func:`ferrogen.chip.tile.program_tile` does, from memory where it can.

        Raises:
            ArgumentError: another chip than the one that it remembers.
        """
        owner = (streams.seed, card, replace(spec, fault_rates=None))
        if self._owner is None:
            self._owner = owner
        if owner != self._owner:
            raise argument_error("memory", "be that of the same cells", "one of another card, seed or chip")
        key = (number, samples, hashlib.sha256(target.tobytes()).digest())
        if key not in self._kept:
            if not self.learning:
                return program_tile(
                    card, spec, streams, number, target, samples=samples, faults=faults, placement=placement
                )
            self._learn(key, program_tile(card, spec, streams, number, target, samples=samples))
        kept = self._kept[key]
        state = kept.state
        if faults is not None:
            state = with_stuck_cells(state, kept.conductances, conductance_window(card).span, spec, faults)
        known = (self.point, kept.limits.with_stuck(kept.statistics, faults))
        return Tile(card, spec, streams, number, samples, state, faults=faults, placement=placement, known=known)

    def _learn(self, key: tuple[int, bool, bytes], tile: Tile) -> None:
        population = tile.population()
        idle = self._limits.setdefault(key[0], cell_limits(replace(tile, samples=False), self.point))
        self._kept[key] = _Kept(
            state=tile.state,
            statistics=tile.cell_statistics(self.point),
            limits=cell_limits(tile, self.point) if tile.samples else idle,
            conductances=(population.off_conductance, population.on_conductance),
        )
