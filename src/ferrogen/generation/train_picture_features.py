"""Training of the feature network of photographs, without labels (:mod:`ferrogen.metrics.picture_network`).

A Frechet distance sees what the features carry, so three tasks say what that must be:

- which picture is it: two crops of one picture are found among all others (SimCLR, T. Chen et al., arXiv:2002.05709).
  Crops are shifted, turned and zoomed; colours are left alone and mirroring makes another picture, so that hair, skin,
  background and pose all count;
- what is wrong with it: one of the :mod:`ferrogen.generation.degradations`, and how strongly; sharpness and artefacts;
- what does it roughly look like: its 8 x 8 miniature, linearly from the features; colours and where they are.

The covariance term of VICReg (A. Bardes et al., arXiv:2105.04906) keeps features from saying the same twice.

The run is a pure function of (images, epochs, seed) on one machine and torch version. The heads are not kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ferrogen.core.errors import argument_error
from ferrogen.core.streams import Purpose, Streams
from ferrogen.generation.degradations import DEGRADATIONS
from ferrogen.generation.feature_training import cosine_schedule, fill, one_thread
from ferrogen.metrics.picture_network import (
    PICTURE_FEATURES,
    PICTURE_SIDE,
    PictureNetwork,
    as_colour_input,
    empty_picture_network,
)

DEFAULT_EPOCHS: Final = 45
CLEAN: Final = 128
PER_KIND: Final = 8
BATCH: Final = CLEAN + PER_KIND * len(DEGRADATIONS)
"""Pictures per step, each seen as two crops."""

_PEAK_RATE: Final = 2e-3
_WEIGHT_DECAY: Final = 1e-3
_TEMPERATURE: Final = 0.2
_PROJECTION: Final = 64
_MINIATURE: Final = 8
_MINIATURE_SCALE: Final = 0.1  # untrained heads answer with a deviation near one, pixels with a fifth
_MINIATURE_WEIGHT: Final = 1.0
_KIND_WEIGHT: Final = 1.0
_STRENGTH_WEIGHT: Final = 2.0
_COVARIANCE_WEIGHT: Final = 0.1
_MAX_SHIFT: Final = 6
_MAX_ZOOM: Final = 0.25
_MAX_TURN: Final = 0.17  # radians: ten degrees

Step = Callable[[int, dict[str, float]], None]
"""Called after each step with the number of steps done and the parts of the loss."""


class Tasks(nn.Module):
    """The heads that training hangs on the features and throws away."""

    def __init__(self) -> None:
        super().__init__()
        self.projection = nn.Sequential(
            nn.Linear(PICTURE_FEATURES, 2 * _PROJECTION), nn.ReLU(), nn.Linear(2 * _PROJECTION, _PROJECTION)
        )
        self.kind = nn.Sequential(nn.Linear(PICTURE_FEATURES, 64), nn.ReLU(), nn.Linear(64, len(DEGRADATIONS) + 2))
        self.miniature = nn.Linear(PICTURE_FEATURES, 3 * _MINIATURE**2)


def fit_picture_network(
    pictures: NDArray[np.uint8], *, epochs: int = DEFAULT_EPOCHS, seed: int = 0, step_done: Step | None = None
) -> PictureNetwork:
    """Train the network on pictures without labels.

    Args:
        pictures: uint8 ``(n, side, side)`` or ``(n, side, side, 3)``, at least one batch of 184.
        epochs: passes over them.
        seed: addresses the initial weights, the order and all crops and degradations.
        step_done: called after each step.

    Returns:
        The network in evaluation mode, its features standardised on the pictures as they are.

    Raises:
        ArgumentError: too few pictures, fewer than one epoch, or a bad seed.
    """
    if epochs < 1:
        raise argument_error("epochs", "be at least 1", epochs)
    if len(pictures) < BATCH:
        raise argument_error("data", f"hold at least {BATCH} training images", len(pictures))
    streams = Streams(seed)
    with one_thread():
        images = _stored(pictures)
        network, tasks = empty_picture_network().to_empty(device="cpu"), _empty_tasks()
        fill(network, streams, 0)
        fill(tasks, streams, 1)
        for parameter in network.parameters():
            if parameter.ndim == 4:  # what convolutions are fastest with
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        _fit(network, tasks, images, epochs, streams, step_done or (lambda _done, _parts: None))
        _standardise(network, images)
    return network.eval().requires_grad_(requires_grad=False)


def _empty_tasks() -> Tasks:
    with torch.device("meta"):
        tasks = Tasks()
    return tasks.to_empty(device="cpu")


def _stored(pictures: NDArray[np.uint8]) -> Tensor:
    """Hold all pictures as uint8 ``(n, 3, 64, 64)``."""
    parts = [
        (255.0 * as_colour_input(pictures[first : first + 1000].astype(np.float32) / 255.0)).round().to(torch.uint8)
        for first in range(0, len(pictures), 1000)
    ]
    return torch.cat(parts)


def _fit(network: PictureNetwork, tasks: Tasks, images: Tensor, epochs: int, streams: Streams, step_done: Step) -> None:
    parameters = [*network.parameters(), *tasks.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=_PEAK_RATE, weight_decay=_WEIGHT_DECAY)
    per_epoch = len(images) // BATCH
    network.train()
    for epoch in range(epochs):
        order = torch.from_numpy(streams.generator(Purpose.FEATURE_TRAINING, 0, epoch).permutation(len(images)))
        for index in range(per_epoch):
            done = epoch * per_epoch + index
            generator = torch.Generator().manual_seed(int(streams.key(Purpose.FEATURE_TRAINING, 1, done)) >> 1)
            for group in optimiser.param_groups:
                group["lr"] = _PEAK_RATE * cosine_schedule(done / (epochs * per_epoch), rise=0.1)
            chosen = images[order[index * BATCH : (index + 1) * BATCH]].float() / 255.0
            parts = losses(network, tasks, chosen, generator)
            optimiser.zero_grad()
            torch.stack(list(parts.values())).sum().backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            step_done(done + 1, {name: float(value.detach()) for name, value in parts.items()})


def losses(network: PictureNetwork, tasks: Tasks, images: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    """Return the weighted parts of the loss for one batch ``(184, 3, 64, 64)`` in [0, 1]."""
    mirrored = torch.rand(len(images), 1, 1, 1, generator=generator) < 0.5
    images = torch.where(mirrored, images.flip(-1), images)
    strength = torch.rand(len(images), generator=generator)
    strength[:CLEAN] = 0.0
    views = [_degraded(_crop(images, generator), strength, generator) for _ in range(2)]
    both = torch.cat(views).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        features = network(both)
        projected, named, miniature = tasks.projection(features), tasks.kind(features), tasks.miniature(features)
    kinds = torch.cat([torch.zeros(CLEAN), torch.arange(1, len(DEGRADATIONS) + 1).repeat_interleave(PER_KIND)])
    kinds, strengths = kinds.long().repeat(2), strength.repeat(2)
    wanted = functional.avg_pool2d(both, PICTURE_SIDE // _MINIATURE).flatten(1)
    spread = wanted.var(0).mean()
    return {
        "contrast": _contrast(projected.float()),
        "kind": _KIND_WEIGHT * functional.cross_entropy(named[:, :-1].float(), kinds),
        "strength": _STRENGTH_WEIGHT * functional.mse_loss(named[:, -1].float(), strengths),
        "miniature": _MINIATURE_WEIGHT
        * functional.mse_loss(0.5 + _MINIATURE_SCALE * miniature.float(), wanted)
        / spread,
        "covariance": _COVARIANCE_WEIGHT * _covariance(features),
    }


def _contrast(projected: Tensor) -> Tensor:
    """Cross entropy of finding the other crop among all (arXiv:2002.05709, equation 1)."""
    unit = functional.normalize(projected, dim=1)
    likeness = unit @ unit.T / _TEMPERATURE
    likeness.fill_diagonal_(-1e9)
    half = len(unit) // 2
    return functional.cross_entropy(likeness, torch.arange(len(unit)).roll(half))


def _covariance(features: Tensor) -> Tensor:
    """Sum of squared covariances of different features over their number (arXiv:2105.04906, equation 4)."""
    centred = features - features.mean(0)
    covariance = centred.T @ centred / (len(features) - 1)
    return (covariance.square().sum() - covariance.diagonal().square().sum()) / features.shape[1]


def _degraded(images: Tensor, strength: Tensor, generator: torch.Generator) -> Tensor:
    parts = [images[:CLEAN]]
    for index, degradation in enumerate(DEGRADATIONS):
        rows = slice(CLEAN + index * PER_KIND, CLEAN + (index + 1) * PER_KIND)
        parts.append(degradation(images[rows], strength[rows], generator))
    return torch.cat(parts)


def _crop(images: Tensor, generator: torch.Generator) -> Tensor:
    """Shift every image by whole pixels with mirrored borders; then turn and zoom every second one.

    Whole pixels keep the half that is not turned as sharp as the data; bicubic sampling blurs the other half least.
    """
    count = len(images)
    padded = functional.pad(images, (_MAX_SHIFT,) * 4, mode="reflect")
    corners = torch.randint(0, 2 * _MAX_SHIFT + 1, (2, count, 1), generator=generator) + torch.arange(PICTURE_SIDE)
    shifted = padded.permute(0, 2, 3, 1)[
        torch.arange(count)[:, None, None], corners[0][:, :, None], corners[1][:, None]
    ].permute(0, 3, 1, 2)
    amount = torch.rand(2, (count + 1) // 2, generator=generator)
    angle = _MAX_TURN * (2.0 * amount[0] - 1.0)
    zoom = 1.0 / (1.0 + _MAX_ZOOM * amount[1])
    cosine, sine, zero = zoom * angle.cos(), zoom * angle.sin(), torch.zeros_like(angle)
    matrices = torch.stack([cosine, -sine, zero, sine, cosine, zero], dim=1).reshape(-1, 2, 3)
    turned = shifted[::2]
    grid = functional.affine_grid(matrices, list(turned.shape), align_corners=False)
    sampled = functional.grid_sample(turned, grid, "bicubic", "reflection", align_corners=False)
    result = shifted.clone()
    result[::2] = sampled.clamp(0.0, 1.0)
    return result


@torch.no_grad()
def _standardise(network: PictureNetwork, images: Tensor) -> None:
    """Set mean and variance of the features to those of the pictures themselves, mirrored ones included."""
    network.eval()
    found = torch.cat(
        [
            network.trunk((part.float() / 255.0 - 0.5) * 2.0)
            for whole in torch.split(images, 500)
            for part in (whole, whole.flip(-1))
        ]
    ).double()
    mean, variance = network.standardise.running_mean, network.standardise.running_var
    if mean is not None and variance is not None:
        mean.copy_(found.mean(0))
        variance.copy_(found.var(0))
