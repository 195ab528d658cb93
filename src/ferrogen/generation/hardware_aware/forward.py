"""A decoder's pictures as a chip would make them, with gradients to the decoder's float weights.

Rounding to levels and codes, deviations of the cells as programmed (stuck ones among them), drop along wires, read
noise and clipping are those of the chip's own tiles (:mod:`ferrogen.mapping.training`).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ferrogen.generation.convolutional.model import ConvVAE
from ferrogen.generation.decoder import MappedDecoder
from ferrogen.generation.generator import ChipGenerator
from ferrogen.generation.model_file import AnyVAE
from ferrogen.mapping.modules.analog_layer import AnalogLayer
from ferrogen.mapping.training.response import TileResponse, tile_response

Forward = Callable[[Tensor, Tensor], Tensor]
"""Latents ``(n, latent)`` and image numbers, int64 ``(n,)``, to pictures as the decoder returns them."""


def hardware_forward(student: AnyVAE, generator: ChipGenerator) -> Forward:
    """Return the forward of a decoder that was just programmed on a chip.

    Args:
        student: whose decoder is trained: gradients go to its parameters.
        generator: made of a model with these very weights.

    Raises:
        ArgumentError: circuits that training does not model.
    """
    if isinstance(student, ConvVAE):
        return _convolutional(student, generator)
    layers = [layer for layer in student.decoder.layers if isinstance(layer, nn.Linear)]
    responses = [
        tile_response(linear, layer.weight.detach().float(), generator.at)
        for linear, layer in zip(generator.decoder.layers, layers, strict=True)
    ]

    def forward(latents: Tensor, numbers: Tensor) -> Tensor:
        for number, (layer, response) in enumerate(zip(layers, responses, strict=True)):
            made = response.multiply(response.shares(latents), layer.weight, numbers) + layer.bias
            latents = torch.sigmoid(made) if number == len(layers) - 1 else torch.relu(made)
        return latents

    return forward


def _tied(student: ConvVAE, generator: ChipGenerator) -> tuple[MappedDecoder, list[tuple[nn.Module, AnalogLayer]]]:
    """Return the chip's decoder and its layers, each beside the float layer of the same name."""
    decoder = generator.decoder
    if not isinstance(decoder, MappedDecoder):
        raise TypeError("a convolutional model is on the chip as a mapped module")
    names = decoder.module.analog_layers()
    return decoder, [(student.decoder.get_submodule(name), layer) for name, layer in names.items()]


def _convolutional(student: ConvVAE, generator: ChipGenerator) -> Forward:
    decoder, pairs = _tied(student, generator)
    for own, layer in pairs:
        layer.weight, layer.bias = own.get_parameter("weight"), own.get_parameter("bias")
    decoder.module.train()

    def forward(latents: Tensor, numbers: Tensor) -> Tensor:
        with decoder.module.clock.forward_at(numbers):
            made: Tensor = decoder.module(latents)
        return made

    return forward


@torch.no_grad()
def compensate(student: AnyVAE, generator: ChipGenerator) -> None:
    """Ask the working cell of every pair with a stuck one for what the stuck one is off; changes the student's weights.

    Args:
        student: the weights that are wanted.
        generator: a chip on which they were programmed.
    """
    if isinstance(student, ConvVAE):
        for own, layer in _tied(student, generator)[1]:
            parameter = own.get_parameter("weight")
            with torch.enable_grad():
                zero = torch.zeros_like(parameter, requires_grad=True)
                parts = layer.lowering.weights(zero)
            changes = []
            for response, wanted in zip(layer.responses(), layer.lowering.weights(parameter.detach()), strict=True):
                matrix = wanted.contiguous()
                changed = response.compensated(matrix) if isinstance(response, TileResponse) else matrix
                changes.append(changed - matrix)
            # Every weight has one place in the matrices: the gradient of the way there is the way back.
            (back,) = torch.autograd.grad(parts, zero, changes)
            parameter.add_(back)
        return
    layers = [layer for layer in student.decoder.layers if isinstance(layer, nn.Linear)]
    for linear, wanted_layer in zip(generator.decoder.layers, layers, strict=True):
        weight = wanted_layer.weight
        weight.copy_(tile_response(linear, weight.float(), generator.at).compensated(weight))
