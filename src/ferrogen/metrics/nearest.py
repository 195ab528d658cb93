"""Are generated images copies of training images? Held-out images are the yardstick."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.errors import argument_error
from ferrogen.metrics.checks import check_matrix, check_pictures
from ferrogen.metrics.score import Score, bootstrap, percentile_interval, proportion_score

_CHUNK_VALUES: Final = 30_000_000  # 120 MB of float32
_YARDSTICK: Final = 0.01

Progress = Callable[[float], None]
"""Called with the finished fraction, from 0 to 1."""


@dataclass(frozen=True)
class NearestTraining:
    """For each image its nearest training image.

    Attributes:
        distances: float64 ``(n,)``, Euclidean distance (over pixels in units of full scale, or over features).
        indices: int64 ``(n,)``, the position of the nearest image among the training images.
        mirrored: bool ``(n,)``, whether that training image is nearest as its mirror image.
        held_out_distances: float64 ``(m,)``, the same distance for the held-out images.
        scores: ``nearest_training_distance`` and ``nearest_held_out_distance`` (medians), ``close_copies``
            (share of images nearer to a training image than 99 % of held-out images are); over features
            ``nearest_training_feature_distance``, ``nearest_held_out_feature_distance``, ``close_copies_in_features``.
    """

    distances: NDArray[np.float64]
    indices: NDArray[np.int64]
    mirrored: NDArray[np.bool_]
    held_out_distances: NDArray[np.float64]
    scores: dict[str, Score]


def nearest_training_distance(
    images: ArrayLike,
    train_images: ArrayLike,
    held_out: ArrayLike,
    *,
    mirrored: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> NearestTraining:
    """Find each image's nearest training image, and judge the distances by those of held-out images.

    A generator that copies has distances far below those of images that were never trained on. The threshold
    is the 1st percentile of the held-out images' distances: of honest samples about 1 % lie below it. Pixel
    distance does not see shifted copies, and smooth or faint images are near to everything, so this can clear
    a generator of plain copying only (cf. Meehan et al. 2020, doi:10.48550/arXiv.2004.05675, for the
    comparison with held-out data).

    Args:
        images: ``(n, h, w)`` or ``(n, h, w, 3)`` in [0, 1], to judge.
        train_images: ``(t, h, w)`` or ``(t, h, w, 3)``, what the generator was trained on.
        held_out: real images it was not trained on, of the same shape, or the distances ``(m,)`` that an earlier
            result holds for them in ``held_out_distances``.
        mirrored: mirrored training images count too (training mirrors photographs); for the yardstick also.
        seed: addresses the bootstrap of the medians.
        progress: called with the finished fraction.

    Returns:
        Distances, indices and scores. Costs 2 (n + m) t h w operations in float32 (three times that in colour, twice
        with mirror images); memory about 150 MB and a copy of the training images beside the images. The reported
        distances are recomputed in float64.

    Raises:
        ArgumentError: shapes that do not fit, empty sets, NaN, values outside [0, 1].
    """
    own = check_pictures("images", images)
    train = check_pictures("train_images", train_images, shape=own.shape[1:])
    report = progress or (lambda _fraction: None)
    if np.ndim(held_out) == 1:
        yardstick = check_matrix("held_out", np.reshape(held_out, (-1, 1)))[:, 0]
        share = 1.0
    else:
        others = check_pictures("held_out", held_out, shape=own.shape[1:])
        share = len(own) / (len(own) + len(others))
        yardstick = search_training(others, train, mirrored=mirrored, progress=lambda done: report((1 - share) * done))[
            0
        ]
    found = search_training(own, train, mirrored=mirrored, progress=lambda done: report(1.0 - share + share * done))
    return _judged(*found, yardstick, seed, in_features=False)


def nearest_training_features(
    features: ArrayLike, train_features: ArrayLike, held_out_distances: ArrayLike, *, seed: int = 0
) -> NearestTraining:
    """Do the same in the space of a feature network, where a shifted or recoloured copy is still near.

    Args:
        features: ``(n, d)``, or ``(n, 2, d)`` for images and their mirror images, of which the nearer counts.
        train_features: ``(t, d)`` of the training images.
        held_out_distances: ``(m,)``, those of held-out images (:func:`search_features`).
        seed: addresses the bootstrap of the medians.

    Raises:
        ArgumentError: shapes that do not fit, empty sets, NaN or infinity.
    """
    found = search_features(features, train_features)
    yardstick = check_matrix("held_out_distances", np.reshape(held_out_distances, (-1, 1)))[:, 0]
    return _judged(*found, yardstick, seed, in_features=True)


def search_features(
    features: ArrayLike, train_features: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return distance and index of the nearest training image in feature space, and whether the mirror image won.

    Raises:
        ArgumentError: shapes that do not fit, empty sets, NaN or infinity.
    """
    train = check_matrix("train_features", train_features)
    given = np.asarray(features)
    both = given.ndim == 3
    own = check_matrix("features", given.reshape(-1, given.shape[-1]) if both else given, columns=train.shape[1])
    parts = own.reshape(given.shape).swapaxes(0, 1) if both else own[None]
    return _nearer([find_nearest(part, train, lambda _done: None) for part in parts])


