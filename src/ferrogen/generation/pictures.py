"""Images as people handle them, and as networks take them.

Everywhere outside of networks an image set is float32 ``(n, height, width)`` if it is grey and
``(n, height, width, 3)`` if it is RGB, with values in [0, 1].
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ferrogen.core.errors import argument_error
from ferrogen.generation.convolutional.model import ConvVAESpec
from ferrogen.generation.model import PIXELS, SIDE, VAESpec


def picture_shape(spec: VAESpec | ConvVAESpec) -> tuple[int, ...]:
    """Return the shape of one picture of a model: ``(height, width)`` or ``(height, width, 3)``."""
    if isinstance(spec, VAESpec):
        return (SIDE, SIDE)
    return (spec.side, spec.side) if spec.channels == 1 else (spec.side, spec.side, spec.channels)


def as_pictures(output: Tensor, spec: VAESpec | ConvVAESpec) -> NDArray[np.float32]:
    """Turn a decoder's output, ``(n, 784)`` or ``(n, channels, side, side)``, into pictures."""
    if isinstance(spec, ConvVAESpec):
        output = output.permute(0, 2, 3, 1)
    return np.ascontiguousarray(output.numpy()).reshape(-1, *picture_shape(spec))


def as_network_input(pictures: NDArray[np.float32], spec: VAESpec | ConvVAESpec) -> Tensor:
    """Turn pictures into what a model's encoder takes, ``(n, 784)`` or ``(n, channels, side, side)``.

    Raises:
        ArgumentError: pictures of another shape.
    """
    wanted = picture_shape(spec)
    if pictures.shape[1:] != wanted:
        raise argument_error("pictures", f"have the shape (n, {', '.join(map(str, wanted))})", f"{pictures.shape}")
    if isinstance(spec, VAESpec):
        return torch.from_numpy(np.ascontiguousarray(pictures, dtype=np.float32)).reshape(-1, PIXELS)
    colours = pictures.reshape(len(pictures), spec.side, spec.side, spec.channels)
    return torch.from_numpy(np.ascontiguousarray(colours.transpose(0, 3, 1, 2), dtype=np.float32))
