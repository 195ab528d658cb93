"""Early stopping: which images a run is watched on, by what, and when it has gone far enough.

The validation images are drawn from the training images; the held-out images of the data set stay unseen. What is
watched is the loss of a VAE (reconstruction and divergence, nats an image: minus the evidence lower bound) of the
model as it would be kept. It rises once the encoder learns the training images by heart, in adversarial runs too; it
does not say how good drawn images look, which is why recipes run their schedule and stopping is off by default.

Source: L. Prechelt, doi:10.1007/978-3-642-35289-8_5 (stopping after a number of epochs without a better one).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import binary_cross_entropy_with_logits

from ferrogen.core.errors import argument_error, is_whole
from ferrogen.core.streams import Purpose, Streams
from ferrogen.generation.convolutional.model import ConvVAE
from ferrogen.generation.convolutional.trainer import ConvTrainingSettings
from ferrogen.generation.datasets.image_set import ImageSet
from ferrogen.generation.model_file import AnyVAE
from ferrogen.generation.pictures import as_network_input
from ferrogen.generation.trainer import TrainingSettings

VALIDATION_SHARE: Final = 0.1
_AT_ONCE: Final = 256


def split_validation(data: ImageSet, seed: int) -> tuple[ImageSet, NDArray[np.uint8]]:
    """Take a tenth of the training images away, drawn by seed, to watch the training on.

    Returns:
        The data without them (what is left keeps its order), and the images taken.

    Raises:
        ArgumentError: fewer than two training images.
    """
    count = len(data.train_images)
    if count < 2:
        raise argument_error("data", "hold at least two training images for --patience", count)
    taken = np.zeros(count, bool)
    order = Streams(seed).generator(Purpose.DATA_SPLIT, 1).permutation(count)
    taken[order[: max(1, round(VALIDATION_SHARE * count))]] = True
    labels = None if data.train_labels is None else data.train_labels[~taken]
    kept = replace(data, train_images=data.train_images[~taken], train_labels=labels)
    return kept, data.train_images[taken]


@torch.no_grad()
def validation_loss(
    model: AnyVAE, images: NDArray[np.uint8], settings: TrainingSettings | ConvTrainingSettings
) -> float:
    """Return reconstruction plus weighted divergence in nats an image, with the same noise at every call.

    Args:
        model: in evaluation mode.
        images: uint8, as in an :class:`~ferrogen.generation.datasets.image_set.ImageSet`.
        settings: of the training: weight of the divergence, deviation of a pixel (convolutional models), seed.
    """
    generator = torch.Generator().manual_seed(int(Streams(settings.seed).key(Purpose.DATA_SPLIT, 2)))
    total = 0.0
    for first in range(0, len(images), _AT_ONCE):
        real = as_network_input(images[first : first + _AT_ONCE].astype(np.float32) / 255.0, model.spec)
        mean, log_variance = model.encoder(real)
        latents = mean + (log_variance / 2).exp() * torch.randn(mean.shape, generator=generator)
        if isinstance(model, ConvVAE) and isinstance(settings, ConvTrainingSettings):
            squares = (model.decoder(latents) - real).square().sum()
            reconstruction = squares / (2.0 * settings.pixel_deviation**2)
        else:
            reconstruction = binary_cross_entropy_with_logits(model.decoder.logits(latents), real, reduction="sum")
        divergence = (mean.square() + log_variance.exp() - 1.0 - log_variance).sum() / 2
        total += float(reconstruction + settings.divergence_weight * divergence)
    return total / len(images)


def check_patience(patience: int | None) -> None:
    """Refuse what is no positive whole number.

    Raises:
        ArgumentError: with the value.
    """
    if patience is not None and not is_whole(patience, 1):
        raise argument_error("patience", "be a whole number of epochs, at least 1", repr(patience))


def is_best(losses: Sequence[float]) -> bool:
    """Return whether the last loss is below all others."""
    return all(losses[-1] < loss for loss in losses[:-1])


def should_stop(losses: Sequence[float], patience: int) -> bool:
    """Return whether the last ``patience`` losses brought no better one than there was before."""
    return len(losses) > patience and min(losses[-patience:]) >= min(losses[:-patience])
