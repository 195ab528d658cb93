"""A decoder on a chip: of linear layers, or any module that :func:`ferrogen.map_to_chip` can map.

Both kinds answer alike: ``decoder(latents, numbers)`` makes the images of these numbers, the same bits whatever the
batch. Linear layers have tiles each of their own; a convolutional decoder's matrices share tiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.repair import Repair
from ferrogen.chip.spec import ChipSpec
from ferrogen.core.streams import Purpose
from ferrogen.mapping.layer import AnalogLinear, Fidelity, map_linear

if TYPE_CHECKING:
    from ferrogen.generation.convolutional.model import ConvDecoder
    from ferrogen.generation.model import Decoder
    from ferrogen.mapping.convert.mapped import MappedModule

CONVOLUTIONAL_TILE = (512, 256)
"""Word and bit lines of a tile for convolutions: all rows of a transposed 4 x 4 convolution of 128 channels.

Measured in ``benchmarks/convolutional_decoder.py`` and ``benchmarks/generate.py --model faces``: products cost least on
it, and deviate as little as on smaller tiles.
"""

CALIBRATION_LATENTS = 1024
CALIBRATION_PICTURES = 64
"""Latents by which convolutions are calibrated: every one gives hundreds of positions."""


@dataclass(frozen=True, slots=True)
class DecoderCounts:
    """What a decoder does on the chip for one image.

    Attributes:
        products: vectors that a matrix is multiplied with.
        multiply_accumulates: of the layers, as torch counts them.
        conversions: of column currents.
    """

    products: int
    multiply_accumulates: int
    conversions: int


@dataclass(slots=True)
class ChipDecoder:
    """A decoder whose products run on tiles; bias, ReLU and the last sigmoid are digital.

    Made by :func:`map_decoder`.
    """

    layers: list[AnalogLinear]
    point: OperatingPoint

    @property
    def tiles(self) -> list[int]:
        """Numbers of the tiles that hold the weights, layer by layer."""
        return [number for layer in self.layers for row in layer.grid for number in row]

    @property
    def is_batch_invariant(self) -> bool:
        """Whether a ``statistical`` image has the same bits in any batch: all products are sums of integers."""
        return all(layer.prepared(self.point) is not None for layer in self.layers)

    @property
    def counts(self) -> DecoderCounts:
        """What an image takes."""
        return DecoderCounts(
            products=len(self.layers),
            multiply_accumulates=sum(layer.inputs * layer.outputs for layer in self.layers),
            conversions=sum(len(layer.grid) * layer.outputs for layer in self.layers),
        )

    def __call__(
        self,
        latents: torch.Tensor,
        images: NDArray[np.int64],
        fidelity: Fidelity = "statistical",
        *,
        first_cycle: int = 0,
    ) -> torch.Tensor:
        """Decode latents ``(n, latent)`` of the given image numbers to pixels ``(n, 784)`` in [0, 1].

        ``first_cycle`` is the chip's cycle in which image 0 is made.
        """
        *inner, last = self.layers
        for layer in inner:
            latents = torch.relu_(layer(latents, self.point, images, fidelity, first_cycle=first_cycle))
        return torch.sigmoid_(last(latents, self.point, images, fidelity, first_cycle=first_cycle))

    def move(self, point: OperatingPoint) -> None:
        """Go to an operating point: set every layer's input and converter ranges there, from normal latents."""
        self.point = point
        latents = calibration_latents(self.layers[0].chip, self.layers[0].inputs, CALIBRATION_LATENTS)
        *inner, last = self.layers
        for layer in inner:
            latents = torch.relu_(layer.calibrate(latents, self.point))
        last.calibrate(latents, self.point)


