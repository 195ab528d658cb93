"""All image scores in one call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.errors import argument_error
from ferrogen.metrics.checks import check_images
from ferrogen.metrics.classes import class_entropy, class_histogram, classifier_confidence, diversity
from ferrogen.metrics.frechet import frechet_distance
from ferrogen.metrics.kernel import kernel_distance
from ferrogen.metrics.manifold import density_coverage, precision_recall
from ferrogen.metrics.nearest import nearest_training_distance
from ferrogen.metrics.score import Score

if TYPE_CHECKING:  # the networks bring torch, which scores of ready features do not need
    from ferrogen.metrics.features import FeatureNetwork, Features
    from ferrogen.metrics.inception import InceptionNetwork

_LEAST_IMAGES: Final = 6
_FEW_IMAGES: Final = 128
_INCEPTION_RESAMPLES: Final = 20

StageProgress = Callable[[str, float], None]
"""Called with the stage's name and the finished fraction of the whole, from 0 to 1."""


@dataclass(frozen=True)
class ReferenceSet:
    """Real images with all that can be computed of them once, for a series of evaluations.

    Attributes:
        images: float32 ``(m, 28, 28)`` in [0, 1], not seen in training.
        features: what ``network`` sees in them.
        network: the feature network.
        train_images: float32 ``(t, 28, 28)``, what the generator was trained on, if copies are to be looked
            for.
        held_out_distances: from the images (or a part of them) to the nearest training image.
    """

    images: NDArray[np.float32]
    features: Features
    network: FeatureNetwork
    train_images: NDArray[np.float32] | None
    held_out_distances: NDArray[np.float64] | None


