"""What is measured of one case on one chip, such that two cases can be compared image by image.

All cases of a chip are resampled with the same weights (the bootstrap's for the Frechet distance, the groups that the
jackknife leaves out for the kernel distance): differences of resamples are resamples of the difference.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ferrogen.metrics.classes import classifier_confidence
from ferrogen.metrics.features import Features
from ferrogen.metrics.frechet import Moments, feature_moments, gaussian_frechet_distance
from ferrogen.metrics.manifold import precision_recall
from ferrogen.metrics.score import resampling_weights

RESAMPLES = 100
GROUPS = 50
STRIP = 8
"""Images of every case that are kept for the figure."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Real images, as the feature network sees them.

    Attributes:
        moments: of their features.
        features: of some of them, ``(m, d)``, for kernel distance, precision and recall; None: moments are all.
    """

    moments: Moments
    features: Array | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """One case on one chip.

    Attributes:
        frechet: distance to the reference.
        frechet_resampled: the same under resampling, ``(RESAMPLES,)``.
        kernel: distance to the reference; NaN without features of real images.
        kernel_left_out: the same without each group of images, ``(GROUPS,)``.
        rms_decoder: of pixels against the float32 decoder with the same latents [1].
        rms_ideal: of pixels against the ideal image of the same number [1].
        confidence: mean of the largest class probability; NaN without classes.
        precision: NaN without features of real images; likewise ``recall``.
        strip: the first images, uint8.
    """

    frechet: float
    frechet_resampled: Array
    kernel: float
    kernel_left_out: Array
    rms_decoder: float
    rms_ideal: float
    confidence: float
    precision: float
    recall: float
    strip: NDArray[np.uint8]

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return all fields as arrays, to be kept in a file."""
        return {item.name: np.asarray(getattr(self, item.name)) for item in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> Measurement:
        """Return what :meth:`arrays` gave.

        Raises:
            KeyError: an array is missing.
            ValueError: one has another shape or kind.
        """
        values: dict[str, object] = {}
        for item in fields(cls):
            array = np.asarray(arrays[item.name])
            wanted = {"frechet_resampled": 1, "kernel_left_out": 1}.get(item.name, 0)
            if item.name == "strip":
                if array.dtype != np.uint8 or array.ndim not in (3, 4):
                    raise ValueError(item.name)
                values[item.name] = array
                continue
            if array.dtype != np.float64 or array.ndim != wanted:
                raise ValueError(item.name)
            values[item.name] = array if wanted else float(array)
        return cls(**values)  # type: ignore[arg-type]


def measure(
    pictures: NDArray[np.float32],
    decoded: NDArray[np.float32],
    ideal: NDArray[np.float32],
    seen: Features,
    reference: Reference,
    *,
    seed: int,
) -> Measurement:
    """Measure one case on one chip.

    Args:
        pictures: of the case, in [0, 1].
        decoded: by the float32 decoder from the same latents.
        ideal: pictures of the same numbers.
        seen: features of ``pictures``.
        reference: real images.
        seed: of the chip, from which the resampling follows.
    """
    features = np.asarray(seen.features, dtype=np.float64)
    own = feature_moments(features)
    resampled = np.array(
        [
            gaussian_frechet_distance(_weighted(features, weights), reference.moments)
            for weights in resampling_weights(len(features), seed=seed, resamples=RESAMPLES)
        ]
    )
    kernel, left_out, precision, recall = math.nan, np.full(GROUPS, math.nan), math.nan, math.nan
    if reference.features is not None:
        kernel, left_out = _kernel(features, reference.features)
        precision, recall = (score.value for score in precision_recall(features, reference.features))
    return Measurement(
        frechet=gaussian_frechet_distance(own, reference.moments),
        frechet_resampled=resampled,
        kernel=kernel,
        kernel_left_out=left_out,
        rms_decoder=_rms(pictures, decoded),
        rms_ideal=_rms(pictures, ideal),
        confidence=math.nan if seen.probabilities is None else classifier_confidence(seen.probabilities).value,
        precision=precision,
        recall=recall,
        strip=np.round(255.0 * np.clip(pictures[:STRIP], 0.0, 1.0)).astype(np.uint8),
    )


def _rms(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean((one - other) ** 2, dtype=np.float64)))


def _weighted(features: Array, weights: Array) -> Moments:
    """Return the moments of features of which row i stands there ``weights[i]`` times."""
    mean = weights @ features / len(features)
    centred = (features - mean) * np.sqrt(weights)[:, None]
    return Moments(mean, centred.T @ centred / (len(features) - 1), len(features))


def _kernel(features: Array, reference: Array) -> tuple[float, Array]:
    """Return the unbiased squared discrepancy with the kernel (x.y / d + 1)^3, whole and without each group of rows.

    Binkowski et al. 2018, doi:10.48550/arXiv.1801.01401; the reference is held fixed.
    """
    edges = np.linspace(0, len(features), GROUPS + 1).round().astype(int)
    groups = [slice(int(a), int(b)) for a, b in itertools.pairwise(edges)]
    sizes = np.diff(edges).astype(np.float64)

    def sums(one: Array, other: Array) -> float:
        inner: Array = one @ other.T / one.shape[1] + 1.0
        return float((inner * inner * inner).sum())

    def diagonal(rows: Array) -> float:
        return float((((rows**2).sum(axis=1) / rows.shape[1] + 1.0) ** 3).sum())

    within = np.zeros((GROUPS, GROUPS))
    for i, rows in enumerate(groups):
        inner = features[rows] @ features[edges[i] :].T / features.shape[1] + 1.0
        columns = (inner * inner * inner).sum(axis=0)
        within[i, i:] = np.add.reduceat(columns, edges[i:-1] - edges[i])
        within[i:, i] = within[i, i:]
        within[i, i] -= diagonal(features[rows])
    between = np.array([sums(features[rows], reference) for rows in groups])
    count, many = float(len(features)), float(len(reference))
    constant = (sums(reference, reference) - diagonal(reference)) / (many * (many - 1.0))

    def value(inside: Array | float, across: Array | float, n: Array | float) -> Array:
        return np.asarray(inside / (n * (n - 1.0)) + constant - 2.0 * across / (n * many))

    total, crossed = float(within.sum()), float(between.sum())
    left = value(total - 2.0 * within.sum(axis=1) + np.diag(within), crossed - between, count - sizes)
    return float(value(total, crossed, count)), left