def search_training(
    images: NDArray[np.float32], train: NDArray[np.float32], *, mirrored: bool, progress: Progress
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return distance and index of the nearest training image over pixels, and whether its mirror image is meant."""
    if not mirrored:
        return _nearer([find_nearest(images, train, progress)])
    # The image mirrored against the training image is the same distance, and there are fewer images.
    plain = find_nearest(images, train, lambda done: progress(0.5 * done))
    return _nearer([plain, find_nearest(images[:, :, ::-1], train, lambda done: progress(0.5 + 0.5 * done))])


def closest_pairs(
    images: NDArray[np.float32], train: NDArray[np.float32], nearest: NearestTraining, count: int = 16
) -> NDArray[np.float32]:
    """Return the images nearest to a training image and these, for a figure: ``(2, count, *picture)``.

    A training image that is near as its mirror image is returned mirrored.

    Raises:
        ArgumentError: a count below 1, or another number of images than was searched.
    """
    if count < 1:
        raise argument_error("count", "be at least 1", count)
    if len(images) != len(nearest.distances):
        raise argument_error("images", f"hold {len(nearest.distances)} images, as were searched", len(images))
    chosen = np.argsort(nearest.distances, kind="stable")[:count]
    found = train[nearest.indices[chosen]]
    turned = nearest.mirrored[chosen]
    found[turned] = found[turned][:, :, ::-1]
    return np.stack([images[chosen], found])


def find_nearest(
    images: NDArray[np.floating], train: NDArray[np.floating], progress: Progress
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return distance and index of the nearest of ``train`` for each image, by chunked matrix products."""
    count, size = len(images), int(np.prod(images.shape[1:]))
    rows_of_train = train.reshape(len(train), size)
    centre = rows_of_train.mean(axis=0, dtype=np.float64).astype(np.float32)  # smaller numbers, smaller rounding
    # |x - t|^2 - |x|^2 = |t|^2 - 2 x.t is one product with an extra column.
    targets = np.empty((len(train), size + 1), dtype=np.float32)
    np.subtract(rows_of_train, centre, out=targets[:, :-1], casting="same_kind")
    targets[:, -1] = np.einsum("ij,ij->i", targets[:, :-1], targets[:, :-1])
    targets[:, :-1] *= -2.0
    distances, indices = np.empty(count), np.empty(count, dtype=np.int64)
    step = max(1, _CHUNK_VALUES // max(len(targets), 4 * size))
    for first in range(0, count, step):
        rows = slice(first, first + step)
        part = images[rows].reshape(-1, size)
        points = np.ones((len(part), size + 1), dtype=np.float32)
        np.subtract(part, centre, out=points[:, :-1], casting="same_kind")
        indices[rows] = (points @ targets.T).argmin(axis=1)
        difference = part.astype(np.float64) - rows_of_train[indices[rows]]
        distances[rows] = np.sqrt(np.einsum("ij,ij->i", difference, difference))
        progress(min(1.0, (first + step) / count))
    return distances, indices


def _nearer(
    found: list[tuple[NDArray[np.float64], NDArray[np.int64]]],
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_]]:
    distances, indices = found[0]
    if len(found) == 1:
        return distances, indices, np.zeros(len(distances), dtype=bool)
    turned = found[1][0] < distances
    return np.where(turned, found[1][0], distances), np.where(turned, found[1][1], indices), turned


def _judged(
    distances: NDArray[np.float64],
    indices: NDArray[np.int64],
    turned: NDArray[np.bool_],
    yardstick: NDArray[np.float64],
    seed: int,
    *,
    in_features: bool,
) -> NearestTraining:
    threshold = float(np.quantile(yardstick, _YARDSTICK))
    kind = "feature_distance" if in_features else "distance"
    space = "distance in feature space" if in_features else "pixel L2 distance (full scale = 1)"
    unit = f"{space} to the nearest training image"
    scores = [
        _median_score(f"nearest_training_{kind}", distances, f"Median {unit}", seed),
        _median_score(f"nearest_held_out_{kind}", yardstick, f"The same for held-out images: median {unit}", seed),
        proportion_score(
            "close_copies_in_features" if in_features else "close_copies",
            int(np.count_nonzero(distances < threshold)),
            len(distances),
            f"Share of images whose {space} to a training image is below {threshold:.4g}, the 1st percentile of"
            f" {len(yardstick)} held-out images' distances (an honest sampler has about 0.01);"
            " 95 % Wilson interval, threshold held fixed.",
            "" if len(yardstick) >= 100 else f"{len(yardstick)} held-out images do not determine a 1st percentile",
        ),
    ]
    return NearestTraining(distances, indices, turned, yardstick, {score.name: score for score in scores})


def _median_score(name: str, values: NDArray[np.float64], text: str, seed: int) -> Score:
    ordered = np.sort(values)

    def weighted_median(weights: NDArray[np.float64]) -> float:
        return float(ordered[np.searchsorted(np.cumsum(weights), len(ordered) / 2.0)])

    low, high = percentile_interval(bootstrap(weighted_median, len(ordered), seed=seed))
    value = float(np.median(ordered))
    definition = f"{text}; 95 % bootstrap interval over images."
    return Score(name, value, min(low, value), max(high, value), len(ordered), definition)
