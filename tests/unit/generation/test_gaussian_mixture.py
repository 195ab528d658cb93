"""Mixtures find what points were drawn from, and their density is scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from ferrogen.core.errors import ArgumentError
from ferrogen.generation.gaussian_mixture import GaussianMixture, fit_mixture, most_components


def two_clusters(count: int = 2000) -> np.ndarray:
    generator = np.random.default_rng(3)
    near = generator.standard_normal((count, 2)) @ np.array([[0.5, 0.3], [0.0, 0.2]])
    return np.concatenate([near, generator.standard_normal((3 * count, 2)) * 0.7 + [4.0, -2.0]])


def test_density_agrees_with_scipy() -> None:
    generator = np.random.default_rng(1)
    factors = np.tril(generator.standard_normal((3, 4, 4))) * 0.3 + np.eye(4)
    mixture = GaussianMixture(np.array([0.2, 0.5, 0.3]), generator.standard_normal((3, 4)), factors)
    points = generator.standard_normal((20, 4))
    density = sum(
        weight * multivariate_normal(mean, factor @ factor.T).pdf(points)
        for weight, mean, factor in zip(mixture.weights, mixture.means, mixture.factors, strict=True)
    )
    assert mixture.log_density(points) == pytest.approx(np.log(density), rel=1e-10)


def test_clusters_are_found() -> None:
    fit = fit_mixture(two_clusters(), 2, np.random.default_rng(0))
    order = np.argsort(fit.weights)
    assert fit.weights[order] == pytest.approx([0.25, 0.75], abs=0.005)
    assert fit.means[order] == pytest.approx(np.array([[0.0, 0.0], [4.0, -2.0]]), abs=0.06)
    covariances = np.einsum("kij,klj->kil", fit.factors, fit.factors)[order]
    assert covariances[1] == pytest.approx(0.49 * np.eye(2), abs=0.04)
    assert covariances[0] == pytest.approx(np.array([[0.25, 0.15], [0.15, 0.13]]), abs=0.02)


def test_more_iterations_never_fit_worse() -> None:
    points = two_clusters(200)
    likelihoods = [
        fit_mixture(points, 4, np.random.default_rng(0), iterations=n).log_density(points).mean() for n in (1, 5, 30)
    ]
    assert likelihoods[0] < likelihoods[1] < likelihoods[2] + 1e-9


def test_few_or_equal_points_still_make_a_density() -> None:
    assert most_components(7, 2) == 1
    assert most_components(30, 2) == 2
    same = fit_mixture(np.ones((50, 2)), 4, np.random.default_rng(0))
    assert np.isfinite(same.log_density(np.zeros((1, 2)))).all()
    assert same.weights.sum() == pytest.approx(1.0)
    for points, components in ((np.ones((2, 2)), 1), (np.ones((9, 2)), 0)):
        with pytest.raises(ArgumentError, match="must be"):
            fit_mixture(points, components, np.random.default_rng(0))
