"""The variational autoencoder for 28 x 28 images: a free digital encoder, a decoder made only of products.

The decoder is what the chip runs: two or three ``nn.Linear`` layers (analog products), bias, ReLU and
the last sigmoid digital. The encoder serves training and reconstruction, and never meets the chip.

Source: D. P. Kingma, M. Welling, "Auto-Encoding Variational Bayes", arXiv:1312.6114.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Final, Literal, TypeVar

import torch
from pydantic import Field
from torch import Tensor, nn

from ferrogen.core.spec import Spec

SIDE: Final = 28
"""Height and width of an image in pixels."""

PIXELS: Final = SIDE * SIDE

_Layer = TypeVar("_Layer", bound=nn.Module)
_Width = Annotated[int, Field(ge=1, le=4096)]
_Channels = Annotated[int, Field(ge=1, le=512)]


class VAESpec(Spec):
    """What the network is; stored in every weight file, so that the file describes itself.

    Attributes:
        format: version of the weight file's layout.
        latent: latent dimensions. On the chip each one is a group of junctions whose noise is read.
        hidden: widths of the decoder's hidden layers; multiples of 128 fill the chip's tiles.
        encoder_channels: channels of the encoder's three convolutions.
    """

    format: Literal[1] = 1
    latent: Annotated[int, Field(ge=1, le=512)] = 16
    hidden: Annotated[tuple[_Width, ...], Field(min_length=1, max_length=2)] = (512, 512)
    encoder_channels: tuple[_Channels, _Channels, _Channels] = (32, 64, 64)


def empty(layer: _Layer) -> _Layer:
    """Give a layer made on the meta device memory, unset: nn's own initialisation draws global numbers."""
    for name, value in list(layer.named_parameters(recurse=False)):  # to_empty() imports torch's compiler: seconds
        setattr(layer, name, nn.Parameter(torch.empty(value.shape)))
    return layer


class Encoder(nn.Module):
    """Three strided convolutions and a linear head: images in, mean and log variance of each latent out."""

    def __init__(self, spec: VAESpec) -> None:
        super().__init__()
        channels = (1, *spec.encoder_channels)
        self.convolutions = nn.ModuleList(
            empty(nn.Conv2d(before, after, 3, stride=2, padding=1, device="meta"))
            for before, after in pairwise(channels)
        )
        side = 4  # 28 -> 14 -> 7 -> 4
        self.head = empty(nn.Linear(channels[-1] * side * side, 2 * spec.latent, device="meta"))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Encode.

        Args:
            images: shape ``(n, 784)``, values in [0, 1].

        Returns:
            Mean and natural logarithm of the variance, each of shape ``(n, latent)``.
        """
        hidden = images.reshape(-1, 1, SIDE, SIDE)
        for convolution in self.convolutions:
            hidden = nn.functional.leaky_relu(convolution(hidden), 0.2)
        mean, log_variance = self.head(hidden.flatten(1)).chunk(2, dim=1)
        # exp() of an untrained head must not overflow; no trained latent comes near the bounds.
        return mean, log_variance.clamp(-12.0, 6.0)


class Decoder(nn.Module):
    """Linear layers with ReLU between and a sigmoid at the end.

    Attributes:
        layers: the ``nn.Linear`` layers in order; everything that is an analog product on the chip.
    """

    def __init__(self, spec: VAESpec) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            empty(nn.Linear(before, after, device="meta"))
            for before, after in pairwise((spec.latent, *spec.hidden, PIXELS))
        )

    def logits(self, latents: Tensor) -> Tensor:
        """Return what the last sigmoid is given; shapes as in :meth:`forward`."""
        *inner, last = self.layers
        for layer in inner:
            latents = nn.functional.relu(layer(latents))
        output: Tensor = last(latents)
        return output

    def forward(self, latents: Tensor) -> Tensor:
        """Decode latents of shape ``(n, latent)`` to images of shape ``(n, 784)`` with values in [0, 1]."""
        return torch.sigmoid(self.logits(latents))


class VAE(nn.Module):
    """Encoder and decoder of one spec. Fresh weights are unset: call :func:`initialise` or load some."""

    def __init__(self, spec: VAESpec) -> None:
        super().__init__()
        self.spec = spec
        self.encoder = Encoder(spec)
        self.decoder = Decoder(spec)

    def forward(self, images: Tensor) -> Tensor:
        """Reconstruct images of shape ``(n, 784)`` from the mean of their latents."""
        mean, _ = self.encoder(images)
        output: Tensor = self.decoder(mean)
        return output


def initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Draw He-normal weights (doi:10.1109/ICCV.2015.123) from ``generator``, zero the biases, in place."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(layer.weight, a=0.2, generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
