"""A decoder of linear layers on a chip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.repair import Repair
from ferrogen.core.streams import Purpose
from ferrogen.mapping.layer import AnalogLinear, Fidelity, map_linear

if TYPE_CHECKING:
    from ferrogen.generation.model import Decoder

CALIBRATION_LATENTS = 1024


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
        generator = self.layers[0].chip.streams.generator(Purpose.CALIBRATION)
        shape = (CALIBRATION_LATENTS, self.layers[0].inputs)
        latents = torch.from_numpy(generator.standard_normal(shape, dtype=np.float32))
        *inner, last = self.layers
        for layer in inner:
            latents = torch.relu_(layer.calibrate(latents, self.point))
        last.calibrate(latents, self.point)


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
