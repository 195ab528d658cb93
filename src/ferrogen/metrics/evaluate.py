"""All image scores in one call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.errors import argument_error
from ferrogen.metrics.checks import check_pictures
from ferrogen.metrics.classes import (
    class_entropy,
    class_histogram,
    classifier_confidence,
    diversity,
    feature_diversity,
)
from ferrogen.metrics.feature_set import Features
from ferrogen.metrics.frechet import frechet_distance
from ferrogen.metrics.kernel import kernel_distance
from ferrogen.metrics.manifold import density_coverage, precision_recall
from ferrogen.metrics.nearest import (
    NearestTraining,
    nearest_training_distance,
    nearest_training_features,
    search_features,
    search_training,
)
from ferrogen.metrics.score import Score
from ferrogen.metrics.similarity import pair_similarity

if TYPE_CHECKING:  # the networks bring torch, which scores of ready features do not need
    from ferrogen.metrics.features import FeatureNetwork
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
        images: float32 ``(m, h, w)`` or ``(m, h, w, 3)`` in [0, 1], not seen in training.
        features: what ``network`` sees in them.
        network: the feature network.
        train_images: float32, of the same shape, what the generator was trained on, if copies are to be looked for.
        held_out_distances: from the images (or a part of them) to the nearest training image.
        train_features: float64 ``(t, d)``, of the training images; None for classifiers, see :func:`judge_images`.
        held_out_feature_distances: as ``held_out_distances``, in feature space.
    """

    images: NDArray[np.float32]
    features: Features
    network: FeatureNetwork
    train_images: NDArray[np.float32] | None
    held_out_distances: NDArray[np.float64] | None
    train_features: NDArray[np.float64] | None = None
    held_out_feature_distances: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class ImageJudgement:
    """Scores, and for each image the training image nearest to it.

    Attributes:
        scores: by name.
        nearest: over pixels; None without training images.
        nearest_in_features: in feature space; None without training images, and for classifiers.
    """

    scores: dict[str, Score]
    nearest: NearestTraining | None
    nearest_in_features: NearestTraining | None


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
        reference_images: ``(m, h, w)`` or ``(m, h, w, 3)`` in [0, 1], m >= 6, best the test images.
        train_images: of the same shape; without them no copies are looked for.
        network: by default the shipped one for the images' shape
            (:func:`ferrogen.metrics.features.feature_network_for`).
        held_out: of how many reference images, evenly spread, the nearest training image is found; by default
            of all.
        progress: called with stage and fraction.

    Raises:
        ArgumentError: shapes that do not fit, too few images, NaN, values outside [0, 1], ``held_out`` < 1.
    """
    from ferrogen.metrics.features import feature_network_for

    report = progress or (lambda _stage, _fraction: None)
    if held_out is not None and held_out < 1:
        raise argument_error("held_out", "be at least 1", held_out)
    images = _enough("reference_images", check_pictures("reference_images", reference_images))
    train = None if train_images is None else check_pictures("train_images", train_images, shape=images.shape[1:])
    network = network or feature_network_for(images.shape[1:])
    report("reference features", 0.0)
    features = network.extract(images)
    if train is None:
        report("reference", 1.0)
        return ReferenceSet(images, features, network, None, None)
    yardstick = images[:: max(1, len(images) // (held_out or len(images)))]
    distances, _, _ = search_training(
        yardstick,
        train,
        mirrored=network.mirrored,
        progress=lambda done: report("nearest training images", 0.3 + 0.4 * done),
    )
    if network.class_count:
        report("reference", 1.0)
        return ReferenceSet(images, features, network, train, distances)
    report("features of the training images", 0.7)
    known = network.extract(train).features
    feature_distances, _, _ = search_features(_both_ways(network, yardstick), known)
    report("reference", 1.0)
    return ReferenceSet(images, features, network, train, distances, known, feature_distances)


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
    """Score generated images against real ones; see :func:`judge_images`, whose ``scores`` these are."""
    return judge_images(
        images, reference_images, train_images, network=network, inception=inception, seed=seed, progress=progress
    ).scores


def judge_images(
    images: ArrayLike,
    reference_images: ArrayLike | ReferenceSet,
    train_images: ArrayLike | None = None,
    *,
    network: FeatureNetwork | None = None,
    inception: InceptionNetwork | None = None,
    seed: int = 0,
    progress: StageProgress | None = None,
) -> ImageJudgement:
    """Score generated images against real ones, in every way this package knows.

    About 30 s for 10,000 digits against 10,000 and 60,000 on one core, a few seconds for 64; about a minute for 5,000
    faces against 2,000 and 8,000. Scores that depend on n carry a note below 128 images. None of them is an Inception
    score unless ``inception`` is given. Copies are looked for in feature space only by networks without classes: a
    classifier's features are meant to forget all but the class.

    Args:
        images: ``(n, h, w)`` or ``(n, h, w, 3)`` in [0, 1], n >= 6.
        reference_images: real images of the same shape, or what :func:`prepare_reference` made of them (then
            leave out ``train_images`` and ``network``).
        train_images: what the generator was trained on; without them no copies are looked for.
        network: the feature network; by default the shipped one for the images' shape.
        inception: the user's Inception network, for ``inception_frechet_distance`` (minutes to hours).
        seed: addresses the bootstrap draws and the pairs.
        progress: called with stage and fraction.

    Returns:
        Scores by name: ``frechet_distance``, ``kernel_distance``, ``precision``, ``recall``, ``density``,
        ``coverage``, ``diversity``, ``ms_ssim``, ``ms_ssim_held_out``; if the network has classes
        ``diversity_within_class``, ``class_entropy``, ``classifier_confidence``, ``class_0`` ...; with training images
        ``nearest_training_distance``, ``nearest_held_out_distance``, ``close_copies``, and from a network without
        classes the same in feature space (``close_copies_in_features`` ...); with Inception
        ``inception_frechet_distance``. And the nearest training images.

    Raises:
        ArgumentError: shapes that do not fit, too few images, NaN, values outside [0, 1], or a prepared
            reference together with ``train_images`` or ``network``.
    """
    report = progress or (lambda _stage, _fraction: None)
    own = _enough("images", check_pictures("images", images))
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
    own = check_pictures("images", own, shape=reference.images.shape[1:])
    report("features", 0.45)
    found = reference.network.extract(own)
    scores = _feature_scores(found, reference, seed, lambda stage, done: report(stage, 0.55 + 0.15 * done))
    report("similarity of pairs", 0.7)
    scores += _similarity_scores(own, reference.images, seed)
    nearest = nearest_in_features = None
    if reference.train_images is not None and reference.held_out_distances is not None:
        nearest = nearest_training_distance(
            own,
            reference.train_images,
            reference.held_out_distances,
            mirrored=reference.network.mirrored,
            seed=seed,
            progress=lambda done: report("nearest training images", 0.75 + 0.2 * done),
        )
        scores += nearest.scores.values()
        if reference.train_features is not None and reference.held_out_feature_distances is not None:
            report("nearest training images in feature space", 0.95)
            nearest_in_features = nearest_training_features(
                _both_ways(reference.network, own, found.features),
                reference.train_features,
                reference.held_out_feature_distances,
                seed=seed,
            )
            scores += nearest_in_features.scores.values()
    if inception is not None:
        scores.append(_inception_score(own, reference.images, inception, seed, report))
    report("done", 1.0)
    return ImageJudgement({score.name: score for score in scores}, nearest, nearest_in_features)


def _both_ways(
    network: FeatureNetwork, images: NDArray[np.float32], plain: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Return the features of images, with those of their mirror images ``(n, 2, d)`` if these count."""
    plain = network.extract(images).features if plain is None else plain
    return np.stack([plain, network.extract(images[:, :, ::-1]).features], axis=1) if network.mirrored else plain


def _feature_scores(found: Features, reference: ReferenceSet, seed: int, report: StageProgress) -> list[Score]:
    real = reference.features
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
    if found.probabilities is None or real.probabilities is None:
        return [*scores, feature_diversity(found.features, real.features)]
    labels, real_labels = found.probabilities.argmax(axis=1), real.probabilities.argmax(axis=1)
    scores += diversity(found.features, labels, real.features, real_labels)
    scores.append(class_entropy(found.probabilities, seed=seed))
    scores.append(classifier_confidence(found.probabilities))
    scores += class_histogram(found.probabilities, reference.network.class_names).values()
    return scores


def _similarity_scores(own: NDArray[np.float32], real: NDArray[np.float32], seed: int) -> list[Score]:
    held_out = pair_similarity(real, seed=seed, name="ms_ssim_held_out")
    return [
        pair_similarity(own, seed=seed),
        replace(held_out, definition=f"The same for the held-out images: {held_out.definition}"),
    ]


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
