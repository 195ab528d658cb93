"""The Frechet distance between two sets of features."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.errors import argument_error
from ferrogen.metrics.checks import check_matrix
from ferrogen.metrics.score import CONFIDENCE, Score, percentile_interval, resampling_weights

_ENOUGH_RESAMPLES: Final = 40
_DEFINITION: Final = (
    "|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) of the feature means and covariances"
    " (Heusel 2017, doi:10.48550/arXiv.1706.08500); lower is better; biased upwards for finite n, so compare"
    " equal n only; 95 % bootstrap interval over {what}, shifted by the bootstrap's own bias."
)


@dataclass(frozen=True)
class Moments:
    """Mean and covariance of a feature set: all that the Frechet distance needs of it.

    Attributes:
        mean: float64 ``(d,)``.
        covariance: float64 ``(d, d)``, symmetric, with the divisor n - 1.
        count: the number of samples behind them.
    """

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    count: int

    def __post_init__(self) -> None:
        size = len(self.mean)
        if self.mean.ndim != 1 or size == 0 or self.covariance.shape != (size, size):
            shapes = f"{self.mean.shape} and {self.covariance.shape}"
            raise argument_error("moments", "have a mean (d,) and a covariance (d, d)", f"of shapes {shapes}")
        if not (np.isfinite(self.mean).all() and np.isfinite(self.covariance).all()):
            raise argument_error("moments", "be finite", "not: they hold NaN or infinity")
        if self.count < 2:
            raise argument_error("count", "be at least 2", self.count)


def feature_moments(features: ArrayLike) -> Moments:
    """Return mean and covariance of features ``(n, d)``.

    Raises:
        ArgumentError: no matrix, fewer than 2 rows, NaN or infinity.
    """
    matrix = check_matrix("features", features, rows=2)
    mean, covariance = _moments(matrix, None)
    return Moments(mean, covariance, len(matrix))


def frechet_distance(
    features_a: ArrayLike | Moments,
    features_b: ArrayLike | Moments,
    *,
    seed: int = 0,
    resamples: int = 100,
) -> Score:
    """Measure how far two feature sets are apart, as if both were Gaussian.

    ``|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))`` (Heusel et al. 2017, doi:10.48550/arXiv.1706.08500; the
    distance itself: Dowson and Landau 1982, doi:10.1016/0047-259X(82)90077-X). The estimate is biased upwards
    by a term in 1/n that differs between generators, so values at different n must not be compared; below n =
    2 d the covariance is hardly determined and ``note`` says so. A resample adds that bias a second time,
    which is why the percentile interval is shifted back by the mean excess of the resamples over the
    estimate; that excess estimates the bias and stands in ``note`` where it exceeds a tenth of the value. In
    the space of the shipped digit network this is *not* the Inception FID.

    Args:
        features_a: the features to judge, ``(n, d)``, or their moments.
        features_b: the reference, ``(m, d)``, or its precomputed moments. A set given by its moments is held
            fixed in the interval.
        seed: addresses the bootstrap draws.
        resamples: how many, at least 2; a resample costs O(n d^2 + d^3). Below 40 they are too few for
            percentiles, and their standard deviation gives a Student t interval instead.

    Returns:
        Score ``frechet_distance`` in squared feature units, n from ``features_a``.

    Raises:
        ArgumentError: shapes that do not fit, fewer than 2 rows, NaN or infinity, fewer than 2 resamples.
    """
    if resamples < 2:
        raise argument_error("resamples", "be at least 2", resamples)
    sample_a, moments_a = _given("features_a", features_a)
    sample_b, moments_b = _given("features_b", features_b)
    size = len(moments_a.mean)
    if len(moments_b.mean) != size:
        raise argument_error("features_b", f"have {size} columns, as features_a has", f"{len(moments_b.mean)} wide")
    value = gaussian_frechet_distance(moments_a, moments_b)

    count = min(moments_a.count, moments_b.count)
    notes = []
    if count < 2 * size:
        notes.append(f"n = {count} is below 2 d = {2 * size}: the covariance is poorly known, the value mostly bias")
    resampled = _resampled(sample_a, sample_b, moments_a, moments_b, seed, resamples)
    if resampled is None:
        low = high = math.nan
        what = "nothing (only moments were given)"
    else:
        bias = float(resampled.mean()) - value
        ends = percentile_interval(resampled) if resamples >= _ENOUGH_RESAMPLES else _normal_interval(resampled)
        low, high = (max(0.0, end - bias) for end in ends)
        low, high = min(low, value), max(high, value)
        what = "both sets" if sample_a is not None and sample_b is not None else "one set, the other held fixed"
        if bias > 0.1 * value:
            notes.append(f"bias from finite n is about {bias:.3g}")
    return Score("frechet_distance", value, low, high, moments_a.count, _DEFINITION.format(what=what), "; ".join(notes))


def gaussian_frechet_distance(a: Moments, b: Moments) -> float:
    """Return the squared Frechet (2-Wasserstein) distance of two Gaussians, never negative.

    With any R R^T = C1, tr (C1 C2)^(1/2) is the sum of the square roots of the eigenvalues of R^T C2 R, which is
    symmetric and positive semidefinite: no complex numbers, no offset for singular covariances.
    """
    root = _root(a.covariance)
    inner = root.T @ b.covariance @ root
    cross = float(np.sqrt(np.clip(np.linalg.eigvalsh((inner + inner.T) / 2.0), 0.0, None)).sum())
    difference = a.mean - b.mean
    distance = difference @ difference + np.trace(a.covariance) + np.trace(b.covariance) - 2.0 * cross
    return max(0.0, float(distance))


def _root(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return R with R R^T = C: Cholesky, several times quicker than eigenvectors, unless C is singular."""
    try:
        return np.asarray(np.linalg.cholesky(covariance), dtype=np.float64)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(covariance)
        return np.asarray(vectors * np.sqrt(np.clip(values, 0.0, None)))


