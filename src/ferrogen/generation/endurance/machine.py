"""The chip of a run, brought to the state it has after any number of cycles, without the cycles before it.

Latents are drawn from the exact law of the readings that the cells give in their condition; the condition itself
follows from what a tile's cells have gone through since they were last written (:mod:`ferrogen.array.evolution`). It
is held while a window of images is read.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from ferrogen.array.condition import Condition
from ferrogen.array.evolution import Evolution
from ferrogen.array.evolution_exposure import Exposure, Phase, Stage
from ferrogen.array.programming import program
from ferrogen.chip.chip import Chip
from ferrogen.chip.energy import energy_of
from ferrogen.chip.tile import Tile
from ferrogen.chip.usage import Usage
from ferrogen.core.errors import SilentCellsError
from ferrogen.core.streams import Purpose
from ferrogen.generation.endurance.spec import EnduranceSpec
from ferrogen.generation.endurance.upkeep import LayerSettings, Upkeep
from ferrogen.generation.generator import ChipGenerator
from ferrogen.sampler.latents import Calibration

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """What writing left in a tile.

    Attributes:
        switched_fraction: shape ``(rows, columns)``.
        pulses: of all cells.
        converged: share of cells within tolerance.
    """

    switched_fraction: Array
    pulses: int
    converged: float


@dataclass(slots=True)
class Machine:
    """A chip with a model on it, as programmed; see :meth:`stand`.

    Args:
        spec: of the run.
        threads: for the telegraph sampler; results do not depend on it.
        calibration: of the latents, from commissioning; a new one, of the cells as programmed, is made if not given.
    """

    spec: EnduranceSpec
    threads: int = 1
    calibration: Calibration | None = None
    generator: ChipGenerator = field(init=False)
    scales: list[torch.Tensor] = field(init=False)
    _evolution: Evolution = field(init=False)
    _writes: dict[tuple[int, int], Written] = field(default_factory=dict)

    def __post_init__(self) -> None:
        spec = self.spec
        chip = Chip(spec.card, seed=spec.seed, spec=spec.chip, threads=self.threads)
        self.generator = ChipGenerator(
            spec.model, chip, spec.point, spec.sampler, sampling=spec.sampling, calibration=self.calibration
        )
        self.scales = [layer.scale.clone() for layer in self.generator.decoder.layers]
        self._evolution = Evolution(spec.card, 1 if spec.polarity == "along-set" else -1, spec.seed)

    @property
    def chip(self) -> Chip:
        """The chip."""
        return self.generator.chip

    @property
    def commissioning(self) -> int:
        """Cycles of sampling for the first calibration of the latents, before cycle 0."""
        return self.generator.sampler.first_cycle

    def remarks(self) -> list[str]:
        """Return what a reader must know of the cells' evolution: why they are not followed, what is extrapolated."""
        said = [self._evolution.remark]
        for number in sorted(self.chip.tiles):
            exposure = self.exposure(self.chip.tile(number), 0, self.spec.cycles)
            said += self._evolution.extrapolations(exposure)
        return list(dict.fromkeys(sentence for sentence in said if sentence))

    def exposure(self, tile: Tile, since: int, cycle: int) -> Exposure:
        """Return what a tile has gone through after ``cycle`` cycles if it was written after ``since``."""
        spec = self.spec
        first = Stage(self.commissioning, self.phases(tile), spec.point.temperature)
        if spec.reading == "program-erase":
            at = replace(first, temperature=spec.temperature(cycle))
            return Exposure((at,), program_erase_cycles=float(cycle))
        stages = tuple(Stage(n, self.phases(tile), kelvin) for n, kelvin in spec.spans(since, cycle))
        return Exposure((first, *stages) if since == 0 else stages)

    def phases(self, tile: Tile) -> tuple[Phase, ...]:
        """Return what a tile sees in one cycle. Inputs have either sign: half of a product is read each way."""
        point = self.spec.point
        low, product = point.multiply_voltage, point.multiply_time
        if tile.samples:
            return ((point.sample_voltage, 2.0 * point.sampling_time), (low, point.reset))
        return ((0.0, 2.0 * point.sampling_time + point.reset - product), (low, product / 2), (-low, product / 2))

    def stand(self, upkeep: Upkeep, cycle: int) -> None:
        """Bring the chip to its state after ``cycle`` cycles of an arm: cells, temperature, what is in use."""
        for number in sorted(self.chip.tiles):
            self._age(number, upkeep, cycle)
        self.set_layers(upkeep.layers(cycle))
        point = replace(self.spec.point, temperature=self.spec.temperature(cycle))
        self.generator.move(point, upkeep.calibration, keep_converters=True)

    def track(self, upkeep: Upkeep, cycle: int) -> int:
        """Bring the chip to its state after ``cycle`` cycles, with latents calibrated in the background.

        Every ``maintenance.reads`` cycles, mean and deviation of each latent are estimated from the readings of these
        cycles, and are in use for as many. As in commissioning, the cells are taken as they are after the readings.
        Costs no window; a chip needs two running sums a latent.

        Returns:
            The cycle from which on the calibration is in use; 0 for that of commissioning.
        """
        reads = self.spec.maintenance.reads
        since = cycle // reads * reads
        calibration = upkeep.calibration
        if self.spec.reading == "program-erase":
            since = cycle
        if since > 0:
            self.stand(upkeep, since)
            # Silent cells give nothing to go by: the old calibration stays, and checkpoints show what it is worth.
            with contextlib.suppress(SilentCellsError):
                calibration = self.generator.sampler.estimate(max(0, since - reads), reads)
        self.stand(replace(upkeep, calibration=calibration), cycle)
        return since

    def set_layers(self, layers: list[LayerSettings]) -> None:
        """Set the decoder's periphery."""
        for layer, settings, scale in zip(self.generator.decoder.layers, layers, self.scales, strict=True):
            settings.apply(layer, scale)

    def settle(self) -> None:
        """Bring a chip as programmed to its state after commissioning."""
        for number in sorted(self.chip.tiles):
            tile = self.chip.tile(number)
            start = tile.state.switched_fraction
            self.chip.set_condition(number, self._evolution.after(start, self.exposure(tile, 0, 0), tile=number))

    def _age(self, number: int, upkeep: Upkeep, cycle: int) -> None:
        tile = self.chip.tile(number)
        since, turn = upkeep.written.get(number, (0, 0))
        if self.spec.reading == "program-erase":
            since, turn = cycle, cycle
        start = self.written(number, turn, since).switched_fraction
        condition = self._evolution.after(start, self.exposure(tile, since, cycle), tile=number, writing=turn)
        self.chip.set_condition(number, condition)

    def written(self, number: int, turn: int, cycle: int) -> Written:
        """Return what the ``turn``-th rewriting of a tile, after ``cycle`` cycles, leaves; turn 0: the first write."""
        tile = self.chip.tile(number)
        if turn == 0:
            state = tile.state
            return Written(state.switched_fraction, int(state.pulses.sum()), float(state.converged.mean()))
        key = (number, turn)
        if key not in self._writes:
            aged = self._aged(tile, cycle)
            generator = self.chip.streams.generator(Purpose.PROGRAMMING, number, turn)
            state = program(
                aged.population(), tile.state.target, tile.window.span, self.spec.chip.programming,
                self.spec.card.switching_noise.value, generator,
            )  # fmt: skip
            if len(self._writes) > len(self.chip.tiles):
                self._writes.clear()
            self._writes[key] = Written(state.switched_fraction, int(state.pulses.sum()), float(state.converged.mean()))
        return self._writes[key]

    def writing(self, cycle: int) -> dict[str, float]:
        """Return what erasing and writing all cells takes after ``cycle`` program/erase cycles."""
        chip = self.chip
        found = [self.written(number, cycle, cycle) for number in sorted(chip.tiles)]
        cells = len(found) * chip.spec.rows * chip.spec.columns
        pulses = cells + sum(item.pulses for item in found)  # a cell is erased by a pulse of its own
        energy = energy_of(Usage(pulses=pulses, programmed_cells=cells), chip.spec, chip.device, self.generator.at)
        return {
            "writing_energy": energy.total,
            "writing_pulses_per_cell": pulses / cells,
            "cells_converged": float(np.mean([item.converged for item in found])),
        }

    def _aged(self, tile: Tile, cycle: int) -> Tile:
        """Return a tile whose cells have the age that they are written at."""
        exposure = Exposure(program_erase_cycles=float(cycle) if self.spec.reading == "program-erase" else None)
        factors = self._evolution.conductance_factors(exposure)
        return replace(tile, condition=Condition(tile.state.switched_fraction, *factors))

    def errors(self, number: int) -> Array:
        """Return how far a tile's cells are from their target now [levels], shape ``(rows, columns)``."""
        tile = self.chip.tile(number)
        step = tile.window.span / (float(self.spec.card.programmable_levels.value) - 1.0)
        return np.abs(tile.conductance(tile.population()) - tile.state.target) / step
