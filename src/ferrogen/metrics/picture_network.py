"""A network without classes whose last layer is the space in which photographs are compared.

It sees any square picture, grey or RGB, resized to 64 x 64. The shipped weights
(``weights/faces-features.safetensors``, model card beside it) were trained in this repository on CelebA images without
labels (:mod:`ferrogen.generation.train_picture_features`). Distances in this space rank generators of such pictures;
they are not Inception distances and must never be compared with published FID values.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from ferrogen.metrics.checks import check_batch, check_pictures
from ferrogen.metrics.feature_set import Features

PICTURE_SIDE: Final = 64
PICTURE_FEATURES: Final = 96

_CHANNELS: Final = (24, 48, 80, 112)


class _Unit(nn.Sequential):
    """Convolution without bias, batch normalisation, ReLU."""

    def __init__(self, before: int, after: int, kernel: int, stride: int) -> None:
        convolution = nn.Conv2d(before, after, kernel, stride=stride, padding=kernel // 2, bias=False)
        super().__init__(convolution, nn.BatchNorm2d(after), nn.ReLU())


class _Residual(nn.Module):
    """A unit beside the identity (He et al. 2016, doi:10.1109/CVPR.2016.90)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.unit = _Unit(channels, channels, 3, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        changed: torch.Tensor = self.unit(images)
        return images + changed


class PictureNetwork(nn.Module):
    """Strided convolutions down to 4 x 4 and one layer of 96 standardised features.

    The features are taken from all 4 x 4 places, not from their average, so that they know where things are; and before
    any ReLU, where they are closer to Gaussian, which helps the Frechet distance.
    """

    side: Final = PICTURE_SIDE
    feature_count: Final = PICTURE_FEATURES
    class_count: Final = 0
    class_names: Final[tuple[str, ...]] = ()
    mirrored: Final = True
    """Whether a mirrored copy of a training image counts as a copy: trainings show photographs mirrored."""

    def __init__(self) -> None:
        super().__init__()
        first, second, third, fourth = _CHANNELS
        self.trunk = nn.Sequential(
            _Unit(3, first, 5, 2),
            _Unit(first, second, 3, 2),
            _Residual(second),
            _Unit(second, third, 3, 2),
            _Residual(third),
            _Unit(third, fourth, 3, 2),
            nn.Flatten(),
            nn.Linear(fourth * (PICTURE_SIDE // 16) ** 2, PICTURE_FEATURES, bias=False),
        )
        self.standardise = nn.BatchNorm1d(PICTURE_FEATURES, affine=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return features ``(n, 96)`` of images ``(n, 3, 64, 64)`` in [0, 1]."""
        features: torch.Tensor = self.standardise(self.trunk((images - 0.5) * 2.0).float())
        return features

    @torch.no_grad()
    def extract(self, pictures: NDArray[np.floating], batch: int = 250) -> Features:
        """Compute the features of pictures.

        Args:
            pictures: float array ``(n, side, side)`` or ``(n, side, side, 3)`` in [0, 1]; another side than 64 is
                resized (bilinear, antialiased), grey is repeated over the colours.
            batch: pictures per pass; it changes memory use, not the result beyond float32 rounding.

        Returns:
            The features as float64; no probabilities, for there are no classes.

        Raises:
            ArgumentError: wrong shape, not square, no pictures, NaN, values outside [0, 1], or ``batch`` below 1.
        """
        checked = check_pictures("pictures", pictures, square=True)
        check_batch(batch)
        self.eval()  # batch statistics would make one picture's features depend on its neighbours
        features = np.empty((len(checked), PICTURE_FEATURES))
        for first in range(0, len(checked), batch):
            part = as_colour_input(checked[first : first + batch])
            features[first : first + batch] = self(part.to(next(self.parameters()).device)).cpu().numpy()
        return Features(features, None)


def as_colour_input(pictures: NDArray[np.float32]) -> torch.Tensor:
    """Turn checked square pictures into ``(n, 3, 64, 64)``."""
    colours = pictures[..., None] if pictures.ndim == 3 else pictures
    images = torch.from_numpy(np.ascontiguousarray(colours.transpose(0, 3, 1, 2))).expand(-1, 3, -1, -1)
    if images.shape[-1] == PICTURE_SIDE:
        return images
    size = (PICTURE_SIDE, PICTURE_SIDE)
    resized = functional.interpolate(images.contiguous(), size=size, mode="bilinear", antialias=True)
    return resized.clamp_(0.0, 1.0)


def empty_picture_network() -> PictureNetwork:
    """Build the network without values, on the meta device, so that no global random state is used."""
    with torch.device("meta"):
        return PictureNetwork()
