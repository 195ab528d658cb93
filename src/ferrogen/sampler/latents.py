"""Latents from column sums: double sampling, differential pairs, calibration of every reading.

A raw column is a bad Gaussian source: traps slower than a window make neighbouring windows nearly equal, and a few
large traps dominate. Three levers make it a good one, each with its price:

* two adjacent windows are subtracted (correlated double sampling), which removes every trap slower than both; price:
  two windows a latent and half of the fast traps' signal-to-noise;
* neighbouring bit lines are subtracted (the differential pairs of the multiply mode), which removes the skewed
  transient that all traps share when the voltage rises; price: twice the cells;
* ``cells_per_latent`` cells share one reading: more traps, a more normal sum; price: area.

Between latents the cells rest at the low voltage, where traps empty: this erases the memory from one latent to the
next.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.reader import Reader, ReadingFidelity
from ferrogen.circuit.converters import IdealADC
from ferrogen.core.errors import CapacityError, SilentCellsError, argument_error

# Full scale over the standard deviation of the first calibration reads: one reading in a million clips.
_HEADROOM = 5.0
_RANGING_READS = 256
_LEAST_READS = 16

MOST_IMAGES = 2**40
"""Images are numbered below this, so that their cycles never meet the sampler's other addresses."""


@dataclass(frozen=True, slots=True)
class SamplerSpec:
    """How latents are read.

    Attributes:
        pairs_per_latent: neighbouring differential pairs whose currents add to one reading.
        calibration_reads: readings from which every latent's mean and standard deviation are estimated.
        smallest_full_scale: the amplifier's highest gain [A]: below it, noise no longer fills the converter's range.
        resolved_share: share of the variance carried by traps that are followed one by one, or enter with their own
            law; the rest enters with its exact mean and variance as a Gaussian (:mod:`ferrogen.chip.reader`).
    """

    pairs_per_latent: int = 2
    calibration_reads: int = 8192
    smallest_full_scale: float = 1e-10
    resolved_share: float = 0.99

    def __post_init__(self) -> None:
        if self.pairs_per_latent < 1:
            raise argument_error("pairs_per_latent", "be at least 1", self.pairs_per_latent)
        if self.calibration_reads < 2 * _RANGING_READS:
            raise argument_error("calibration_reads", f"be at least {2 * _RANGING_READS}", self.calibration_reads)
        if not 0.0 < self.resolved_share <= 1.0:
            raise argument_error("resolved_share", "lie in (0, 1]", self.resolved_share)
        if not (math.isfinite(self.smallest_full_scale) and self.smallest_full_scale > 0.0):
            raise argument_error("smallest_full_scale", "be a positive current in A", f"{self.smallest_full_scale} A")


@dataclass(frozen=True, slots=True)
class Calibration:
    """What calibration found.

    Attributes:
        full_scale: chosen for integrator and converter [A].
        mean: of every latent's readings [A], shape ``(latents,)``.
        deviation: standard deviation of every latent's readings [A], same shape.
        reads: from how many readings.
        clipped: how many of them clipped.
    """

    full_scale: float
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    reads: int
    clipped: int


