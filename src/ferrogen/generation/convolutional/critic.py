"""The critic of the convolutional training, and the changes under which it sees every image.

Eight thousand images are few: a critic learns them by heart. It therefore sees real and drawn images through the
same random changes (shift, brightness, saturation, contrast, a blanked square), which the decoder's gradient passes.

Sources: S. Zhao et al., arXiv:2006.10738 (differentiable augmentation); the rest as in
:mod:`ferrogen.generation.adversary`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from ferrogen.generation.adversary import GROUP
from ferrogen.generation.convolutional.model import FIRST_SIDE, ConvVAESpec
from ferrogen.generation.model import empty

_SLOPE: Final = 0.2
_SHIFT: Final = 0.125
_BLANK: Final = 0.375


class ConvCritic(nn.Module):
    """Strided convolutions and one logit: positive means "real".

    Args:
        spec: of the images.
        channels: after each halving.
    """

    def __init__(self, spec: ConvVAESpec, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            empty(nn.Conv2d(before, after, 4, stride=2, padding=1, device="meta"))
            for before, after in pairwise((spec.channels, *channels))
        )
        self.output = empty(nn.Linear(channels[-1] * FIRST_SIDE**2 + 1, 1, device="meta"))

    def features(self, images: Tensor) -> Tensor:
        """Return the last convolution's features ``(n, channels, 4, 4)`` of images in [0, 1]."""
        hidden = 2.0 * images - 1.0
        for convolution in self.convolutions:
            hidden = leaky_relu(convolution(hidden), _SLOPE)
        return hidden

    def forward(self, images: Tensor) -> Tensor:
        """Return logits ``(n, 1)``; n a multiple of 8, for the deviation within groups of eight."""
        features = self.features(images)
        # Neighbours form a group, so that real and drawn images may stand in one batch, one after the other.
        grouped = features.reshape(-1, GROUP, features[0].numel()).float()
        deviation = (grouped.var(1, unbiased=False) + 1e-8).sqrt().mean(1).repeat_interleave(GROUP)
        logits: Tensor = self.output(torch.cat([features.flatten(1).float(), deviation[:, None]], 1))
        return logits


def change(images: Tensor, generator: torch.Generator) -> Tensor:
    """Change images ``(n, channels, side, side)`` at random, each in its own way, differentiably."""
    count, channels, side, _ = images.shape

    def uniform() -> Tensor:
        return torch.rand(count, 1, 1, 1, generator=generator)

    images = images + (uniform() - 0.5) * 0.5
    if channels > 1:
        grey = images.mean(1, keepdim=True)
        images = grey + (images - grey) * (2.0 * uniform())
    mean = images.mean((1, 2, 3), keepdim=True)
    images = mean + (images - mean) * (0.5 + uniform())
    reach = int(side * _SHIFT + 0.5)
    # One gather: shifted by whole pixels, with the edge repeated.
    moves = torch.randint(-reach, reach + 1, (2, count, 1), generator=generator)
    places = (torch.arange(side) + moves).clamp_(0, side - 1)
    images = images.permute(0, 2, 3, 1)[torch.arange(count)[:, None, None], places[0][:, :, None], places[1][:, None]]
    blank = int(side * _BLANK + 0.5)
    corner = torch.randint(-(blank // 2), side - blank // 2, (2, count, 1), generator=generator)
    inside = (torch.arange(side) >= corner) & (torch.arange(side) < corner + blank)
    keep = ~(inside[0][:, :, None] & inside[1][:, None, :])
    return (images * keep[..., None]).permute(0, 3, 1, 2)
