"""How data are trained on if nobody says otherwise: network and settings by size and colours of the images."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, TypeAlias

from ferrogen.core.errors import argument_error
from ferrogen.generation.adversary import GROUP
from ferrogen.generation.convolutional.model import FIRST_SIDE, ConvVAESpec
from ferrogen.generation.convolutional.trainer import ConvTrainingSettings
from ferrogen.generation.datasets.image_set import ImageSet
from ferrogen.generation.model import SIDE, VAESpec
from ferrogen.generation.trainer import TrainingSettings

AnySpec: TypeAlias = VAESpec | ConvVAESpec
AnySettings: TypeAlias = TrainingSettings | ConvTrainingSettings


class RecipeName(StrEnum):
    """Recipes that made shipped weights."""

    MNIST = "mnist"
    FACES = "faces"


RECIPE_SIZES: Final[dict[RecipeName, tuple[int, int]]] = {RecipeName.MNIST: (SIDE, 1), RecipeName.FACES: (64, 3)}
"""Side and channels of the images that a named recipe is for."""

_LAST_CHANNELS: Final = 32
_MOST_CHANNELS: Final = 256
_SIDES: Final = (16, 32, 64, 128, 256)


def recipe_for(
    data: ImageSet, *, epochs: int | None = None, seed: int = 0, latent: int | None = None, threads: int | None = None
) -> tuple[AnySpec, AnySettings]:
    """Choose network and settings for a data set.

    Images of 28 x 28 grey pixels get the linear layers that draw MNIST. Others get the convolutional network: at
    64 x 64 RGB pixels that of the shipped faces; at other sizes the same with as many doublings as the side needs, and
    with the weight of a nat scaled by the number of pixel values, as the adversarial term does not grow with it.

    Args:
        data: the images.
        epochs: passes over them; None: as many as made the shipped weights of the kind.
        seed: of the training.
        latent: latent dimensions; None: those of the shipped weights.
        threads: of a convolutional run, part of what makes its bits; None: as many as made the shipped faces.

    Raises:
        ArgumentError: images of a side that no network has, fewer than eight training images, or threads for a network
            of linear layers.
        ValidationError: a value out of its range (pydantic).
    """
    count = len(data.train_images)
    if count < GROUP:
        raise argument_error("data", f"hold at least {GROUP} training images", count)
    chosen: dict[str, object] = {} if latent is None else {"latent": latent}
    given: dict[str, object] = {"seed": seed} if epochs is None else {"seed": seed, "epochs": epochs}
    # The deviation within groups of eight images is part of the critic: a batch is made of whole groups.
    batch = count // GROUP * GROUP
    if (data.side, data.channels) == (SIDE, 1):
        if threads is not None:
            must = f"be left out for {SIDE} x {SIDE} grey pixels, which are learnt on one thread"
            raise argument_error("threads", must, threads)
        linear = TrainingSettings.model_validate(given)
        return VAESpec.model_validate(chosen), _smaller(linear, batch)
    if data.side not in _SIDES:
        raise argument_error("side", f"be one of {', '.join(map(str, _SIDES))} pixels", f"{data.side} pixels")
    widths = _widths(data.side)
    size = {"side": data.side, "channels": data.channels, "decoder_channels": widths, "encoder_channels": widths[::-1]}
    spec = ConvVAESpec.model_validate(size | chosen)
    given |= {} if threads is None else {"threads": threads}
    faces = ConvVAESpec()
    if (spec.side, spec.channels) != (faces.side, faces.channels):
        weight = ConvTrainingSettings().vae_weight * faces.pixel_values / spec.pixel_values
        given |= {"critic_channels": widths[::-1], "vae_weight": weight}
    return spec, _smaller(ConvTrainingSettings.model_validate(given), batch)


def _smaller(settings: AnySettings, batch: int) -> AnySettings:
    return settings if settings.batch <= batch else settings.model_copy(update={"batch": batch})


def _widths(side: int) -> tuple[int, ...]:
    levels = (side // FIRST_SIDE).bit_length() - 1
    return tuple(min(_MOST_CHANNELS, _LAST_CHANNELS * 2**k) for k in reversed(range(levels)))
