"""``generate``: images of a chip beside their ideals, with scores, counts and provenance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.core.errors import argument_error
from ferrogen.generation.decoder import chip_spec_for
from ferrogen.generation.generator import ChipGenerator
from ferrogen.generation.model_file import AnyVAE, load_vae
from ferrogen.generation.provenance import provenance
from ferrogen.generation.scores import image_scores, judge_of, latent_scores
from ferrogen.mapping.layer import Fidelity
from ferrogen.metrics.score import Score
from ferrogen.sampler.latents import SamplerSpec

_LARGEST_COUNT = 1_000_000


@dataclass(frozen=True, slots=True)
class GenerationRun:
    """What a run made.

    Attributes:
        images: of the chip, float32 ``(count, height, width)`` or ``(count, height, width, 3)`` in [0, 1].
        ideal: of the float32 decoder fed with ideal noise, same shape.
        chip_latents_ideal_decoder: of the float32 decoder fed with the chip's latents, same shape.
        latents: the chip's, float32 ``(count, latents)``.
        scores: of the chip's images and latents, by name; empty where too few images make them meaningless.
        record: provenance, counts and assumptions, ready for JSON.
    """

    images: NDArray[np.float32]
    ideal: NDArray[np.float32]
    chip_latents_ideal_decoder: NDArray[np.float32]
    latents: NDArray[np.float32]
    scores: dict[str, Score]
    record: dict[str, Any]


def check_count(count: int) -> None:
    """Refuse a number of images that makes no sense.

    Raises:
        ArgumentError: below 1 or above a million.
    """
    if type(count) is not int or not 1 <= count <= _LARGEST_COUNT:
        raise argument_error("count", f"be a whole number of images from 1 to {_LARGEST_COUNT}", repr(count))


def generate(
    model: AnyVAE | str | Path,
    chip: Chip | str | Path = "hzo-mfis-nor",
    point: OperatingPoint | None = None,
    *,
    count: int = 64,
    first: int = 0,
    seed: int = 0,
    sampler: SamplerSpec | None = None,
    fidelity: Fidelity = "statistical",
    features: str | Path | None = "by model",
    progress: Callable[[int], None] | None = None,
) -> GenerationRun:
    """Make images on a dual-mode chip.

    Args:
        model: a VAE, ``"mnist"``, ``"faces"``, or the path of a weight file.
        chip: which chip: its card, seed, spec and threads. A fresh one like it is programmed, so that equal calls give
            equal images; yours is left alone. Or a device card (its name or path), for a chip with tiles that suit the
            model (:func:`.decoder.chip_spec_for`).
        point: operating point; the card's default, if not given.
        count: how many images.
        first: number of the first image; image k is the same in every run of one fidelity with the same chip, seed and
            point.
        seed: of the chip, if it is made here.
        sampler: how latents are read.
        fidelity: of latents and products: ``statistical``, or ``cell`` (every trap followed; slow).
        features: the network that judges the images; None: images get no scores. By default that of a shipped model,
            and none for others.
        progress: called with the number of images done since the last call.

    Raises:
        ArgumentError: a count outside 1 to 1,000,000, or a negative first image.
        FerrogenError: an unusable card, weight file or operating point.
    """
    check_count(count)
    if first < 0:
        raise argument_error("first", "be an image number that is not negative", first)
    judge = judge_of(model) if features == "by model" else features
    model = load_vae(model) if isinstance(model, str | Path) else model
    if isinstance(chip, Chip):
        made = Chip(chip.device, seed=chip.seed, spec=chip.spec, threads=chip.threads)
    else:
        made = Chip(chip, seed=seed, spec=chip_spec_for(model))
    generator = ChipGenerator(model, made, point, sampler or SamplerSpec(), fidelity)
    images, latents = generator.images_and_latents(first, count, progress)
    scores = latent_scores(latents, made.seed) | image_scores(images, judge, made.seed)
    record = provenance(generator, count)
    record["scores"] = {name: score.to_dict() for name, score in scores.items()}
    return GenerationRun(
        images=images,
        ideal=generator.decode_ideally(generator.ideal_latents(first, count)),
        chip_latents_ideal_decoder=generator.decode_ideally(latents),
        latents=latents,
        scores=scores,
        record=record,
    )
