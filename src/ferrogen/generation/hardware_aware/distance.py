"""How far a chip's pictures are from the float decoder's, in numbers that a decoder can be trained by.

Pixels alone are not enough: where noise cannot be undone, the least squared error is that of a blurred mean, whose
pictures are off as a set though each is nearer. So the sets are compared, too: mean and covariance of the features
before the last layer of the model's own encoder. The network that judges pictures is never used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ferrogen.generation.hardware_aware.settings import HardwareSettings
from ferrogen.generation.model_file import AnyVAE

_LEAST_VARIANCE = 1e-12  # of features, so that a decoder without any variety can be judged, too


@dataclass(frozen=True, slots=True)
class Distance:
    """Of two sets of pictures of the same latents; tensors of shape ``()``.

    Attributes:
        pixels: mean square of the difference of pixels.
        latents: mean square of the difference of the latent means that the encoder finds.
        mean: |m1 - m2|^2 of the features' means, over the trace of the wanted covariance.
        covariance: |C1 - C2|^2 of the features' covariances (Frobenius), over the wanted one's square.
    """

    pixels: Tensor
    latents: Tensor
    mean: Tensor
    covariance: Tensor

    def total(self, settings: HardwareSettings) -> Tensor:
        """Return the sum with the weights of the settings."""
        return (
            self.pixels
            + settings.latent_weight * self.latents
            + settings.mean_weight * self.mean
            + settings.covariance_weight * self.covariance
        )


def distance(model: AnyVAE, made: Tensor, wanted: Tensor) -> Distance:
    """Compare pictures; gradients go to ``made``.

    Args:
        model: whose encoder sees them.
        made: pictures as the decoder returns them, of at least two latents.
        wanted: of the same latents, same shape.
    """
    with torch.no_grad():
        meant, aim = _seen(model, wanted)
    found, features = _seen(model, made)
    centred, aimed = features - features.mean(dim=0), aim - aim.mean(dim=0)
    size = aimed.square().sum()
    # |A^T A - B^T B|^2 by way of pictures, of which there are fewer than features.
    own, common, target = (
        _product(one, other) for one, other in ((centred, centred), (centred, aimed), (aimed, aimed))
    )
    return Distance(
        pixels=(made - wanted).square().mean(),
        latents=(found - meant).square().mean(),
        mean=len(aim) * (features.mean(dim=0) - aim.mean(dim=0)).square().sum() / size.clamp(min=_LEAST_VARIANCE),
        covariance=(own - 2.0 * common + target) / target.clamp(min=_LEAST_VARIANCE**2),
    )


def _product(one: Tensor, other: Tensor) -> Tensor:
    return (one @ other.T).square().sum()


def _seen(model: AnyVAE, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Return the latent means of pictures, and the features before the encoder's last layer."""
    features: list[Tensor] = []

    def note(_layer: object, inputs: Sequence[Tensor]) -> None:
        features.append(inputs[0])

    handle = model.encoder.head.register_forward_pre_hook(note)
    try:
        mean = model.encoder(pictures)[0]
    finally:
        handle.remove()
    return mean, features[0]
