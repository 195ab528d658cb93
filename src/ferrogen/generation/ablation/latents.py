"""A chip's latents with some of the sampler's imperfections switched off, from the same random numbers.

A reading is made of one standard normal: linked to those of other cycles, bent by the reading's law, digitised, shifted
and scaled by the calibration (:mod:`ferrogen.chip.reading_law`). Each of these steps can be left out. With all of them
left out the normals themselves remain: the ideal latents of the same images. What two ways differ in is thus seen image
by image.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.reader import StatisticalReader, statistical_reader
from ferrogen.circuit.amplifier import IdealAmplifier
from ferrogen.core.errors import SilentCellsError, argument_error
from ferrogen.mapping.budget import without_traps
from ferrogen.sampler.latents import Calibration, SamplerSpec

# As the sampler does: see ferrogen.sampler.latents.
_RANGING_READS = 256
_HEADROOM = 5.0


@dataclass(frozen=True, slots=True)
class SamplerSwitches:
    """Which of the sampler's imperfections there are.

    Attributes:
        telegraph: the cells' traps move.
        amplifier: amplifier and shot noise.
        shape: readings have the distribution that their traps give; else a normal one.
        links: readings remember earlier cycles, and share traps where they do; else every reading is drawn anew.
        converter: readings are clipped to a range found from 256 reads, and rounded.
        calibration: mean and deviation are estimated from a finite number of reads; else they are known.
    """

    telegraph: bool = True
    amplifier: bool = True
    shape: bool = True
    links: bool = True
    converter: bool = True
    calibration: bool = True


FULL_SAMPLER: Final = SamplerSwitches()
IDEAL_SAMPLER: Final = SamplerSwitches(shape=False, links=False, converter=False, calibration=False)


@dataclass(slots=True)
class SwitchedSampler:
    """Latents of one chip, imperfection by imperfection.

    Args:
        chip: with its sampling tiles programmed.
        point: operating point.
        latents: numbers an image needs.
        tiles: that are read.
        spec: how they are read.
    """

    chip: Chip
    point: OperatingPoint
    latents: int
    tiles: list[int]
    spec: SamplerSpec = field(default_factory=SamplerSpec)
    _readers: dict[tuple[bool, bool], list[StatisticalReader]] = field(init=False, default_factory=dict)

    def draw(
        self, switches: SamplerSwitches, first: int, count: int, calibration: Calibration | None = None
    ) -> NDArray[np.float32]:
        """Return the latents of consecutive images, ``(count, latents)``.

        Args:
            switches: what there is of the sampler's imperfections.
            first: number of the first image.
            count: how many.
            calibration: made earlier, kept in use; a new one is made if not given.

        Raises:
            ArgumentError: neither telegraph nor amplifier noise.
            SilentCellsError: a reading never changed.
        """
        readers = self._switched(switches)
        used = self.calibrate(switches) if calibration is None else calibration
        start = _RANGING_READS + self.spec.calibration_reads + first
        readings = self._read(readers, range(start, start + count), used.full_scale if switches.converter else None)
        return np.asarray((readings - used.mean) / used.deviation, dtype=np.float32)

    def calibrate(self, switches: SamplerSwitches) -> Calibration:
        """Return the calibration that belongs to some switches.

        Raises:
            ArgumentError: neither telegraph nor amplifier noise.
            SilentCellsError: a reading never changed.
        """
        readers = self._switched(switches)
        full_scale, last = 0.0, _RANGING_READS + self.spec.calibration_reads
        if switches.converter:
            first = self._read(readers, range(_RANGING_READS), None)
            wanted = float(np.max(np.abs(first.mean(axis=0)) + _HEADROOM * first.std(axis=0)))
            full_scale = max(wanted, self.spec.smallest_full_scale)
        if switches.calibration:
            reads = self._read(readers, range(_RANGING_READS, last), full_scale or None)
            mean, deviation = reads.mean(axis=0), reads.std(axis=0, ddof=1)
        else:
            mean = np.concatenate([reader.law.cumulants[0] for reader in readers])
            deviation = np.concatenate([reader.law.deviation for reader in readers])
        if not np.all(deviation > 0.0):
            raise SilentCellsError(
                f"{int(np.sum(deviation <= 0.0))} of {self.latents} readings never change at"
                f" {self.point.sample_voltage} V. Raise the sample voltage, or read more cells a latent."
            )
        return Calibration(full_scale, mean, deviation, self.spec.calibration_reads, 0)

    def _read(self, readers: list[StatisticalReader], cycles: range, full_scale: float | None) -> NDArray[np.float64]:
        return np.concatenate([self.chip.read(reader, cycles, full_scale).current for reader in readers], axis=1)

    def _switched(self, switches: SamplerSwitches) -> list[StatisticalReader]:
        if not (switches.telegraph or switches.amplifier):
            raise argument_error("switches", "leave telegraph or amplifier noise", "neither")
        key = switches.telegraph, switches.amplifier
        if key not in self._readers:
            self._readers[key] = self._prepare(*key)
        readers = []
        for reader in self._readers[key]:
            law = reader.law if switches.shape else reader.law.normal()
            readers.append(replace(reader, law=law if switches.links else law.unlinked()))
        return readers

    def _prepare(self, telegraph: bool, amplifier: bool) -> list[StatisticalReader]:  # noqa: FBT001 (a key's parts)
        left, readers = self.latents, []
        on_a_tile = self.chip.spec.logical_pairs // self.spec.pairs_per_latent
        for number in self.tiles:
            take = min(on_a_tile, left)
            if take <= 0:
                break
            tile = self.chip.tile(number)
            periphery = tile.spec.periphery
            if not amplifier:
                periphery = replace(periphery, sample_amplifier=IdealAmplifier())
            seen = replace(
                tile,
                card=tile.card if telegraph else without_traps(tile.card),
                spec=replace(tile.spec, periphery=periphery),
                known=None,
            )
            readers.append(
                statistical_reader(
                    seen,
                    self.point,
                    readings=take,
                    pairs_per_reading=self.spec.pairs_per_latent,
                    resolved_share=self.spec.resolved_share,
                )
            )
            left -= take
        return readers
