"""Are generated images copies of training images? Held-out images are the yardstick."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.metrics.checks import check_images, check_matrix
from ferrogen.metrics.score import Score, bootstrap, percentile_interval, proportion_score

_CHUNK_VALUES: Final = 30_000_000  # 120 MB of float32
_YARDSTICK: Final = 0.01

Progress = Callable[[float], None]
"""Called with the finished fraction, from 0 to 1."""


@dataclass(frozen=True)
class NearestTraining:
    """For each image its nearest training image.

    Attributes:
        distances: float64 ``(n,)``, Euclidean distance over pixels in units of full grey scale.
        indices: int64 ``(n,)``, the position of the nearest image among the training images (for a figure of
            pairs).
        held_out_distances: float64 ``(m,)``, the same distance for the held-out images.
        scores: ``nearest_training_distance`` and ``nearest_held_out_distance`` (medians), ``close_copies``
            (share of images nearer to a training image than 99 % of held-out images are).
    """

    distances: NDArray[np.float64]
    indices: NDArray[np.int64]
    held_out_distances: NDArray[np.float64]
    scores: dict[str, Score]


def nearest_training_distance(
    images: ArrayLike,
    train_images: ArrayLike,
    held_out: ArrayLike,
    *,
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
        images: ``(n, h, w)`` in [0, 1], to judge.
        train_images: ``(t, h, w)``, what the generator was trained on.
        held_out: real images it was not trained on, ``(m, h, w)``, or the distances ``(m,)`` that an earlier
            result holds for them in ``held_out_distances``.
        seed: addresses the bootstrap of the medians.
        progress: called with the finished fraction.

    Returns:
        Distances, indices and scores. Costs 2 (n + m) t h w operations in float32; memory about 150 MB and a
        copy of the training images beside the images. The reported distances are recomputed in float64.

    Raises:
        ArgumentError: shapes that do not fit, empty sets, NaN, values outside [0, 1].
    """
    own = check_images("images", images)
    height, width = own.shape[1:]
    train = check_images("train_images", train_images, height=height, width=width)
    report = progress or (lambda _fraction: None)
    if np.ndim(held_out) == 1:
        yardstick = check_matrix("held_out", np.reshape(held_out, (-1, 1)))[:, 0]
        share = 1.0
    else:
        others = check_images("held_out", held_out, height=height, width=width)
        share = len(own) / (len(own) + len(others))
        yardstick, _ = find_nearest(others, train, lambda done: report((1.0 - share) * done))
    distances, indices = find_nearest(own, train, lambda done: report(1.0 - share + share * done))
    threshold = float(np.quantile(yardstick, _YARDSTICK))
    unit = "pixel L2 distance (full scale = 1) to the nearest training image"
    scores = [
        _median_score("nearest_training_distance", distances, f"Median {unit}", seed),
        _median_score("nearest_held_out_distance", yardstick, f"The same for held-out images: median {unit}", seed),
        proportion_score(
            "close_copies",
            int(np.count_nonzero(distances < threshold)),
            len(own),
            f"Share of images nearer to a training image than {threshold:.4g}, the 1st percentile of"
            f" {len(yardstick)} held-out images' distances (an honest sampler has about 0.01);"
            " 95 % Wilson interval, threshold held fixed.",
            "" if len(yardstick) >= 100 else f"{len(yardstick)} held-out images do not determine a 1st percentile",
        ),
    ]
    return NearestTraining(distances, indices, yardstick, {score.name: score for score in scores})


def find_nearest(
    images: NDArray[np.float32], train: NDArray[np.float32], progress: Progress
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return distance and index of the nearest of ``train`` for each image, by chunked matrix products."""
    count = len(images)
    centre = train.mean(axis=0, dtype=np.float64).astype(np.float32).ravel()  # smaller numbers, smaller rounding
    points = images.reshape(count, -1) - centre
    # |x - t|^2 - |x|^2 = |t|^2 - 2 x.t is one product with an extra column.
    targets = np.empty((len(train), points.shape[1] + 1), dtype=np.float32)
    np.subtract(train.reshape(len(train), -1), centre, out=targets[:, :-1])
    targets[:, -1] = np.einsum("ij,ij->i", targets[:, :-1], targets[:, :-1])
    targets[:, :-1] *= -2.0
    points = np.concatenate([points, np.ones((count, 1), dtype=np.float32)], axis=1)
    indices = np.empty(count, dtype=np.int64)
    step = max(1, _CHUNK_VALUES // len(targets))
    for first in range(0, count, step):
        rows = slice(first, first + step)
        indices[rows] = (points[rows] @ targets.T).argmin(axis=1)
        progress(min(1.0, (first + step) / count))
    difference = images.reshape(count, -1).astype(np.float64) - train.reshape(len(train), -1)[indices]
    return np.sqrt(np.einsum("ij,ij->i", difference, difference)), indices


def _median_score(name: str, values: NDArray[np.float64], text: str, seed: int) -> Score:
    ordered = np.sort(values)

    def weighted_median(weights: NDArray[np.float64]) -> float:
        return float(ordered[np.searchsorted(np.cumsum(weights), len(ordered) / 2.0)])

    low, high = percentile_interval(bootstrap(weighted_median, len(ordered), seed=seed))
    value = float(np.median(ordered))
    definition = f"{text}; 95 % bootstrap interval over images."
    return Score(name, value, min(low, value), max(high, value), len(ordered), definition)
