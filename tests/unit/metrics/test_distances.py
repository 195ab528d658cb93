"""Frechet and kernel distance against closed forms, independent implementations and brute force."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from scipy import linalg

from ferrogen.core.errors import ArgumentError
from ferrogen.metrics import frechet
from ferrogen.metrics.frechet import Moments, feature_moments, frechet_distance, gaussian_frechet_distance
from ferrogen.metrics.kernel import kernel_distance


def test_commuting_gaussians_have_the_closed_form() -> None:
    a = Moments(np.array([1.0, 2.0, 0.0]), np.diag([4.0, 1.0, 0.0]), 10)
    b = Moments(np.array([0.0, 2.0, 2.0]), np.diag([9.0, 0.25, 0.04]), 10)
    expected = 1.0 + 4.0 + (2.0 - 3.0) ** 2 + (1.0 - 0.5) ** 2 + 0.2**2
    assert gaussian_frechet_distance(a, b) == pytest.approx(expected, rel=1e-12)
    assert gaussian_frechet_distance(b, a) == pytest.approx(expected, rel=1e-12)


def test_covariances_that_do_not_commute_agree_with_sqrtm(rng: np.random.Generator) -> None:
    a, b = (x @ x.T for x in rng.standard_normal((2, 6, 8)))
    mean = rng.standard_normal(6)
    expected = mean @ mean + np.trace(a + b - 2.0 * np.real(linalg.sqrtm(a @ b)))
    found = gaussian_frechet_distance(Moments(mean, a, 9), Moments(np.zeros(6), b, 9))
    assert found == pytest.approx(expected, rel=1e-10)


def test_singular_covariances_need_no_offset(rng: np.random.Generator) -> None:
    """Fewer samples than dimensions: the distance of a set to itself is still nothing."""
    few = rng.standard_normal((10, 64))
    assert frechet_distance(few, few, resamples=2).value < 1e-5


def test_agrees_with_torchmetrics(rng: np.random.Generator) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the referee's own imports
        fid = pytest.importorskip("torchmetrics.image.fid")

    class Flatten(torch.nn.Module):
        num_features = 12

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.flatten(1).double()

    a, b = rng.random((200, 3, 2, 2)), rng.random((300, 3, 2, 2)) ** 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        referee = fid.FrechetInceptionDistance(Flatten(), normalize=True, input_img_size=(3, 2, 2))
        referee.set_dtype(torch.float64)
        referee.update(torch.from_numpy(b), real=True)
        referee.update(torch.from_numpy(a), real=False)
        expected = float(referee.compute())
    found = frechet_distance(a.reshape(200, 12), b.reshape(300, 12), resamples=2)
    assert found.value == pytest.approx(expected, rel=1e-5)


def test_precomputed_moments_give_the_same_value_and_a_narrower_interval(rng: np.random.Generator) -> None:
    a, b = rng.standard_normal((300, 5)), rng.standard_normal((300, 5)) + 0.5
    both, fixed = frechet_distance(a, b), frechet_distance(a, feature_moments(b))
    assert fixed.value == pytest.approx(both.value, rel=1e-12)
    assert fixed.high - fixed.low < both.high - both.low
    assert "held fixed" in fixed.definition
    neither = frechet_distance(feature_moments(a), feature_moments(b))
    assert neither.value == pytest.approx(both.value, rel=1e-12)
    assert np.isnan(neither.low)


def test_weighted_moments_are_those_of_repeated_rows(rng: np.random.Generator) -> None:
    rows = rng.standard_normal((7, 3))
    counts = np.array([0, 3, 1, 0, 1, 2, 0])
    mean, covariance = frechet._moments(rows, counts.astype(float))
    repeated = np.repeat(rows, counts, axis=0)
    assert mean == pytest.approx(repeated.mean(axis=0), rel=1e-12)
    assert covariance == pytest.approx(np.cov(repeated.T), rel=1e-12)


def test_interval_follows_the_seed_only(rng: np.random.Generator) -> None:
    a, b = rng.standard_normal((2, 100, 4))
    assert frechet_distance(a, b, seed=1) == frechet_distance(a, b, seed=1)
    assert frechet_distance(a, b, seed=1).low != frechet_distance(a, b, seed=2).low


def test_too_few_samples_are_flagged(rng: np.random.Generator) -> None:
    big = rng.standard_normal((400, 8)) + 3.0
    assert "n = 15 is below 2 d = 16" in frechet_distance(big[:15], big).note
    assert "below" not in frechet_distance(big[:16], big).note
    assert "bias from finite n" in frechet_distance(big[:200], big[200:]).note  # one distribution: all bias
    assert frechet_distance(big, big + 5.0).note == ""


def test_few_resamples_still_give_an_interval(rng: np.random.Generator) -> None:
    a, b = rng.standard_normal((2, 200, 4))
    few, many = (frechet_distance(a, b + 1.0, resamples=r) for r in (20, 400))
    assert few.high - few.low == pytest.approx(many.high - many.low, rel=0.5)


def test_kernel_distance_is_the_unbiased_sum_over_pairs(rng: np.random.Generator) -> None:
    a, b = rng.standard_normal((7, 3)), rng.standard_normal((6, 3)) + 1.0

    def mean_kernel(x: np.ndarray, y: np.ndarray, *, same: bool) -> float:
        values = [(u @ v / 3.0 + 1.0) ** 3 for i, u in enumerate(x) for j, v in enumerate(y) if not (same and i == j)]
        return float(np.mean(values))

    expected = mean_kernel(a, a, same=True) + mean_kernel(b, b, same=True) - 2.0 * mean_kernel(a, b, same=False)
    assert kernel_distance(a, b).value == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("size", [9, 100])
def test_kernel_jackknife_leaves_out_what_it_says(rng: np.random.Generator, size: int) -> None:
    """The interval is the textbook jackknife of two samples: rows one by one if they are few, else fifty groups."""
    from scipy import stats

    a, b = rng.standard_normal((size, 2)), rng.standard_normal((size, 2)) + 0.5
    parts = min(size, 50)
    groups = np.split(np.arange(size), parts)
    without_a = np.array([kernel_distance(np.delete(a, rows, 0), b).value for rows in groups])
    without_b = np.array([kernel_distance(a, np.delete(b, rows, 0)).value for rows in groups])
    variance = (parts - 1.0) * (without_a.var() + without_b.var())
    score = kernel_distance(a, b)
    assert score.high - score.value == pytest.approx(stats.t.ppf(0.975, parts - 1) * np.sqrt(variance), rel=1e-9)


def test_kernel_groups_do_not_change_the_value(rng: np.random.Generator) -> None:
    a, b = rng.standard_normal((120, 4)), rng.standard_normal((75, 4)) * 1.5
    gram = lambda x, y: (x @ y.T / 4.0 + 1.0) ** 3  # noqa: E731
    aa, bb, ab = gram(a, a), gram(b, b), gram(a, b)
    expected = (aa.sum() - np.trace(aa)) / (120 * 119) + (bb.sum() - np.trace(bb)) / (75 * 74) - 2.0 * ab.mean()
    assert kernel_distance(a, b).value == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(
    ("call", "must_say"),
    [
        (lambda: frechet_distance(np.zeros((3, 2)), np.zeros((3, 4))), r"`features_b`.*2 columns.*4 wide"),
        (lambda: frechet_distance(np.zeros((1, 2)), np.zeros((3, 2))), r"`features_a`.*at least 2 rows"),
        (
            lambda: frechet_distance(np.zeros((3, 2)), np.zeros((3, 2)), resamples=1),
            "`resamples`.*at least 2",
        ),
        (lambda: kernel_distance(np.zeros((3, 2)), np.zeros((9, 2))), r"`features_a`.*at least 4 rows"),
        (lambda: kernel_distance(np.zeros((9, 2)), np.zeros((9, 3))), r"`features_b`.*2 columns"),
        (lambda: Moments(np.zeros(2), np.zeros((2, 3)), 5), "`moments`"),
        (lambda: Moments(np.zeros(2), np.full((2, 2), np.nan), 5), "`moments`.*finite"),
        (lambda: Moments(np.zeros(2), np.eye(2), 1), "`count`.*at least 2"),
    ],
)
def test_bad_arguments_are_named(call: object, must_say: str) -> None:
    with pytest.raises(ArgumentError, match=must_say):
        call()  # type: ignore[operator]
