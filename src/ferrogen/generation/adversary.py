"""The critic of the training: a small convolutional network that tells drawn images from real ones.

It never leaves the training; neither the weight file nor the chip knows of it. It shares nothing with the
feature network of :mod:`ferrogen.metrics`: images must not be fitted to the measure by which they are judged.

Sources: I. Goodfellow et al., arXiv:1406.2661 (adversarial training); A. B. L. Larsen et al.,
arXiv:1512.09300 (with a VAE); L. Mescheder et al., arXiv:1801.04406 (gradient penalty R1); T. Karras et al.
arXiv:1710.10196 (batch deviation) and arXiv:1912.04958 (penalty every 16th step).
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from ferrogen.generation.model import SIDE, empty

_SLOPE: Final = 0.2
GROUP: Final = 8
"""Images compared with each other for the batch deviation; a batch must be a multiple."""


class Critic(nn.Module):
    """Two strided convolutions, a hidden layer and one logit: positive means "real".

    The hidden layer is joined by the mean standard deviation of its features within groups of eight,
    so that a decoder that draws the same image again and again is found out.
    """

    def __init__(self, channels: tuple[int, int] = (32, 64), hidden: int = 256) -> None:
        super().__init__()
        self.first = empty(nn.Conv2d(1, channels[0], 4, stride=2, padding=1, device="meta"))
        self.second = empty(nn.Conv2d(channels[0], channels[1], 4, stride=2, padding=1, device="meta"))
        self.hidden = empty(nn.Linear(channels[1] * (SIDE // 4) ** 2, hidden, device="meta"))
        self.output = empty(nn.Linear(hidden + 1, 1, device="meta"))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits of shape ``(n, 1)`` for images of shape ``(n, 784)`` in [0, 1]; n a multiple of 8."""
        features = leaky_relu(self.first(images.reshape(-1, 1, SIDE, SIDE)), _SLOPE)
        features = leaky_relu(self.second(features), _SLOPE)
        features = leaky_relu(self.hidden(features.flatten(1)), _SLOPE)
        grouped = features.reshape(GROUP, -1, features.shape[1])
        # The small term keeps the root's gradient finite where all eight agree.
        deviation = (grouped.var(0, unbiased=False) + 1e-8).sqrt().mean(1).repeat(GROUP)
        logits: Tensor = self.output(torch.cat([features, deviation[:, None]], 1))
        return logits


def gradient_penalty(critic: Critic, real: Tensor) -> Tensor:
    """Return the mean squared gradient of the logit at real images (R1), itself differentiable."""
    images = real.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(images).sum(), images, create_graph=True)
    return gradient.square().sum(1).mean()
