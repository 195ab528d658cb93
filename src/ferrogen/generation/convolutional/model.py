"""The convolutional autoencoder: a free digital encoder, a decoder made only of products, ReLU and one sigmoid.

A linear layer turns the latents into a picture of 4 x 4 positions with many channels; transposed convolutions of
4 x 4 with stride 2 double the side and halve the channels; the last doubling is a 3 x 3 convolution with four times
the output channels whose results are sorted into place (sub-pixel convolution), because on tiles it needs one matrix
with 9 C rows instead of four with 4 C rows and a handful of columns each.

During training every hidden layer of the decoder carries a batch norm. Trained weights have none: it is folded into
the layer before it (:func:`fold`).

Sources: A. Radford et al., arXiv:1511.06434 (transposed convolutions and batch norms); W. Shi et al.,
arXiv:1609.05158 (sub-pixel convolution); D. P. Kingma, M. Welling, arXiv:1312.6114 (VAE).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Final, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from ferrogen.core.spec import Spec
from ferrogen.generation.model import empty

FIRST_SIDE: Final = 4
"""Positions along the side of the picture that the decoder's first layer makes."""

_EPSILON: Final = 1e-5
"""What batch norms add to a variance."""

_Channels = Annotated[int, Field(ge=1, le=1024)]


class ConvVAESpec(Spec):
    """What the network is; stored in every weight file.

    Attributes:
        format: version of the weight file's layout.
        kind: tells this spec from that of the digits' VAE.
        side: height and width of an image in pixels; 4 doubled once for every entry of ``decoder_channels``.
        channels: colours of an image: 1 (grey) or 3 (RGB).
        latent: latent dimensions. On the chip each one is a group of junctions whose noise is read.
        decoder_channels: channels after the linear layer and after each doubling but the last.
        encoder_channels: channels after each halving.
    """

    format: Literal[1] = 1
    kind: Literal["convolutional"] = "convolutional"
    side: Annotated[int, Field(ge=8, le=256)] = 64
    channels: Literal[1, 3] = 3
    latent: Annotated[int, Field(ge=1, le=512)] = 64
    decoder_channels: Annotated[tuple[_Channels, ...], Field(min_length=1, max_length=6)] = (256, 128, 64, 32)
    encoder_channels: Annotated[tuple[_Channels, ...], Field(min_length=1, max_length=6)] = (32, 64, 128, 256)

    @model_validator(mode="after")
    def _check_side(self) -> ConvVAESpec:
        for name in ("decoder_channels", "encoder_channels"):
            levels = len(getattr(self, name))
            if FIRST_SIDE * 2**levels != self.side:
                side = FIRST_SIDE * 2**levels
                raise ValueError(f"{name} has {levels} entries, which fits a side of {side} pixels, not {self.side}")
        return self

    @property
    def pixel_values(self) -> int:
        """Numbers in an image."""
        return self.channels * self.side**2


class ConvEncoder(nn.Module):
    """Strided convolutions and a linear head: images in, mean and log variance of each latent out."""

    def __init__(self, spec: ConvVAESpec) -> None:
        super().__init__()
        channels = (spec.channels, *spec.encoder_channels)
        self.convolutions = nn.ModuleList(
            empty(nn.Conv2d(before, after, 4, stride=2, padding=1, device="meta"))
            for before, after in pairwise(channels)
        )
        self.head = empty(nn.Linear(channels[-1] * FIRST_SIDE**2, 2 * spec.latent, device="meta"))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Encode images ``(n, channels, side, side)`` with values in [0, 1].

        Returns:
            Mean and natural logarithm of the variance, each of shape ``(n, latent)``.
        """
        hidden = 2.0 * images - 1.0
        for convolution in self.convolutions:
            hidden = nn.functional.leaky_relu(convolution(hidden), 0.2)
        mean, log_variance = self.head(hidden.flatten(1)).float().chunk(2, dim=1)
        # exp() of an untrained head must not overflow; no trained latent comes near the bounds.
        return mean, log_variance.clamp(-12.0, 6.0)


class ConvDecoder(nn.Module):
    """A linear layer, transposed convolutions, a sub-pixel convolution; ReLU between, a sigmoid at the end.

    Args:
        spec: the network.
        norms: put a batch norm behind every hidden layer, for training.
    """

    def __init__(self, spec: ConvVAESpec, *, norms: bool = False) -> None:
        super().__init__()
        widths = spec.decoder_channels
        self.linear = empty(nn.Linear(spec.latent, widths[0] * FIRST_SIDE**2, device="meta"))
        self.doublings = nn.ModuleList(
            empty(nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, device="meta"))
            for before, after in pairwise(widths)
        )
        self.last = empty(nn.Conv2d(widths[-1], 4 * spec.channels, 3, padding=1, device="meta"))
        self.norms = nn.ModuleList(nn.BatchNorm2d(width, eps=_EPSILON) if norms else nn.Identity() for width in widths)
        self.first_channels = widths[0]

    def logits(self, latents: Tensor) -> Tensor:
        """Return what the last sigmoid is given; shapes as in :meth:`forward`."""
        hidden = self.linear(latents).reshape(-1, self.first_channels, FIRST_SIDE, FIRST_SIDE)
        hidden = nn.functional.relu(self.norms[0](hidden))
        for k, doubling in enumerate(self.doublings, 1):
            hidden = nn.functional.relu(self.norms[k](doubling(hidden)))
        return nn.functional.pixel_shuffle(self.last(hidden), 2)

    def forward(self, latents: Tensor) -> Tensor:
        """Decode latents of shape ``(n, latent)`` to images ``(n, channels, side, side)`` with values in [0, 1]."""
        return torch.sigmoid(self.logits(latents))


class ConvVAE(nn.Module):
    """Encoder and decoder of one spec, as they are stored: without batch norms. Fresh weights are unset."""

    def __init__(self, spec: ConvVAESpec) -> None:
        super().__init__()
        self.spec = spec
        self.encoder = ConvEncoder(spec)
        self.decoder = ConvDecoder(spec)

    def forward(self, images: Tensor) -> Tensor:
        """Reconstruct images from the mean of their latents."""
        mean, _ = self.encoder(images)
        output: Tensor = self.decoder(mean)
        return output


@torch.no_grad()
def fold(trained: ConvDecoder, spec: ConvVAESpec) -> ConvDecoder:
    """Return a decoder without batch norms that computes what ``trained`` does in evaluation.

    A norm's scale g / sqrt(variance + eps) multiplies the output channels of the layer before it. The linear layer's
    outputs are channel by channel 16 positions.
    """
    folded = ConvDecoder(spec)
    folded.last.load_state_dict(trained.last.state_dict())
    olds, news = [trained.linear, *trained.doublings], [folded.linear, *folded.doublings]
    for k, (norm, old, new) in enumerate(zip(trained.norms, olds, news, strict=True)):
        scale = norm.get_parameter("weight") / (norm.get_buffer("running_var") + _EPSILON).sqrt()
        shift = norm.get_parameter("bias") - norm.get_buffer("running_mean") * scale
        if k == 0:
            scale, shift = scale.repeat_interleave(FIRST_SIDE**2), shift.repeat_interleave(FIRST_SIDE**2)
            new.get_parameter("weight").copy_(old.get_parameter("weight") * scale[:, None])
        else:
            # Inputs come first in transposed convolutions.
            new.get_parameter("weight").copy_(old.get_parameter("weight") * scale[None, :, None, None])
        new.get_parameter("bias").copy_(old.get_parameter("bias") * scale + shift)
    return folded.eval()
