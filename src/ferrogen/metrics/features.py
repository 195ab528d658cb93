"""A small digit classifier whose penultimate layer is the space in which images are compared.

The shipped weights (``weights/mnist-features.safetensors``, model card beside it) were trained in this
repository on MNIST. Distances in this space rank generators of 28x28 grey digits; they are not Inception
distances and must never be compared with published FID values (:mod:`ferrogen.metrics.inception` is for
those).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ferrogen.core.errors import DataFileError, argument_error
from ferrogen.metrics.checks import check_images
from ferrogen.metrics.tensor_file import check_tensors, read_tensors

METADATA_KEY: Final = "ferrogen_feature_network"
FILE_VERSION: Final = "1"
FEATURE_COUNT: Final = 64
IMAGE_SIZE: Final = 28
CLASS_COUNT: Final = 10

_WEIGHTS: Final = Path(__file__).parent / "weights"
_NAMES: Final = {"mnist": _WEIGHTS / "mnist-features.safetensors"}
_FILE_LIMIT: Final = 2_000_000


@dataclass(frozen=True)
class Features:
    """What the network sees in a set of images.

    Attributes:
        features: float64 ``(n, 64)``, standardised (on digits each has mean and variance near 0 and 1).
        probabilities: float64 ``(n, 10)``, softmax class probabilities; rows sum to one.
    """

    features: NDArray[np.float64]
    probabilities: NDArray[np.float64]


class FeatureNetwork(nn.Module):
    """Three convolutions, one hidden layer of 64 standardised features, ten logits.

    The features are taken before the last ReLU, where they are closer to Gaussian and no direction is dead;
    both help the Frechet distance, which sees only means and covariances.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            *(nn.Conv2d(1, 32, 5, padding=2, bias=False), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(32, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(64, 96, 3, padding=1, bias=False), nn.BatchNorm2d(96), nn.ReLU(), nn.MaxPool2d(2)),
            nn.Flatten(),
            nn.Linear(96 * 3 * 3, FEATURE_COUNT, bias=False),
            nn.BatchNorm1d(FEATURE_COUNT, affine=False),
        )
        self.head = nn.Linear(FEATURE_COUNT, CLASS_COUNT)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits ``(n, 10)`` and features ``(n, 64)`` of images ``(n, 1, 28, 28)`` in [0, 1]."""
        features = self.trunk((images - 0.5) * 2.0)
        return self.head(torch.relu(features)), features

    @torch.no_grad()
    def extract(self, images: NDArray[np.floating], batch: int = 500) -> Features:
        """Compute features and class probabilities of grey images.

        Args:
            images: float array ``(n, 28, 28)``, grey values in [0, 1], digits bright on dark.
            batch: images per pass; it changes memory use, not the result beyond float32 rounding.

        Returns:
            The features and probabilities as float64.

        Raises:
            ArgumentError: wrong shape, no images, NaN, values outside [0, 1], or ``batch`` below 1.
        """
        checked = check_images("images", images, height=IMAGE_SIZE, width=IMAGE_SIZE)
        if batch < 1:
            raise argument_error("batch", "be at least 1", batch)
        self.eval()  # batch statistics would make one image's features depend on its neighbours
        features = np.empty((len(checked), FEATURE_COUNT))
        probabilities = np.empty((len(checked), CLASS_COUNT))
        for first in range(0, len(checked), batch):
            part = torch.from_numpy(checked[first : first + batch]).unsqueeze(1)
            logits, found = self(part.to(next(self.parameters()).device))
            features[first : first + batch] = found.cpu().numpy()
            probabilities[first : first + batch] = torch.softmax(logits.double(), dim=1).cpu().numpy()
        return Features(features, probabilities)


def load_feature_network(path_or_name: str | Path = "mnist") -> FeatureNetwork:
    """Load a feature network in evaluation mode.

    Args:
        path_or_name: ``"mnist"`` for the shipped network, or the path of a safetensors file that
            :func:`ferrogen.generation.train_features.train_features` wrote.

    Returns:
        The network on the CPU, gradients off.

    Raises:
        DataFileError: the file is missing, foreign, or holds wrong shapes or NaN.
    """
    path = _NAMES.get(str(path_or_name), Path(path_or_name))
    what = "Feature network"
    tensors, metadata = read_tensors(path, what=what, limit=_FILE_LIMIT)
    network = empty_feature_network()
    remedy = (
        "Give a file that `ferrogen train --model features` wrote"
        f" (its metadata name {METADATA_KEY}, version {FILE_VERSION}), or the name 'mnist'."
    )
    check_tensors(tensors, network.state_dict(), path=path, what=what, remedy=remedy)
    version = _facts(metadata).get("version")
    if version != FILE_VERSION:
        raise DataFileError(f"{what} '{path}' has the format version {version}, not {FILE_VERSION}. {remedy}")
    network.load_state_dict(tensors, assign=True)
    return network.eval().requires_grad_(requires_grad=False)


def feature_network_metadata(path_or_name: str | Path = "mnist") -> dict[str, str]:
    """Return the text metadata of a feature network's file: data, licence, seed, versions, test accuracy.

    Raises:
        DataFileError: the file is missing or no safetensors file.
    """
    path = _NAMES.get(str(path_or_name), Path(path_or_name))
    return _facts(read_tensors(path, what="Feature network", limit=_FILE_LIMIT)[1])


def _facts(metadata: dict[str, str]) -> dict[str, str]:
    """Unpack the one metadata entry: JSON, because safetensors writes several entries in random order."""
    try:
        facts = json.loads(metadata.get(METADATA_KEY, "{}"))
    except (ValueError, RecursionError):
        return {}
    return {str(key): str(value) for key, value in facts.items()} if isinstance(facts, dict) else {}


def empty_feature_network() -> FeatureNetwork:
    """Build the network without values, on the meta device, so that no global random state is used."""
    with torch.device("meta"):
        return FeatureNetwork()