@dataclass(slots=True)
class LatentSampler:
    """Draws latents from a chip.

    Image k is read in cycle ``calibration_reads + k``: its latents do not depend on how many images are asked for, in
    what batches or order.

    Args:
        chip: with its sampling tiles programmed (``Tile.samples``).
        point: operating point.
        latents: how many numbers an image needs.
        spec: how they are read.
        tiles: numbers of the tiles that are read; all sampling tiles of the chip, if not given.
        calibration: of an earlier sampler on the same cells, kept in use; a new one is made if not given.
        fidelity: ``statistical`` (readings drawn from their exact law, :mod:`ferrogen.chip.reading_law`), or ``cell``
            (traps followed one by one, :mod:`ferrogen.chip.reader`; hundreds of times slower). The numbers differ,
            their statistics do not.

    Raises:
        ArgumentError: no latents, or an unknown fidelity.
        CapacityError: the sampling tiles have too few pairs of bit lines.
        ValidityError: the point lies outside the card's validity.
        SilentCellsError: a reading never changed during calibration.
    """

    chip: Chip
    point: OperatingPoint
    latents: int
    spec: SamplerSpec = field(default_factory=SamplerSpec)
    tiles: list[int] | None = None
    calibration: Calibration | None = None
    fidelity: ReadingFidelity = "statistical"
    clipped: int = 0
    in_use: Calibration = field(init=False)
    _readers: list[Reader] = field(init=False)

    def __post_init__(self) -> None:
        if self.latents < 1:
            raise argument_error("latents", "be at least 1", self.latents)
        self.point.check(self.chip.device)
        self._readers = self._allocate()
        self.in_use = self._calibrate() if self.calibration is None else self.calibration

    @property
    def cells_per_latent(self) -> int:
        """Cells whose noise adds to one latent."""
        return 2 * self.spec.pairs_per_latent * self.chip.spec.rows

    @property
    def first_cycle(self) -> int:
        """The chip's cycle in which image 0 is read; before it come ranging and calibration."""
        return _RANGING_READS + self.spec.calibration_reads

    def _allocate(self) -> list[Reader]:
        """Prepare readers on as many sampling tiles as are needed."""
        on_a_tile = self.chip.spec.logical_pairs // self.spec.pairs_per_latent
        readers: list[Reader] = []
        left = self.latents
        numbers = sorted(self.chip.tiles) if self.tiles is None else self.tiles
        sampling = [number for number in numbers if self.chip.tile(number).samples]
        for number in sampling:
            if left > 0 and on_a_tile > 0:
                take = min(on_a_tile, left)
                readers.append(
                    self.chip.reader(
                        self.point,
                        tile=number,
                        readings=take,
                        pairs_per_reading=self.spec.pairs_per_latent,
                        resolved_share=self.spec.resolved_share,
                        fidelity=self.fidelity,
                    )
                )
                left -= take
        if left > 0:
            raise CapacityError(
                f"{self.latents} latents of {self.spec.pairs_per_latent} pairs need"
                f" {self.latents * self.spec.pairs_per_latent} pairs of bit lines on sampling tiles, but there are"
                f" {len(sampling) * self.chip.spec.logical_pairs}."
                " Mark more tiles for sampling, or use fewer pairs a latent."
            )
        return readers

    def _read(self, cycles: range, full_scale: float | None) -> NDArray[np.float64]:
        parts = []
        for reader in self._readers:
            samples = self.chip.read(reader, cycles, full_scale)
            self.clipped += samples.clipped
            parts.append(samples.current)
        return np.concatenate(parts, axis=1)

    def _calibrate(self) -> Calibration:
        # The range is set for the spread and the offset seen in the first reads, like a programmable-gain amplifier.
        first = self._read(range(_RANGING_READS), None)
        wanted = float(np.max(np.abs(first.mean(axis=0)) + _HEADROOM * first.std(axis=0)))
        full_scale = max(wanted, self.spec.smallest_full_scale)
        reads = self._read(range(_RANGING_READS, self.first_cycle), full_scale)
        clipped, self.clipped = self.clipped, 0
        deviation = reads.std(axis=0, ddof=1)
        if not np.all(deviation > 0.0):
            silent = int(np.sum(deviation <= 0.0))
            raise SilentCellsError(
                "Argument `sample_voltage` must make the cells noisy enough to sample, but at"
                f" {self.point.sample_voltage} V {silent} of {self.latents} readings never changed"
                f" in {self.spec.calibration_reads} reads. Raise the voltage, or read more cells a latent."
            )
        return Calibration(full_scale, reads.mean(axis=0), deviation, self.spec.calibration_reads, clipped)

    def estimate(self, first: int, count: int) -> Calibration:
        """Estimate a calibration from the readings of images in use, as a chip does in the background.

        It costs no windows: the readings are those of images ``first`` to ``first + count - 1``. The full scale of now
        digitises them; the one returned suits what was found.

        Raises:
            ArgumentError: a negative image number, or fewer than 16 readings.
            SilentCellsError: a reading never changed.
        """
        if first < 0 or first + count > MOST_IMAGES:
            raise argument_error("first", f"and first + count be image numbers from 0 to {MOST_IMAGES}", first)
        if count < _LEAST_READS:
            raise argument_error("count", f"be at least {_LEAST_READS} readings", count)
        start, before = self.first_cycle + first, self.clipped
        reads = self._read(range(start, start + count), self.in_use.full_scale)
        mean, deviation = reads.mean(axis=0), reads.std(axis=0, ddof=1)
        if not np.all(deviation > 0.0):
            raise SilentCellsError(
                f"{int(np.sum(deviation <= 0.0))} of {self.latents} readings never changed in {count} reads:"
                " there is nothing to calibrate. Raise the sample voltage, or read more cells a latent."
            )
        wanted = float(np.max(np.abs(mean) + _HEADROOM * deviation))
        return Calibration(max(wanted, self.spec.smallest_full_scale), mean, deviation, count, self.clipped - before)

    def draw(self, first: int, count: int) -> NDArray[np.float64]:
        """Return the latents of images ``first`` to ``first + count - 1``, shape ``(count, latents)``.

        Raises:
            ArgumentError: a negative image number or count.
        """
        if first < 0 or count < 0 or first + count > MOST_IMAGES:
            raise argument_error(
                "first", f"and first + count be image numbers from 0 to {MOST_IMAGES}", f"{first} with count {count}"
            )
        start = self.first_cycle + first
        readings = self._read(range(start, start + count), self.in_use.full_scale)
        return (readings - self.in_use.mean) / self.in_use.deviation

    @property
    def resolved_traps(self) -> int:
        """How many traps are followed one by one, or enter with their own law."""
        return sum(reader.resolved_traps for reader in self._readers)

    def relative_noise(self) -> float:
        """Return the rms of a reading over the standing current of its cells: the randomness of a read."""
        standing = np.concatenate([reader.standing_current for reader in self._readers])
        return float(np.sqrt(np.mean((self.in_use.deviation / standing) ** 2)))

    def telegraph_share(self) -> float:
        """Return the share of the readings' variance that is telegraph noise; the rest is amplifier and converter."""
        electronic = np.concatenate([reader.electronic_noise for reader in self._readers])
        adc = self.chip.spec.periphery.sample_adc
        step = 0.0 if isinstance(adc, IdealADC) else 2.0 * self.in_use.full_scale / (2**adc.bits - 2)
        other = float(np.mean(electronic**2)) + step**2 / 12.0
        return max(0.0, 1.0 - other / float(np.mean(self.in_use.deviation**2)))
