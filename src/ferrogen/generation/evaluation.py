"""``evaluate``: a chip's images against real ones, beside the same model in float32 with ideal noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferrogen.core.errors import argument_error
from ferrogen.generation.datasets.image_set import ImageSet
from ferrogen.generation.generator import ChipGenerator
from ferrogen.generation.pictures import picture_shape
from ferrogen.generation.provenance import provenance
from ferrogen.generation.scores import latent_scores
from ferrogen.metrics.evaluate import evaluate_images, prepare_reference
from ferrogen.metrics.features import FeatureNetwork
from ferrogen.metrics.inception import InceptionNetwork
from ferrogen.metrics.nearest import find_nearest
from ferrogen.metrics.score import Score

_SHOWN = 64
_SEARCHED = 1000  # images among which the figure's nearest pairs are looked for; the scores search all

Stage = Callable[[str, float], None]
"""Called with what is being done and the finished fraction of the whole."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores of three generators that share a decoder.

    Attributes:
        chip: latents and products of the chip.
        ideal: float32 decoder, pseudo-random latents.
        chip_latents: float32 decoder, the chip's latents.
        latents: statistics of the chip's latents.
        frechet_ratio: Frechet distance of ``chip`` over that of ``ideal``.
        nearest_pairs: of the first thousand images those closest to a training image, and these, ``(2, k, *picture)``.
        images: the first 64 of the chip and of the ideal model, ``(2, k, *picture)``.
        record: provenance and all scores, ready for JSON.
    """

    chip: dict[str, Score]
    ideal: dict[str, Score]
    chip_latents: dict[str, Score]
    latents: dict[str, Score]
    frechet_ratio: Score
    nearest_pairs: NDArray[np.float32]
    images: NDArray[np.float32]
    record: dict[str, Any]


def _ratio(chip: Score, ideal: Score) -> Score:
    """Divide two Frechet distances; the interval treats their errors as independent (first order)."""
    value = chip.value / ideal.value
    spread = np.hypot((chip.high - chip.low) / chip.value, (ideal.high - ideal.low) / ideal.value) / 2.0
    return Score(
        name="frechet_ratio",
        value=value,
        low=value * (1.0 - float(spread)),
        high=value * (1.0 + float(spread)),
        n=chip.n,
        definition="Frechet distance of the chip over that of the float32 model with ideal noise, both against the"
        " test images; 95 % interval from the two distances' own, taken as independent",
    )


def check_shape(generator: ChipGenerator, data: ImageSet) -> None:
    """Refuse images of another size or colour than the model's.

    Raises:
        ArgumentError: with both shapes.
    """
    wanted, found = picture_shape(generator.vae.spec), data.test_images.shape[1:]
    if found != wanted:
        remedy = "Use the data that the model was trained on, or train a model on these (`ferrogen train`)."
        raise argument_error("data", f"hold images of the model's shape, {_size(wanted)}", _size(found), remedy)


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[0]} x {shape[1]} {'grey' if len(shape) == 2 else 'RGB'}"


def evaluate(
    generator: ChipGenerator,
    data: ImageSet,
    *,
    count: int = 10_000,
    network: FeatureNetwork | None = None,
    inception: InceptionNetwork | None = None,
    progress: Stage | None = None,
) -> Evaluation:
    """Compare a chip's images, and its latents alone, with the ideal model, against a data set's test images.

    Args:
        generator: model on a chip at its operating point.
        data: real images, of the model's size and colours.
        count: how many images each generator makes, at least 16.
        network: feature network; the shipped one for pictures of this shape, if not given.
        inception: the user's Inception network, for the standard FID.
        progress: called with the stage and the finished fraction.

    Raises:
        ArgumentError: a count below 16, or data of another size.
    """
    if count < 16:
        raise argument_error("count", "be at least 16 images", count)
    check_shape(generator, data)
    if network is None:
        from ferrogen.metrics.features import feature_network_for

        network = feature_network_for(picture_shape(generator.vae.spec))
    report = progress or (lambda _stage, _done: None)
    done = 0

    def made(step: int) -> None:
        nonlocal done
        done += step
        report("images of the chip", 0.35 * done / count)

    images, latents = generator.images_and_latents(0, count, made)
    test, train = (part.astype(np.float32) / 255.0 for part in (data.test_images, data.train_images))
    report("reference", 0.4)
    reference = prepare_reference(test, train, network=network, held_out=max(1000, count // 2))
    report("scores of the chip", 0.55)
    chip = evaluate_images(images, reference, inception=inception, seed=generator.chip.seed)
    alone = replace(reference, train_images=None, held_out_distances=None)
    report("scores of the ideal model", 0.8)
    ideal_images = generator.decode_ideally(generator.ideal_latents(0, count))
    ideal = evaluate_images(ideal_images, alone, inception=inception, seed=generator.chip.seed)
    report("scores of the chip's latents", 0.88)
    with_latents = evaluate_images(generator.decode_ideally(latents), alone, seed=generator.chip.seed)
    statistics = latent_scores(latents, generator.chip.seed)
    report("nearest training images", 0.96)
    distances, nearest = find_nearest(images[:_SEARCHED], train, lambda _done: None)
    closest = np.argsort(distances)[:16]
    ratio = _ratio(chip["frechet_distance"], ideal["frechet_distance"])
    record = provenance(generator, count)
    record["data"] = {
        "read_as": data.description.name,
        "skipped": list(data.skipped),
        "train_images": len(data.train_images),
        "test_images": len(data.test_images),
        "train_fingerprint": data.fingerprint,
    }
    record["scores"] = {
        "frechet_ratio": ratio.to_dict(),
        "chip": {name: score.to_dict() for name, score in chip.items()},
        "ideal": {name: score.to_dict() for name, score in ideal.items()},
        "chip_latents_ideal_decoder": {name: score.to_dict() for name, score in with_latents.items()},
        "latents": {name: score.to_dict() for name, score in statistics.items()},
    }
    report("done", 1.0)
    return Evaluation(
        chip=chip,
        ideal=ideal,
        chip_latents=with_latents,
        latents=statistics,
        frechet_ratio=ratio,
        nearest_pairs=np.stack([images[closest], train[nearest[closest]]]),
        images=np.stack([images[:_SHOWN], ideal_images[:_SHOWN]]),
        record=record,
    )