def prepare_reference(
    reference_images: ArrayLike,
    train_images: ArrayLike | None = None,
    *,
    network: FeatureNetwork | None = None,
    held_out: int | None = None,
    progress: StageProgress | None = None,
) -> ReferenceSet:
    """Compute features and nearest-training distances of real images once.

    Args:
        reference_images: ``(m, 28, 28)`` in [0, 1], m >= 6, best the test images.
        train_images: ``(t, 28, 28)``; without them no copies are looked for.
        network: by default the shipped one for MNIST.
        held_out: of how many reference images, evenly spread, the nearest training image is found; by default
            of all.
        progress: called with stage and fraction.

    Raises:
        ArgumentError: shapes that do not fit, too few images, NaN, values outside [0, 1], ``held_out`` < 1.
    """
    from ferrogen.metrics.features import IMAGE_SIZE, load_feature_network
    from ferrogen.metrics.nearest import find_nearest

    report = progress or (lambda _stage, _fraction: None)
    if held_out is not None and held_out < 1:
        raise argument_error("held_out", "be at least 1", held_out)
    size = {"height": IMAGE_SIZE, "width": IMAGE_SIZE}
    images = _enough("reference_images", check_images("reference_images", reference_images, **size))
    train = None if train_images is None else check_images("train_images", train_images, **size)
    network = network or load_feature_network()
    report("reference features", 0.0)
    features = network.extract(images)
    distances = None
    if train is not None:
        distances, _ = find_nearest(
            images[:: max(1, len(images) // (held_out or len(images)))],
            train,
            lambda done: report("nearest training images", 0.3 + 0.7 * done),
        )
    report("reference", 1.0)
    return ReferenceSet(images, features, network, train, distances)


def evaluate_images(
    images: ArrayLike,
    reference_images: ArrayLike | ReferenceSet,
    train_images: ArrayLike | None = None,
    *,
    network: FeatureNetwork | None = None,
    inception: InceptionNetwork | None = None,
    seed: int = 0,
    progress: StageProgress | None = None,
) -> dict[str, Score]:
    """Score generated digits against real ones, in every way this package knows.

    About 30 s for 10,000 images against 10,000 and 60,000 on one core, a few seconds for 64. Scores that
    depend on n carry a note below 128 images. None of them is an Inception score unless ``inception`` is
    given.

    Args:
        images: ``(n, 28, 28)`` in [0, 1], n >= 6.
        reference_images: real images ``(m, 28, 28)``, or what :func:`prepare_reference` made of them (then
            leave out ``train_images`` and ``network``).
        train_images: what the generator was trained on; without them no copies are looked for.
        network: the feature network; by default the shipped one for MNIST.
        inception: the user's Inception network, for ``inception_frechet_distance`` (minutes to hours).
        seed: addresses the bootstrap draws.
        progress: called with stage and fraction.

    Returns:
        Scores by name: ``frechet_distance``, ``kernel_distance``, ``precision``, ``recall``, ``density``,
        ``coverage``, ``diversity``, ``diversity_within_class``, ``class_entropy``, ``classifier_confidence``,
        ``class_0`` to ``class_9``; with training images ``nearest_training_distance``,
        ``nearest_held_out_distance``, ``close_copies``; with Inception ``inception_frechet_distance``.

    Raises:
        ArgumentError: shapes that do not fit, too few images, NaN, values outside [0, 1], or a prepared
            reference together with ``train_images`` or ``network``.
    """
    from ferrogen.metrics.features import IMAGE_SIZE

    report = progress or (lambda _stage, _fraction: None)
    own = _enough("images", check_images("images", images, height=IMAGE_SIZE, width=IMAGE_SIZE))
    if isinstance(reference_images, ReferenceSet):
        for name, value in (("train_images", train_images), ("network", network)):
            if value is not None:
                raise argument_error(name, "be left out when the reference is prepared", "given")
        reference = reference_images
    else:
        reference = prepare_reference(
            reference_images,
            train_images,
            network=network,
            # Enough for a 1st percentile, and no slower than the images themselves.
            held_out=max(1000, len(own) // 2),
            progress=lambda stage, done: report(stage, 0.45 * done),
        )
    report("features", 0.45)
    found = reference.network.extract(own)
    scores = _feature_scores(found, reference.features, seed, lambda stage, done: report(stage, 0.55 + 0.2 * done))
    if reference.train_images is not None and reference.held_out_distances is not None:
        nearest = nearest_training_distance(
            own,
            reference.train_images,
            reference.held_out_distances,
            seed=seed,
            progress=lambda done: report("nearest training images", 0.75 + 0.25 * done),
        )
        scores += nearest.scores.values()
    if inception is not None:
        scores.append(_inception_score(own, reference.images, inception, seed, report))
    report("done", 1.0)
    return {score.name: score for score in scores}


def _feature_scores(found: Features, real: Features, seed: int, report: StageProgress) -> list[Score]:
    scores: list[Score] = []
    report("Frechet distance", 0.0)
    scores.append(frechet_distance(found.features, real.features, seed=seed))
    report("kernel distance", 0.1)
    scores.append(kernel_distance(found.features, real.features))
    report("precision, recall, density, coverage", 0.3)
    few = f"n = {len(found.features)} is small: this score depends on n" if len(found.features) < _FEW_IMAGES else ""
    neighbours = precision_recall(found.features, real.features) + density_coverage(found.features, real.features)
    scores += [replace(score, note=few) for score in neighbours]
    report("diversity and classes", 0.8)
    labels, real_labels = found.probabilities.argmax(axis=1), real.probabilities.argmax(axis=1)
    scores += diversity(found.features, labels, real.features, real_labels)
    scores.append(class_entropy(found.probabilities, seed=seed))
    scores.append(classifier_confidence(found.probabilities))
    scores += class_histogram(found.probabilities).values()
    return scores


def _inception_score(
    own: NDArray[np.float32],
    real: NDArray[np.float32],
    inception: InceptionNetwork,
    seed: int,
    report: StageProgress,
) -> Score:
    features = inception.extract(own, progress=lambda done: report("Inception features", 0.5 * done))
    others = inception.extract(real, progress=lambda done: report("Inception features", 0.5 + 0.5 * done))
    report("Inception Frechet distance", 0.99)
    score = frechet_distance(features, others, seed=seed, resamples=_INCEPTION_RESAMPLES)
    return replace(
        score,
        name="inception_frechet_distance",
        definition=f"Inception FID from the user's weight file, resized to 299x299: {score.definition}",
    )


def _enough(name: str, images: NDArray[np.float32]) -> NDArray[np.float32]:
    if len(images) < _LEAST_IMAGES:
        remedy = "No score of a set means anything below that; 1000 and more are better."
        raise argument_error(name, f"hold at least {_LEAST_IMAGES} images", f"only {len(images)}", remedy)
    return images
