"""A generative model on a chip: latents from its noise, pixels from its products."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.repair import Repair
from ferrogen.core.errors import argument_error
from ferrogen.core.philox import addressed_normals
from ferrogen.core.streams import Purpose
from ferrogen.generation.convolutional.model import ConvVAE
from ferrogen.generation.decoder import AnyChipDecoder, map_convolutions, map_decoder
from ferrogen.generation.latent_source import noise_tiles, readings_per_tile
from ferrogen.generation.model_file import AnyVAE, load_vae
from ferrogen.generation.pictures import as_pictures, picture_shape
from ferrogen.mapping.layer import Fidelity
from ferrogen.sampler.latents import MOST_IMAGES, Calibration, LatentSampler, SamplerSpec

# Products of integers are the same whatever the batch: images are made in batches of at most this many.
_BATCH = 1024
_BATCH_VALUES = 1024 * 784
# Other products are float sums. They are always computed in aligned blocks of this size, so that they, and with them
# the codes of the converters, do not depend on how many images were asked for.
_BLOCK = 64

Progress = Callable[[int], None]
"""Called with the number of images done since the last call."""

Sampling = Literal["shared", "dedicated"]
"""Which cells make the noise: those of the largest layer's weights, or tiles of their own, all set, without weights."""


@dataclass(slots=True)
class ChipGenerator:
    """A VAE's prior and decoder on one chip at one operating point.

    Image k is the same however it is asked for: its latents and noise are addressed by k.

    Args:
        model: a VAE, ``"mnist"``, ``"faces"``, or the path of a weight file.
        chip: with enough free tiles.
        point: operating point; the card's default, if not given.
        sampler_spec: how latents are read.
        fidelity: of latents and products: ``statistical`` (drawn from what the traps give together), or ``cell``
            (every trap followed; slow).
        sampling: which cells make the noise.
        calibration: of the latents, made earlier on the same cells; a new one is made if not given.
        repair: finds the tiles' faults and programs around them; None: faults are left as they are.

    Raises:
        CapacityError: the chip has too few tiles.
        ValidityError: the point lies outside the card's validity.
        DataFileError: the weight file cannot be used.
    """

    model: AnyVAE | str | Path
    chip: Chip
    point: OperatingPoint | None = None
    sampler_spec: SamplerSpec = field(default_factory=SamplerSpec)
    fidelity: Fidelity = "statistical"
    sampling: Sampling = "shared"
    calibration: Calibration | None = None
    repair: Repair | None = None
    vae: AnyVAE = field(init=False)
    at: OperatingPoint = field(init=False)
    decoder: AnyChipDecoder = field(init=False)
    sampler: LatentSampler = field(init=False)
    sampling_tiles: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.vae = load_vae(self.model) if isinstance(self.model, str | Path) else self.model
        self.at = OperatingPoint.for_card(self.chip.device) if self.point is None else self.point
        self.at.check(self.chip.device)
        tiles = math.ceil(self.latents / readings_per_tile(self.chip, self.sampler_spec))
        if self.sampling not in ("shared", "dedicated"):
            raise argument_error("sampling", "be 'shared' or 'dedicated'", repr(self.sampling))
        shared = self.sampling == "shared"
        sampling, repair = tiles if shared else 0, self.repair
        if isinstance(self.vae, ConvVAE):
            self.decoder = map_convolutions(
                self.vae.decoder, self.chip, self.at, sampling_tiles=sampling, repair=repair
            )
        else:
            self.decoder = map_decoder(self.vae.decoder, self.chip, self.at, sampling_tiles=sampling, repair=repair)
        if shared:
            self.sampling_tiles = [number for number in self.decoder.tiles if self.chip.tile(number).samples]
        else:
            self.sampling_tiles = noise_tiles(self.chip, self.latents, self.sampler_spec, self.repair)
        self.sampler = self._sampler(self.calibration)

    def _sampler(self, calibration: Calibration | None) -> LatentSampler:
        return LatentSampler(
            self.chip, self.at, self.latents, self.sampler_spec, self.sampling_tiles, calibration, self.fidelity
        )

    @property
    def latents(self) -> int:
        """Numbers an image needs."""
        return self.vae.spec.latent

    def move(
        self, point: OperatingPoint, calibration: Calibration | None = None, *, keep_converters: bool = False
    ) -> None:
        """Go to another operating point with the same programmed cells; the decoder's converters are calibrated anew.

        Args:
            point: where to go.
            calibration: of the latents, kept in use; a new one is made if not given.
            keep_converters: leave the ranges of the decoder's converters as they are.

        Raises:
            ValidityError: the point lies outside the card's validity.
            SilentCellsError: a new calibration found a reading that never changed.
        """
        point.check(self.chip.device)
        self.at = point
        if keep_converters:
            self.decoder.point = point
        else:
            self.decoder.move(point)
        self.sampler = self._sampler(calibration)

    def calibrate_latents(self) -> None:
        """Calibrate the latents at the present point.

        Raises:
            SilentCellsError: a reading never changed.
        """
        self.sampler = self._sampler(None)

    def draw_latents(self, first: int, count: int) -> NDArray[np.float32]:
        """Return the chip's latents of consecutive images, float32 ``(count, latents)``."""
        return self.sampler.draw(first, count).astype(np.float32)

    def ideal_latents(self, first: int, count: int) -> NDArray[np.float32]:
        """Return pseudo-random standard normals for the same images, float32 ``(count, latents)``."""
        key = self.chip.streams.key(Purpose.IDEAL_LATENT)
        return addressed_normals(key, np.arange(first, first + count, dtype=np.int64), self.latents)

    def images(self, first: int, count: int, progress: Progress | None = None) -> NDArray[np.float32]:
        """Generate images ``first`` to ``first + count - 1`` on the chip.

        Returns:
            float32 ``(count, height, width)``, or ``(count, height, width, 3)`` of a colour model, in [0, 1].

        Raises:
            ArgumentError: a negative number, or a count below one.
        """
        return self.images_and_latents(first, count, progress)[0]

    def images_and_latents(
        self, first: int, count: int, progress: Progress | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return :meth:`images` and the latents they were made of, ``(count, latents)``."""
        if count < 1:
            raise argument_error("count", "be at least 1", count)
        if not 0 <= first <= MOST_IMAGES - count - _BLOCK:
            raise argument_error("first", f"be an image number that is not negative and below {MOST_IMAGES}", first)
        block, align = (self._batch, 1) if self._alike else (_BLOCK, _BLOCK)
        start, stop = first // align * align, -(-(first + count) // align) * align
        pixels, latents = [], []
        for begin in range(start, stop, block):
            end = min(begin + block, stop)
            latents.append(self.draw_latents(begin, end - begin))
            pixels.append(self._made(latents[-1], np.arange(begin, end, dtype=np.int64)))
            if progress is not None:
                progress(max(0, min(end, first + count) - max(begin, first)))
        wanted = slice(first - start, first - start + count)
        return _joined(pixels)[wanted], _joined(latents)[wanted]

    def decode(
        self, latents: NDArray[np.float32], numbers: NDArray[np.int64], progress: Progress | None = None
    ) -> NDArray[np.float32]:
        """Decode given latents ``(n, latents)`` on the chip, as the images of the given numbers ``(n,)``.

        Returns:
            pictures as :meth:`images`.

        Raises:
            ArgumentError: latents of another shape, or not as many numbers.
        """
        if latents.ndim != 2 or latents.shape[1] != self.latents or not len(latents):
            raise argument_error("latents", f"have the shape (n, {self.latents})", f"of shape {latents.shape}")
        if numbers.shape != (len(latents),):
            raise argument_error("numbers", f"be {len(latents)}, one an image", f"of shape {numbers.shape}")
        if not (0 <= int(numbers.min()) <= int(numbers.max()) < MOST_IMAGES - _BLOCK):
            found = f"{numbers.min()} to {numbers.max()}"
            raise argument_error("numbers", f"be image numbers that are not negative and below {MOST_IMAGES}", found)
        latents, numbers = (np.ascontiguousarray(part, kind) for part, kind in ((latents, "f4"), (numbers, "i8")))
        if not self._alike:
            return self._in_their_places(latents, numbers, progress)
        made = []
        for begin in range(0, len(latents), self._batch):
            some = slice(begin, begin + self._batch)
            made.append(self._made(latents[some], numbers[some]))
            if progress is not None:
                progress(len(made[-1]))
        return _joined(made)

    def _in_their_places(
        self, latents: NDArray[np.float32], numbers: NDArray[np.int64], progress: Progress | None
    ) -> NDArray[np.float32]:
        """Decode every image in its place of its aligned block; what else the block holds does not matter to it."""
        together: dict[tuple[int, int], list[int]] = {}
        seen: dict[int, int] = {}
        for position, number in enumerate(numbers.tolist()):
            seen[number] = seen.get(number, -1) + 1  # the same number again needs another block
            together.setdefault((number // _BLOCK, seen[number]), []).append(position)
        pictures = np.empty((len(latents), *picture_shape(self.vae.spec)), dtype=np.float32)
        for (block, _), positions in together.items():
            filled = np.zeros((_BLOCK, self.latents), dtype=np.float32)
            places = numbers[positions] - block * _BLOCK
            filled[places] = latents[positions]
            pictures[positions] = self._made(filled, block * _BLOCK + np.arange(_BLOCK, dtype=np.int64))[places]
            if progress is not None:
                progress(len(positions))
        return pictures

    @property
    def _alike(self) -> bool:
        """Whether an image has the same bits in any batch."""
        return self.fidelity == "statistical" and self.decoder.is_batch_invariant

    def _made(self, latents: NDArray[np.float32], numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the chip's pictures of latents."""
        with torch.inference_mode():
            output = self.decoder(
                torch.from_numpy(latents), numbers, self.fidelity, first_cycle=self.sampler.first_cycle
            )
            return as_pictures(output, self.vae.spec)

    @property
    def _batch(self) -> int:
        """Images decoded at a time: as many pixel values as 1024 digits have."""
        return max(1, min(_BATCH, _BATCH_VALUES // math.prod(picture_shape(self.vae.spec))))

    def decode_ideally(self, latents: NDArray[np.float32]) -> NDArray[np.float32]:
        """Decode latents ``(n, latents)`` with the float32 decoder, to pictures as :meth:`images`."""
        with torch.inference_mode():
            return _joined([
                as_pictures(self.vae.decoder(torch.from_numpy(latents[begin : begin + self._batch])), self.vae.spec)
                for begin in range(0, len(latents), self._batch)
            ])  # fmt: skip


def _joined(parts: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
