"""Gaussian mixtures with full covariances: maximum likelihood by expectation and maximisation, in float64.

Source: A. P. Dempster, N. M. Laird, D. B. Rubin, "Maximum Likelihood from Incomplete Data via the EM Algorithm",
doi:10.1111/j.2517-6161.1977.tb01600.x; first centres as D. Arthur, S. Vassilvitskii, "k-means++", SODA 2007.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from ferrogen.core.errors import argument_error

_ITERATIONS: Final = 30
_CENTRE_ITERATIONS: Final = 10
_FLOOR: Final = 1e-6
"""Added to every variance, so that points in a plane have a density."""
_POINTS_PER_DIMENSION: Final = 4


@dataclass(frozen=True, slots=True)
class GaussianMixture:
    """A mixture of k Gaussians in d dimensions.

    Attributes:
        weights: of the components, ``(k,)``, sum 1.
        means: ``(k, d)``.
        factors: lower triangular Cholesky factors of the covariances, ``(k, d, d)``.
    """

    weights: NDArray[np.float64]
    means: NDArray[np.float64]
    factors: NDArray[np.float64]

    def log_density(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the natural logarithm of the density at points ``(n, d)``, shape ``(n,)``."""
        return np.asarray(np.logaddexp.reduce(_component_log_densities(self, points), axis=1))


def most_components(points: int, dimensions: int) -> int:
    """Return how many components so many points can carry: one for every 4 (d + 1) points, and at least one."""
    return max(1, points // (_POINTS_PER_DIMENSION * (dimensions + 1)))


def fit_mixture(
    points: NDArray[np.floating], components: int, generator: np.random.Generator, *, iterations: int = _ITERATIONS
) -> GaussianMixture:
    """Fit a mixture to points ``(n, d)``.

    Each covariance is pulled towards that of all points, as if it had d more points that are spread as all are, with
    a third of their variance: a component of few points stays a Gaussian. Few points make fewer components
    (:func:`most_components`).

    Args:
        points: float, n > d.
        components: how many at most.
        generator: draws the first centres.
        iterations: of expectation and maximisation.

    Raises:
        ArgumentError: too few points, or fewer than one component or iteration.
    """
    count, dimensions = points.shape
    if count <= dimensions:
        raise argument_error("points", f"be more than their {dimensions} dimensions", count)
    for name, value in (("components", components), ("iterations", iterations)):
        if value < 1:
            raise argument_error(name, "be at least 1", value)
    data = np.asarray(points, dtype=np.float64)
    components = min(components, most_components(count, dimensions))
    shares = np.eye(components)[_nearest(data, _centres(data, components, generator))]
    centred = data - data.mean(axis=0)
    pooled = centred.T @ centred / count
    mixture = _maximise(data, shares, pooled)
    for _ in range(iterations):
        logs = _component_log_densities(mixture, data)
        shares = np.exp(logs - np.logaddexp.reduce(logs, axis=1)[:, None])
        mixture = _maximise(data, shares, pooled)
    return mixture


def _maximise(data: NDArray[np.float64], shares: NDArray[np.float64], pooled: NDArray[np.float64]) -> GaussianMixture:
    count, dimensions = data.shape
    sizes = shares.sum(axis=0)
    # An empty component keeps a mean (that of all points) and no weight.
    means = np.where(sizes[:, None] > 0.0, shares.T @ data / np.maximum(sizes, 1e-300)[:, None], data.mean(axis=0))
    factors = np.empty((len(sizes), dimensions, dimensions))
    for k, size in enumerate(sizes):
        centred = data - means[k]
        scatter = (centred * shares[:, k : k + 1]).T @ centred
        covariance = (scatter + dimensions / 3.0 * pooled) / (size + dimensions) + _FLOOR * np.eye(dimensions)
        factors[k] = np.linalg.cholesky(covariance)
    return GaussianMixture(sizes / count, means, factors)


def _component_log_densities(mixture: GaussianMixture, points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return ln(weight times density) of every component, ``(n, k)``; minus infinity where the weight is 0."""
    data = np.asarray(points, dtype=np.float64)
    identity = np.eye(data.shape[1])
    logs = np.empty((len(data), len(mixture.weights)))
    with np.errstate(divide="ignore"):
        log_weights = np.log(mixture.weights)
    for k, (mean, factor) in enumerate(zip(mixture.means, mixture.factors, strict=True)):
        scores = (data - mean) @ solve_triangular(factor, identity, lower=True).T
        constant = log_weights[k] - np.log(np.diag(factor)).sum() - 0.5 * data.shape[1] * math.log(2.0 * math.pi)
        logs[:, k] = constant - 0.5 * np.square(scores).sum(axis=1)
    return logs


def _centres(data: NDArray[np.float64], components: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """Choose centres far from each other (k-means++), then let them move to the means of their points."""
    chosen = [data[generator.integers(len(data))]]
    squared = ((data - chosen[0]) ** 2).sum(axis=1)
    while len(chosen) < components:
        total = squared.sum()
        # Fewer different points than centres: any of them.
        shares = squared / total if total > 0.0 else np.full(len(data), 1.0 / len(data))
        chosen.append(data[generator.choice(len(data), p=shares)])
        squared = np.minimum(squared, ((data - chosen[-1]) ** 2).sum(axis=1))
    centres = np.array(chosen)
    for _ in range(_CENTRE_ITERATIONS):
        nearest = _nearest(data, centres)
        for k in range(components):
            if (nearest == k).any():
                centres[k] = data[nearest == k].mean(axis=0)
    return centres


def _nearest(data: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.int64]:
    squared = (centres**2).sum(axis=1) - 2.0 * data @ centres.T
    return np.asarray(squared.argmin(axis=1))
