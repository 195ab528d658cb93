"""A small classifier of 28x28 grey images whose penultimate layer is the space in which such images are compared.

The shipped weights (``weights/mnist-features.safetensors``, model card beside it) were trained in this repository on
MNIST; others come from ``ferrogen train --model features`` on any labelled images of this size. Distances in this
space rank generators; they are not Inception distances and must never be compared with published FID values
(:mod:`ferrogen.metrics.inception` is for those).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ferrogen.metrics.checks import check_batch, check_pictures
from ferrogen.metrics.feature_set import Features

FEATURE_COUNT: Final = 64
IMAGE_SIZE: Final = 28
CLASS_COUNT: Final = 10
"""Of the digits."""


class ClassifierNetwork(nn.Module):
    """Three convolutions, one hidden layer of 64 standardised features, a logit per class.

    The features are taken before the last ReLU, where they are closer to Gaussian and no direction is dead;
    both help the Frechet distance, which sees only means and covariances.

    Args:
        class_count: number of classes, at least 2.
    """

    side: Final = IMAGE_SIZE
    feature_count: Final = FEATURE_COUNT
    mirrored: Final = False
    """Whether a mirrored copy of a training image counts as a copy: mirrored digits are no digits."""

    def __init__(self, class_count: int = CLASS_COUNT) -> None:
        super().__init__()
        self.class_count = class_count
        self.class_names: tuple[str, ...] = ()
        self.trunk = nn.Sequential(
            *(nn.Conv2d(1, 32, 5, padding=2, bias=False), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(32, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(64, 96, 3, padding=1, bias=False), nn.BatchNorm2d(96), nn.ReLU(), nn.MaxPool2d(2)),
            nn.Flatten(),
            nn.Linear(96 * 3 * 3, FEATURE_COUNT, bias=False),
            nn.BatchNorm1d(FEATURE_COUNT, affine=False),
        )
        self.head = nn.Linear(FEATURE_COUNT, class_count)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits ``(n, classes)`` and features ``(n, 64)`` of images ``(n, 1, 28, 28)`` in [0, 1]."""
        features = self.trunk((images - 0.5) * 2.0)
        return self.head(torch.relu(features)), features

    @torch.no_grad()
    def extract(self, pictures: NDArray[np.floating], batch: int = 500) -> Features:
        """Compute features and class probabilities of grey images.

        Args:
            pictures: float array ``(n, 28, 28)``, grey values in [0, 1], bright on dark.
            batch: images per pass; it changes memory use, not the result beyond float32 rounding.

        Returns:
            The features and probabilities as float64.

        Raises:
            ArgumentError: wrong shape, no images, NaN, values outside [0, 1], or ``batch`` below 1.
        """
        checked = check_pictures("pictures", pictures, shape=(IMAGE_SIZE, IMAGE_SIZE))
        check_batch(batch)
        self.eval()  # batch statistics would make one image's features depend on its neighbours
        features = np.empty((len(checked), FEATURE_COUNT))
        probabilities = np.empty((len(checked), self.class_count))
        for first in range(0, len(checked), batch):
            part = torch.from_numpy(checked[first : first + batch]).unsqueeze(1)
            logits, found = self(part.to(next(self.parameters()).device))
            features[first : first + batch] = found.cpu().numpy()
            probabilities[first : first + batch] = torch.softmax(logits.double(), dim=1).cpu().numpy()
        return Features(features, probabilities)


def empty_classifier_network(class_count: int = CLASS_COUNT) -> ClassifierNetwork:
    """Build the network without values, on the meta device, so that no global random state is used."""
    with torch.device("meta"):
        return ClassifierNetwork(class_count)
