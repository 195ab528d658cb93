"""A chip's sampler as the source of every random number of a mapped module.

A module may draw several times in a forward, and more numbers for an image than the sampler has readings: a diffusion
model draws a whole picture of noise in every step. Then an image takes several cycles of the chip. With draws of n_0,
n_1, ... numbers and R readings a cycle, draw c takes ceil(n_c / R) cycles of its own, one after the other, and image k
begins in cycle k times the sum of these. The numbers of an image therefore depend on its number and the draw only.

What this costs is time: a cycle lasts two windows and the rest, 3 ms at the default point. One picture of 3 x 32 x 32
numbers takes 96 cycles with the 32 readings of one tile (0.3 s), and a diffusion of 50 steps 50 times as long. Eight
tiles of 64 pairs of bit lines, read one pair a number, have 512 readings and take 6 cycles for the same picture.

A loop that draws outside of any module, as samplers of diffusion models do, runs in
``ServedRandomness(source, images)`` (:mod:`ferrogen.mapping.convert.latents`); its draws are then numbered through.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np
import torch
from numpy.typing import NDArray

from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.reader import ReadingFidelity
from ferrogen.chip.repair import Repair
from ferrogen.core.errors import CapacityError, argument_error, is_whole
from ferrogen.core.philox import addressed_normals
from ferrogen.mapping.convert.latents import ServedRandomness
from ferrogen.sampler.latents import MOST_IMAGES, LatentSampler, SamplerSpec

_MOST_NUMBERS = 2**31


@dataclass(slots=True)
class ChipLatentSource:
    """Serves a module's random numbers from a chip; hand it to :func:`ferrogen.map_to_chip` as ``latent_source``.

    Args:
        sampler: calibrated, on tiles of its own (:func:`dedicated_source`) or on such as hold weights.
        draws: how many numbers of each image the module's draws ask for, in order (:func:`count_draws` finds out).

    Raises:
        ArgumentError: no draws, or one of no numbers.
    """

    sampler: LatentSampler
    draws: Sequence[int]
    _first: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.draws = tuple(self.draws)
        if not self.draws or not all(is_whole(count, 1, _MOST_NUMBERS) for count in self.draws):
            raise argument_error("draws", "hold how many numbers each draw needs, at least one draw of one", self.draws)
        self._first = [0, *accumulate(self._cycles(count) for count in self.draws)]

    def _cycles(self, count: int) -> int:
        return math.ceil(count / self.sampler.latents)

    @property
    def cycles_per_image(self) -> int:
        """Cycles of the chip in which an image's numbers are read."""
        return self._first[-1]

    @property
    def time_per_image(self) -> float:
        """How long an image's numbers take on the chip [s]."""
        point = self.sampler.point
        return self.cycles_per_image * (2.0 * point.sampling_time + point.reset)

    def normals(self, images: NDArray[np.int64], call: int, count: int) -> NDArray[np.float32]:
        """Return the chip's numbers, float32 ``(images, count)``, calibrated to mean 0 and deviation 1.

        Args:
            images: image numbers, shape ``(images,)``, in any order.
            call: which draw of the image it is, from 0.
            count: how many numbers each image needs.

        Raises:
            ArgumentError: a draw that was not announced, or an image number beyond the addresses.
        """
        if not is_whole(call, 0, len(self.draws) - 1) or count != self.draws[call]:
            asked = f"asked in draw {call} for {count}"
            raise argument_error(
                "draws",
                "say how many numbers of an image each draw needs",
                f"{_shown(self.draws)} and the module {asked}",
                "Count them with count_draws.",
            )
        numbers = np.asarray(images, dtype=np.int64)
        if numbers.size and not 0 <= int(numbers.min()) <= int(numbers.max()) < MOST_IMAGES // self.cycles_per_image:
            most = MOST_IMAGES // self.cycles_per_image - 1
            raise argument_error("images", f"be numbers from 0 to {most}", f"{numbers.min()} to {numbers.max()}")
        cycles = self._first[call + 1] - self._first[call]
        starts = numbers * self.cycles_per_image + self._first[call]
        out = np.empty((numbers.shape[0], cycles * self.sampler.latents), dtype=np.float32)
        # Images whose cycles adjoin are read together.
        breaks = np.flatnonzero(np.diff(starts) != cycles) + 1
        for first, stop in zip([0, *breaks], [*breaks, numbers.shape[0]], strict=True):
            if stop > first:
                read = self.sampler.draw(int(starts[first]), int(stop - first) * cycles)
                out[first:stop] = read.reshape(int(stop - first), -1)
        return np.ascontiguousarray(out[:, :count])


