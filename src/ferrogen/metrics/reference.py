"""Feature moments of test images, shipped so that a Frechet distance needs no data set: statistics, no images.

The files are made by ``tools/reference_moments.py``; tests compare them with the data.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Final

import numpy as np
from safetensors.numpy import load_file, save_file

from ferrogen.core.errors import DataFileError, argument_error
from ferrogen.core.files import atomic_path
from ferrogen.metrics.frechet import Moments

_SHIPPED: Final = {"mnist": "mnist-test-moments.safetensors", "faces": "faces-test-moments.safetensors"}


def load_reference_moments(name: str = "mnist") -> Moments:
    """Return the shipped moments of a data set's test images, as the shipped feature network of that name sees them.

    Args:
        name: ``"mnist"`` (10,000 test images) or ``"faces"`` (2,000 held-out images of CelebA).

    Raises:
        ArgumentError: an unknown name.
        DataFileError: the file is damaged.
    """
    if name not in _SHIPPED:
        raise argument_error("name", f"be one of {', '.join(_SHIPPED)}", repr(name))
    with resources.as_file(resources.files("ferrogen.metrics") / "weights" / _SHIPPED[name]) as path:
        tensors = load_file(path)
    try:
        return Moments(tensors["mean"], tensors["covariance"], int(tensors["count"][0]))
    except (KeyError, ValueError) as error:
        raise DataFileError(f"Shipped moments '{name}' are damaged: {error}. Install ferrogen anew.") from error


def save_reference_moments(path: Path, moments: Moments) -> None:
    """Write moments as safetensors, atomically."""
    with atomic_path(path) as temporary:
        save_file(
            {
                "mean": np.ascontiguousarray(moments.mean),
                "covariance": np.ascontiguousarray(moments.covariance),
                "count": np.array([moments.count], dtype=np.int64),
            },
            temporary,
        )
