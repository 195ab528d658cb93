"""Ways in which a drawn picture can be worse than a real one, each with a strength from 0 to 1.

The feature network of photographs learns to name them (:mod:`ferrogen.generation.train_picture_features`): what it can
name, its features carry, and a Frechet distance sees.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

_BLUR_RADIUS: Final = 6
_BLOCK: Final = 8
_PATCH: Final = 16

Degradation = Callable[[Tensor, Tensor, torch.Generator], Tensor]
"""Takes images ``(n, 3, side, side)`` in [0, 1], strengths ``(n,)`` and a generator; returns images in [0, 1]."""


def blur(images: Tensor, strength: Tensor, _generator: torch.Generator) -> Tensor:
    """Gaussian blur with a deviation of 0.4 to 2.5 pixels."""
    count, channels, height, width = images.shape
    deviation = 0.4 + 2.1 * strength
    offset = torch.arange(-_BLUR_RADIUS, _BLUR_RADIUS + 1, dtype=images.dtype)
    kernel = torch.exp(-0.5 * (offset / deviation[:, None]) ** 2)
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(channels, 0)[:, None]
    together = images.reshape(1, count * channels, height, width)
    rows = functional.pad(together, (0, 0, _BLUR_RADIUS, _BLUR_RADIUS), mode="reflect")
    rows = functional.conv2d(rows, kernel[..., None], groups=count * channels)
    columns = functional.pad(rows, (_BLUR_RADIUS, _BLUR_RADIUS, 0, 0), mode="reflect")
    return functional.conv2d(columns, kernel[:, :, None], groups=count * channels).reshape(images.shape)


def noise(images: Tensor, strength: Tensor, generator: torch.Generator) -> Tensor:
    """White noise with a deviation of 2 to 20 % of full scale."""
    amount = (0.02 + 0.18 * strength)[:, None, None, None]
    return (images + amount * torch.randn(images.shape, generator=generator)).clamp_(0.0, 1.0)


def quantisation(images: Tensor, strength: Tensor, _generator: torch.Generator) -> Tensor:
    """Rounded cosine coefficients of 8 x 8 blocks, coarser for fine detail, as in JPEG (without its colour space)."""
    basis = _cosine_basis(images.dtype)
    count, channels, height, width = images.shape
    blocks = images.reshape(count, channels, height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK)
    coefficients = torch.einsum("ui,ncaibj,vj->ncaubv", basis, blocks, basis)
    order = torch.arange(_BLOCK, dtype=images.dtype)
    step = (0.05 + 0.25 * strength)[:, None, None] * (1.0 + order[:, None] + order[None, :]) / 4.0
    step = step[:, None, None, :, None, :]
    rounded = torch.round(coefficients / step) * step
    return torch.einsum("ui,ncaubv,vj->ncaibj", basis, rounded, basis).reshape(images.shape).clamp_(0.0, 1.0)


def patch_swap(images: Tensor, strength: Tensor, generator: torch.Generator) -> Tensor:
    """Sixteenths of the picture change places: 2 to 16 of them move on by one in a random cycle."""
    count, channels, height, width = images.shape
    rows, columns = height // _PATCH, width // _PATCH
    places = rows * columns
    patches = images.reshape(count, channels, rows, _PATCH, columns, _PATCH).permute(0, 2, 4, 1, 3, 5)
    patches = patches.reshape(count, places, channels, _PATCH, _PATCH)
    moved = (2.0 + (places - 2.0) * strength).round().long()
    order = torch.rand(count, places, generator=generator).argsort(1)
    position = torch.arange(places).expand(count, -1)
    following = torch.where(position < moved[:, None], (position + 1) % moved[:, None], position)
    source = torch.empty_like(order).scatter_(1, order, order.gather(1, following))
    swapped = patches[torch.arange(count)[:, None], source]
    swapped = swapped.reshape(count, rows, columns, channels, _PATCH, _PATCH).permute(0, 3, 1, 4, 2, 5)
    return swapped.reshape(images.shape)


def mirrored_half(images: Tensor, strength: Tensor, _generator: torch.Generator) -> Tensor:
    """The right half fades into the mirrored left one."""
    half = images.shape[-1] // 2
    share = (0.3 + 0.7 * strength)[:, None, None, None]
    right = images[..., half:] + share * (images[..., :half].flip(-1) - images[..., half:])
    return torch.cat([images[..., :half], right], dim=-1)


def colour_shift(images: Tensor, strength: Tensor, generator: torch.Generator) -> Tensor:
    """Each colour is moved by up to 5 to 30 % of full scale."""
    direction = 2.0 * torch.rand(len(images), 3, 1, 1, generator=generator) - 1.0
    direction = direction / direction.abs().amax(1, keepdim=True)
    return (images + (0.05 + 0.25 * strength)[:, None, None, None] * direction).clamp_(0.0, 1.0)


def blend(images: Tensor, strength: Tensor, _generator: torch.Generator) -> Tensor:
    """Another picture of the batch shines through with a weight of 10 to 50 %."""
    weight = (0.1 + 0.4 * strength)[:, None, None, None]
    return images + weight * (images.roll(1, 0) - images)


DEGRADATIONS: Final[tuple[Degradation, ...]] = (
    blur,
    noise,
    quantisation,
    patch_swap,
    mirrored_half,
    colour_shift,
    blend,
)


def _cosine_basis(dtype: torch.dtype) -> Tensor:
    """Return the orthonormal cosine transform of 8 values (Ahmed et al. 1974, doi:10.1109/T-C.1974.223784)."""
    order, place = torch.arange(_BLOCK, dtype=torch.float64), torch.arange(_BLOCK, dtype=torch.float64)
    basis = torch.cos(math.pi / _BLOCK * (place[None, :] + 0.5) * order[:, None]) * math.sqrt(2.0 / _BLOCK)
    basis[0] /= math.sqrt(2.0)
    return basis.to(dtype)