def _shown(draws: Sequence[int]) -> str:
    shown = ", ".join(str(count) for count in draws[:4])
    return f"({shown}{', ...' if len(draws) > 4 else ''})"


@dataclass(slots=True)
class _Counter:
    """A source that only keeps account; its numbers are pseudo-random."""

    counts: list[int] = field(default_factory=list)

    def normals(self, images: NDArray[np.int64], call: int, count: int) -> NDArray[np.float32]:
        self.counts.append(count)
        return addressed_normals(np.uint64(call), images, count)


def count_draws(module: torch.nn.Module, *inputs: torch.Tensor) -> tuple[int, ...]:
    """Return how many random numbers of an image each draw of a module's forward asks for.

    The module is run once, without gradients.

    Args:
        module: as it will be used; a generator that draws its own latents will be given a batch size somehow.
        inputs: of the forward, tensors whose first dimension is the batch; the first tells its size, and without any
            the batch is one image.

    Raises:
        ArgumentError: a draw of a kind that no source can serve, or whose first dimension is not the batch.
    """
    counter, batch = _Counter(), inputs[0].shape[0] if inputs else 1
    with torch.no_grad(), ServedRandomness(counter, np.arange(batch, dtype=np.int64)):
        module(*inputs)
    return tuple(counter.counts)


def dedicated_source(
    chip: Chip,
    draws: Sequence[int],
    point: OperatingPoint | None = None,
    *,
    readings: int | None = None,
    spec: SamplerSpec | None = None,
    fidelity: ReadingFidelity = "statistical",
    repair: Repair | None = None,
) -> ChipLatentSource:
    """Program tiles of their own for noise, all cells set, calibrate them, and make a source of them.

    Args:
        chip: with enough free tiles.
        draws: how many numbers of each image the module's draws ask for.
        point: operating point; the card's default, if not given.
        readings: how many numbers a cycle gives; as many as the largest draw needs, but at most what a tile has, if not
            given. More readings take more tiles and less time.
        spec: how they are read.
        fidelity: of the readings.
        repair: finds the tiles' faults and programs around them; None: faults are left as they are.

    Raises:
        CapacityError: not enough tiles.
        SilentCellsError: a reading never changed during calibration.
    """
    how = spec or SamplerSpec()
    at = OperatingPoint.for_card(chip.device) if point is None else point
    wanted = min(max(draws, default=1), readings_per_tile(chip, how)) if readings is None else readings
    if not is_whole(wanted, 1):
        raise argument_error("readings", "be a whole number, at least 1", repr(wanted))
    tiles = noise_tiles(chip, wanted, how, repair)
    return ChipLatentSource(LatentSampler(chip, at, int(wanted), how, tiles, fidelity=fidelity), draws)


def readings_per_tile(chip: Chip, spec: SamplerSpec) -> int:
    """Return how many latents a tile gives in a cycle.

    Raises:
        CapacityError: not one.
    """
    count = chip.spec.logical_pairs // spec.pairs_per_latent
    if count < 1:
        raise CapacityError(
            f"A latent needs {spec.pairs_per_latent} pairs of bit lines, but a tile has {chip.spec.logical_pairs}."
            " Use wider tiles, or fewer pairs a latent."
        )
    return count


def noise_tiles(chip: Chip, readings: int, spec: SamplerSpec, repair: Repair | None) -> list[int]:
    """Reserve and program tiles that do nothing but make noise, all cells set; return their numbers.

    Args:
        chip: with enough free tiles.
        readings: numbers they give in a cycle.
        spec: how they are read.
        repair: finds the tiles' faults and programs around them; None: faults are left as they are.

    Raises:
        CapacityError: not enough tiles.
    """
    numbers = chip.reserve(math.ceil(readings / readings_per_tile(chip, spec)))
    high, size = chip.window.high, chip.spec
    for number in numbers:
        if repair is None:
            chip.program(number, np.full((size.rows, size.columns), high), samples=True)
        else:
            full = np.full((size.logical_rows, 2 * size.logical_pairs), high)
            repair.program(chip, number, full, samples=True)
    return numbers
