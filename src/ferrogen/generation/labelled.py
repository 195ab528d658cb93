"""Images of wanted classes, drawn by a chip: class by class, latents from its noise through the prior of the class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferrogen.core.errors import argument_error
from ferrogen.generation.class_prior import ClassPrior, class_latents
from ferrogen.generation.generator import ChipGenerator
from ferrogen.generation.provenance import provenance
from ferrogen.generation.run import check_count
from ferrogen.metrics.features import load_feature_network
from ferrogen.metrics.score import Score, proportion_score


@dataclass(frozen=True, slots=True)
class LabelledRun:
    """What was drawn, class by class.

    Attributes:
        images: of the chip, float32 ``(classes, count, height, width)`` or ``(..., 3)``, in [0, 1].
        ideal: of the same latents in the float32 decoder, same shape.
        latents: float32 ``(classes, count, latent)``.
        components: of the prior that were taken, ``(classes, count)``.
        names: of the classes.
        scores: how often the classifier names the wanted class, by name; empty without a classifier.
        record: provenance and scores, ready for JSON.
    """

    images: NDArray[np.float32]
    ideal: NDArray[np.float32]
    latents: NDArray[np.float32]
    components: NDArray[np.int64]
    names: tuple[str, ...]
    scores: dict[str, Score]
    record: dict[str, Any]


def generate_labelled(
    generator: ChipGenerator,
    prior: ClassPrior,
    classes: Sequence[int],
    *,
    count: int = 64,
    first: int = 0,
    spread: float = 1.0,
    features: str | Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> LabelledRun:
    """Draw images of wanted classes.

    Image j of the r-th class is the chip's image ``first + r * count + j``.

    Args:
        generator: model on a chip.
        prior: of its classes.
        classes: indices of the wanted ones, e.g. ``prior.numbers("0-9")``.
        count: images of each class.
        first: number of the first image.
        spread: of the noise around the components' means; below 1, more typical images.
        features: network whose ten classes are those of the prior, to say how often it names the wanted one.
        progress: called with the number of images done since the last call.

    Raises:
        ArgumentError: a class that the prior does not have, or numbers that make no sense.
    """
    check_count(count)
    if not classes or not all(0 <= number < len(prior.spec.names) for number in classes):
        raise argument_error("classes", f"be indices from 0 to {len(prior.spec.names) - 1}", list(classes))
    if not (np.isfinite(spread) and 0.0 <= spread <= 10.0):
        raise argument_error("spread", "be a number from 0 to 10", spread)
    if first < 0:
        raise argument_error("first", "be an image number that is not negative", first)
    check_count(count * len(classes))
    labels = np.repeat(np.asarray(classes, dtype=np.int64), count)
    latents, components = class_latents(prior, generator, labels, first, spread)
    made = generator.decode(latents, np.arange(first, first + len(labels), dtype=np.int64), progress)
    names = tuple(prior.spec.names[number] for number in classes)
    scores = {} if features is None else label_scores(made, labels, prior.spec.names, features)
    record = provenance(generator, len(labels))
    record["classes"] = {
        "names": list(names),
        "images_each": count,
        "first_image_number": first,
        "spread": spread,
        "components": prior.spec.components,
        "choice": "component by one more reading of the cells: image k takes latent k mod d of an extra reading of d"
        " latents; no pseudo-random number",
        "extra_windows": 2 * -(-len(labels) // generator.latents),
        "fit": prior.spec.facts,
    }
    record["scores"] = {name: score.to_dict() for name, score in scores.items()}
    shape = (len(classes), count)
    ideal = generator.decode_ideally(latents)
    return LabelledRun(
        images=made.reshape(*shape, *made.shape[1:]),
        ideal=ideal.reshape(*shape, *ideal.shape[1:]),
        latents=latents.reshape(*shape, -1),
        components=components.reshape(shape),
        names=names,
        scores=scores,
        record=record,
    )


def label_scores(
    images: NDArray[np.float32], labels: NDArray[np.int64], names: Sequence[str], features: str | Path
) -> dict[str, Score]:
    """Score how often a classifier names the wanted class: for each class, and for all (Wilson intervals).

    Args:
        images: ``(n, 28, 28)`` in [0, 1].
        labels: index of the wanted class of each, ``(n,)``.
        names: of the classes.
        features: a network whose classes are these.

    Raises:
        ArgumentError: a network of other classes.
    """
    probabilities = load_feature_network(features).extract(images).probabilities
    if probabilities is None or probabilities.shape[1] != len(names):
        raise argument_error("features", f"be a classifier of {len(names)} classes", f"'{features}'")
    found = probabilities.argmax(axis=1)
    definition = "Share of images whose most probable class, for the feature network, is the wanted one; Wilson."
    scores = [proportion_score("label_accuracy", int((found == labels).sum()), len(labels), definition)]
    for k in np.unique(labels):
        hits = found[labels == k] == k
        scores.append(proportion_score(f"label_accuracy_{names[k]}", int(hits.sum()), len(hits), definition))
    return {score.name: score for score in scores}