@dataclass(slots=True)
class MappedDecoder:
    """A convolutional decoder whose products run on tiles.

    Made by :func:`map_convolutions`.
    """

    module: MappedModule
    latent: int
    point: OperatingPoint

    @property
    def layers(self) -> list[AnalogLinear]:
        """All matrices on tiles, layer by layer and phase by phase."""
        return [linear for layer in self.module.analog_layers().values() for linear in layer.master.linears]

    @property
    def tiles(self) -> list[int]:
        """Numbers of the tiles that hold the weights, each once."""
        return list(dict.fromkeys(number for layer in self.layers for row in layer.grid for number in row))

    @property
    def is_batch_invariant(self) -> bool:
        """Whether a ``statistical`` image has the same bits in any batch: all products are sums of integers."""
        return all(layer.prepared(self.point) is not None for layer in self.layers)

    @property
    def counts(self) -> DecoderCounts:
        """What an image takes."""
        layers = self.module.report().layers
        matrices = self.module.analog_layers()
        # All phases of a transposed convolution have equally many positions.
        each = [round(layer.products_per_image) // layer.matrices for layer in layers]
        conversions = [
            sum(len(linear.grid) * linear.conversions for linear in matrices[layer.name].master.linears)
            for layer in layers
        ]
        return DecoderCounts(
            products=round(sum(layer.products_per_image for layer in layers)),
            multiply_accumulates=round(sum(layer.macs_per_image for layer in layers)),
            conversions=sum(a * b for a, b in zip(each, conversions, strict=True)),
        )

    def __call__(
        self,
        latents: torch.Tensor,
        images: NDArray[np.int64],
        fidelity: Fidelity = "statistical",
        *,
        first_cycle: int = 0,
    ) -> torch.Tensor:
        """Decode latents ``(n, latent)`` of the given image numbers to ``(n, channels, side, side)`` in [0, 1].

        ``first_cycle`` is the chip's cycle in which image 0 is made.
        """
        for layer in self.module.analog_layers().values():
            layer.follow(fidelity, first_cycle)
        with self.module.clock.forward_at(torch.from_numpy(np.ascontiguousarray(images, dtype=np.int64))):
            pictures: torch.Tensor = self.module(latents)
        return pictures

    def move(self, point: OperatingPoint) -> None:
        """Go to an operating point: set every layer's input and converter ranges there, from normal latents."""
        self.point = point
        with torch.no_grad():
            latents = calibration_latents(self.module.chip, self.latent, CALIBRATION_PICTURES)
            self.module.move(point, latents)


def chip_spec_for(model: nn.Module) -> ChipSpec:
    """Return the chip that a model gets if none is given: tiles of 128 x 128, or 512 x 256 for convolutions."""
    from ferrogen.generation.convolutional.model import ConvVAE

    if not isinstance(model, ConvVAE):
        return ChipSpec()
    rows, columns = CONVOLUTIONAL_TILE
    return ChipSpec(rows=rows, columns=columns)


AnyChipDecoder: TypeAlias = ChipDecoder | MappedDecoder
"""Called with latents and image numbers; knows its ``layers``, ``tiles``, ``counts`` and how to ``move``."""


def calibration_latents(chip: Chip, latent: int, count: int) -> torch.Tensor:
    """Draw the normal latents ``(count, latent)`` by which a chip's ranges are set."""
    generator = chip.streams.generator(Purpose.CALIBRATION)
    return torch.from_numpy(generator.standard_normal((count, latent), dtype=np.float32))


def map_convolutions(
    decoder: ConvDecoder, chip: Chip, point: OperatingPoint, *, sampling_tiles: int, repair: Repair | None = None
) -> MappedDecoder:
    """Program a convolutional decoder onto a chip and calibrate its converters with normal latents.

    Args:
        decoder: without batch norms.
        chip: with enough free tiles.
        point: operating point, for the calibration and for every later product.
        sampling_tiles: how many of its tiles also serve the sample mode.
        repair: finds the tiles' faults and programs around them; None: faults are left as they are.

    Raises:
        CapacityError: not enough tiles.
    """
    from ferrogen.mapping.convert.map_to_chip import map_to_chip

    latent = decoder.linear.in_features
    with torch.no_grad():
        module = map_to_chip(
            decoder,
            chip,
            calibration_latents(chip, latent, CALIBRATION_PICTURES),
            point=point,
            memory="off",
            repair=repair,
            sampling_tiles=sampling_tiles,
        )
    return MappedDecoder(module, latent, point)


def map_decoder(
    decoder: Decoder, chip: Chip, point: OperatingPoint, *, sampling_tiles: int, repair: Repair | None = None
) -> ChipDecoder:
    """Program a decoder onto a chip and calibrate its converters with normal latents.

    Args:
        decoder: linear layers with ReLU between.
        chip: with enough free tiles.
        point: operating point, for the calibration and for every later product.
        sampling_tiles: how many tiles of the largest layer also serve the sample mode.
        repair: finds the tiles' faults and programs around them; None: faults are left as they are.

    Raises:
        CapacityError: not enough tiles.
    """
    pairs = [
        (layer.weight.detach().double().numpy(), layer.bias.detach().double().numpy())
        for layer in decoder.layers
        if isinstance(layer, torch.nn.Linear)
    ]
    largest = max(range(len(pairs)), key=lambda k: pairs[k][0].size)
    layers = [
        map_linear(chip, weight, bias, sampling_tiles=sampling_tiles if k == largest else 0, repair=repair)
        for k, (weight, bias) in enumerate(pairs)
    ]
    mapped = ChipDecoder(layers, point)
    mapped.move(point)
    return mapped
