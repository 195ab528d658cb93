"""Precision, recall, density and coverage: do the images look real, and are all real ones reached?

All four ask which samples lie inside balls around other samples whose radius is the distance to the k-th
neighbour. Distances are made in chunks of rows, so 10,000 against 10,000 samples need well below 1 GB.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.errors import argument_error
from ferrogen.metrics.checks import check_matrix
from ferrogen.metrics.score import Score, mean_score, proportion_score

_CHUNK_VALUES: Final = 500_000  # 4 MB of float64: the passes over a chunk stay in cache


def precision_recall(features: ArrayLike, reference: ArrayLike, *, k: int = 3) -> tuple[Score, Score]:
    """Score how many samples lie on the reference's manifold, and how many reference samples on theirs.

    A set's manifold is the union of the balls around its samples that reach to the k-th nearest other sample
    of the set (Kynkaanniemi et al. 2019, doi:10.48550/arXiv.1904.06991, k = 3). Both depend on the numbers of
    samples: compare equal n and m only. One outlier in a set opens a large ball; :func:`density_coverage` is
    less easily fooled.

    Args:
        features: the features to judge, ``(n, d)``, n > k.
        reference: those of the reference, ``(m, d)``, m > k.
        k: which neighbour sets the radius.

    Returns:
        Scores ``precision`` (over the n samples) and ``recall`` (over the m reference samples, its Wilson
        interval too; ``n`` is that of ``features`` in both). Each interval takes the other set's manifold as
        given.

    Raises:
        ArgumentError: shapes that do not fit, n or m not above k, k below 1, NaN or infinity.
    """
    own, other = _checked(features, reference, k)
    own_radius, other_radius = _squared_radii(own, k), _squared_radii(other, k)
    inside_reference = np.empty(len(own), dtype=bool)
    reached = np.zeros(len(other), dtype=bool)
    for rows, squared in squared_distances(own, other):
        inside_reference[rows] = (squared <= other_radius).any(axis=1)
        reached |= (squared <= own_radius[rows, None]).any(axis=0)
    source = (
        f"k = {k} (Kynkaanniemi 2019, doi:10.48550/arXiv.1904.06991); 95 % Wilson interval, the manifold held fixed."
    )
    precision = proportion_score(
        "precision",
        int(inside_reference.sum()),
        len(own),
        f"Share of samples inside the reference's manifold of {len(other)} balls, {source}",
    )
    recall = proportion_score(
        "recall",
        int(reached.sum()),
        len(other),
        f"Share of the {len(other)} reference samples inside the manifold of the samples, {source}",
    )
    return precision, replace(recall, n=len(own))


def density_coverage(features: ArrayLike, reference: ArrayLike, *, k: int = 5) -> tuple[Score, Score]:
    """Score how densely samples fill the reference's balls, and how many of these balls hold a sample.

    Naeem et al. 2020, doi:10.48550/arXiv.2002.09797 (k = 5): density is the number of reference balls around
    a sample, divided by k, averaged over samples (about 1 if both sets have one distribution; may exceed 1).
    Coverage is the share of reference balls with at least one sample in them; it grows with n / m, so compare
    equal n and m only.

    Args:
        features: the features to judge, ``(n, d)``, n >= 1.
        reference: those of the reference, ``(m, d)``, m > k.
        k: which neighbour sets the radius.

    Returns:
        Scores ``density`` (Student t interval over the samples) and ``coverage`` (Wilson interval over the m
        reference samples; ``n`` is that of ``features`` in both). The reference's radii are taken as given.

    Raises:
        ArgumentError: shapes that do not fit, m not above k, k below 1, NaN or infinity.
    """
    own, other = _checked(features, reference, k, own_rows=1)
    radius = _squared_radii(other, k)
    balls = np.empty(len(own))
    covered = np.zeros(len(other), dtype=bool)
    for rows, squared in squared_distances(own, other):
        inside = squared <= radius
        balls[rows] = inside.sum(axis=1)
        covered |= inside.any(axis=0)
    source = f"k = {k} (Naeem 2020, doi:10.48550/arXiv.2002.09797)"
    density = mean_score(
        "density",
        balls / k,
        f"Reference balls around a sample over k, mean over samples; {len(other)} reference samples,"
        f" {source}; 95 % Student t interval over samples, the balls held fixed.",
    )
    coverage = proportion_score(
        "coverage",
        int(covered.sum()),
        len(other),
        f"Share of the {len(other)} reference balls that hold a sample, {source};"
        " 95 % Wilson interval over reference samples.",
    )
    return density, replace(coverage, n=len(own))


def squared_distances(a: NDArray[np.float64], b: NDArray[np.float64]) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Give squared distances from chunks of rows of ``a`` to all rows of ``b``; equal rows get exactly 0."""
    centre = b.mean(axis=0)  # small norms lose fewer digits in the expansion |x|^2 + |y|^2 - 2 x.y
    a, b = a - centre, b - centre
    norms_a, norms_b = np.einsum("ij,ij->i", a, a), np.einsum("ij,ij->i", b, b)
    floor = 4e-15 * a.shape[1] ** 0.5 * max(float(norms_a.max()), float(norms_b.max()))
    step = max(1, _CHUNK_VALUES // len(b))
    for first in range(0, len(a), step):
        rows = slice(first, min(first + step, len(a)))
        squared = a[rows] @ b.T
        squared *= -2.0
        squared += norms_b
        squared += norms_a[rows, None]
        squared[squared < floor] = 0.0  # rounding, also below zero
        yield rows, squared


def _squared_radii(points: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Squared distance of each point to its k-th nearest other point."""
    radii = np.empty(len(points))
    for rows, squared in squared_distances(points, points):
        squared.partition(k, axis=1)  # position 0 is the point itself
        radii[rows] = squared[:, k]
    return radii


def _checked(
    features: ArrayLike, reference: ArrayLike, k: int, own_rows: int | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if k < 1:
        raise argument_error("k", "be at least 1", k)
    own = check_matrix("features", features, rows=k + 1 if own_rows is None else own_rows)
    return own, check_matrix("reference", reference, rows=k + 1, columns=own.shape[1])