def _given(name: str, value: ArrayLike | Moments) -> tuple[NDArray[np.float64] | None, Moments]:
    if isinstance(value, Moments):
        return None, value
    matrix = check_matrix(name, value, rows=2)
    return matrix, Moments(*_moments(matrix, None), len(matrix))


def _moments(
    matrix: NDArray[np.float64], weights: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weighted mean and covariance; the weights sum to n, as if row i stood there ``weights[i]`` times."""
    count = len(matrix)
    if weights is None:
        mean = matrix.mean(axis=0)
        centred = matrix - mean
        return mean, centred.T @ centred / (count - 1)
    mean = weights @ matrix / count
    centred = (matrix - mean) * np.sqrt(weights)[:, None]
    return mean, centred.T @ centred / (count - 1)


def _normal_interval(resampled: NDArray[np.float64]) -> tuple[float, float]:
    from scipy.special import stdtrit

    half = float(stdtrit(len(resampled) - 1, 0.5 + CONFIDENCE / 2.0)) * float(resampled.std(ddof=1))
    return float(resampled.mean()) - half, float(resampled.mean()) + half


def _resampled(
    sample_a: NDArray[np.float64] | None,
    sample_b: NDArray[np.float64] | None,
    moments_a: Moments,
    moments_b: Moments,
    seed: int,
    resamples: int,
) -> NDArray[np.float64] | None:
    if sample_a is None and sample_b is None:
        return None
    draws = []
    for address, (sample, fixed) in enumerate([(sample_a, moments_a), (sample_b, moments_b)]):
        if sample is None:
            draws.append([fixed] * resamples)
        else:
            weights = resampling_weights(len(sample), seed=seed, resamples=resamples, address=address)
            draws.append([Moments(*_moments(sample, row), len(sample)) for row in weights])
    return np.array([gaussian_frechet_distance(a, b) for a, b in zip(*draws, strict=True)])
