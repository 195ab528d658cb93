"""Given images through the model: encoded digitally, decoded by the chip, with the chip's noise in the latents.

The encoder gives each image a normal law of latents, mean and log variance. Draws from it are ``mean + deviation *
noise`` (D. P. Kingma, M. Welling, arXiv:1312.6114, section 2.4), here with the noise that the chip reads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from ferrogen.core.errors import argument_error, is_whole
from ferrogen.generation.generator import ChipGenerator
from ferrogen.generation.model_file import AnyVAE
from ferrogen.generation.pictures import as_network_input
from ferrogen.generation.provenance import provenance
from ferrogen.metrics.score import Score, mean_score

MOST_RECONSTRUCTIONS: Final = 100_000
"""Images times draws of one run."""

_BATCH: Final = 500

Progress = Callable[[int], None]
"""Called with the number of images done since the last call."""


@dataclass(frozen=True, slots=True)
class Reconstruction:
    """What became of the given images; all float32 in [0, 1], ``(n, height, width)`` or ``(n, height, width, 3)``.

    Attributes:
        originals: the images.
        ideal: from the mean of their latents, float32 decoder.
        from_mean: from the mean of their latents, on the chip.
        draws: from latents with the chip's noise, on the chip, ``(n, draws, height, width[, 3])``.
        mean_of_draws: their mean over the draws.
        latents: of the draws, ``(n, draws, latent)``.
        scores: rms errors and peak signal-to-noise ratios against the originals, by name.
        record: provenance and scores, ready for JSON.
    """

    originals: NDArray[np.float32]
    ideal: NDArray[np.float32]
    from_mean: NDArray[np.float32]
    draws: NDArray[np.float32]
    mean_of_draws: NDArray[np.float32]
    latents: NDArray[np.float32]
    scores: dict[str, Score]
    record: dict[str, Any]


def encode(model: AnyVAE, pictures: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return means and standard deviations of the latents of pictures, each ``(n, latent)``.

    Args:
        model: whose encoder.
        pictures: float32 in [0, 1], of the model's size.

    Raises:
        ArgumentError: pictures of another shape.
    """
    means, deviations = [], []
    with torch.inference_mode():
        for first in range(0, len(pictures), _BATCH):
            mean, log_variance = model.encoder(as_network_input(pictures[first : first + _BATCH], model.spec))
            means.append(mean.numpy())
            deviations.append(torch.exp(0.5 * log_variance).numpy())
    return np.concatenate(means), np.concatenate(deviations)


def reconstruct(
    generator: ChipGenerator,
    pictures: NDArray[np.float32],
    *,
    draws: int = 4,
    first: int = 0,
    progress: Progress | None = None,
) -> Reconstruction:
    """Reconstruct pictures on a chip.

    Draw j of picture k takes the noise and the products of the chip's image ``first + k * draws + j``. The
    reconstructions from the means come after them.

    Args:
        generator: model on a chip.
        pictures: float32 in [0, 1], of the model's size, at least one.
        draws: reconstructions of each.
        first: number of the first image whose noise is taken.
        progress: called with the number of images done since the last call.

    Raises:
        ArgumentError: pictures of another shape or outside [0, 1], or a number that makes no sense.
    """
    if not len(pictures):
        raise argument_error("images", "name at least one image", "none")
    if not is_whole(draws, 1):
        raise argument_error("draws", "be a whole number, at least 1", draws)
    if len(pictures) * draws > MOST_RECONSTRUCTIONS:
        must = f"make at most {MOST_RECONSTRUCTIONS} reconstructions in all"
        raise argument_error("draws", must, f"{draws} of each of {len(pictures)} images")
    if not is_whole(first, 0, 2**38):
        raise argument_error("first", "be an image number that is not negative", first)
    low, high = float(pictures.min()), float(pictures.max())
    if not (low >= 0.0 and high <= 1.0):  # NaN fails both
        raise argument_error("pictures", "hold values from 0 to 1", f"from {low:g} to {high:g}", "Divide by 255.")
    count = len(pictures)
    mean, deviation = encode(generator.vae, pictures)
    noise = generator.draw_latents(first, count * draws).reshape(count, draws, -1)
    latents = (mean[:, None] + deviation[:, None] * noise).astype(np.float32)
    flat = np.concatenate([latents.reshape(count * draws, -1), mean])
    made = generator.decode(flat, np.arange(first, first + len(flat), dtype=np.int64), progress)
    shape = made.shape[1:]
    drawn = made[: count * draws].reshape(count, draws, *shape)
    ideal = generator.decode_ideally(mean)
    mean_of_draws = drawn.mean(axis=1, dtype=np.float64).astype(np.float32)
    scores = _scores(
        pictures,
        {
            "ideal": ideal[:, None],
            "chip_from_mean": made[count * draws :][:, None],
            "chip_draws": drawn,
            "mean_of_chip_draws": mean_of_draws[:, None],
        },
    )
    record = provenance(generator, len(flat))
    record["reconstruction"] = {"pictures": count, "draws": draws, "first_image_number": first}
    record["scores"] = {name: score.to_dict() for name, score in scores.items()}
    return Reconstruction(
        originals=pictures,
        ideal=ideal,
        from_mean=made[count * draws :],
        draws=drawn,
        mean_of_draws=mean_of_draws,
        latents=latents,
        scores=scores,
        record=record,
    )


def _scores(originals: NDArray[np.float32], found: dict[str, NDArray[np.float32]]) -> dict[str, Score]:
    """Score reconstructions ``(n, draws, ...)``: errors of each image are averaged over its draws first."""
    scores: list[Score] = []
    axes = tuple(range(2, originals.ndim + 1))
    for name, images in found.items():
        squared = ((images.astype(np.float64) - originals[:, None]) ** 2).mean(axis=axes)
        errors = np.sqrt(squared).mean(axis=1)
        ratios = (-10.0 * np.log10(np.maximum(squared, 1e-20))).mean(axis=1)
        scores.append(
            mean_score(
                f"{name}_rms_error",
                errors,
                "Root mean square difference from the original over pixels (full scale 1), mean over images (and an"
                " image's draws); 95 % Student t interval over images.",
            )
        )
        scores.append(
            mean_score(
                f"{name}_psnr",
                ratios,
                "Peak signal-to-noise ratio in dB, 10 lg (1 / mean square difference), mean over images (and an"
                " image's draws); 95 % Student t interval over images.",
            )
        )
    return {score.name: score for score in scores}
