"""Compiled samplers against scipy. Level of each KS or chi-square test: 1e-4 (60 of them: 0.6 % together)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numba import njit
from numpy.typing import NDArray
from scipy import stats

from ferrogen.core import distributions as d

LEVEL = 1e-4
COUNT = 40_000


@njit
def _uniforms(own, out):
    state = np.empty(2, dtype=np.uint64)
    d.seed_local(state, own, 0)
    for k in range(out.shape[0]):
        out[k] = d.uniform(state)


@njit
def _exponentials(own, out):
    state = np.empty(2, dtype=np.uint64)
    d.seed_local(state, own, 1)
    for k in range(out.shape[0]):
        out[k] = d.exponential(state)


@njit
def _normals(own, out):
    state = np.empty(2, dtype=np.uint64)
    d.seed_local(state, own, 2)
    for k in range(out.shape[0]):
        out[k] = d.normal(state)


@njit
def _poissons(own, mean, plan, out):
    state = np.empty(2, dtype=np.uint64)
    d.seed_local(state, own, 3)
    d.prepare_poisson(mean, plan, 7)
    for k in range(out.shape[0]):
        out[k] = d.poisson(state, plan, 7)


@njit
def _gammas(own, shape, out):
    state = np.empty(2, dtype=np.uint64)
    d.seed_local(state, own, 4)
    for k in range(out.shape[0]):
        out[k] = d.gamma_integer(state, shape)


@njit
def _betas(own, first, second, out):
    state = np.empty(2, dtype=np.uint64)
    d.seed_local(state, own, 5)
    for k in range(out.shape[0]):
        out[k] = d.beta_integer(state, first, second)


@njit
def _first_of_each_counter(own, out):
    state = np.empty(2, dtype=np.uint64)
    for k in range(out.shape[0]):
        d.seed_local(state, own, k - out.shape[0] // 2)
        out[k] = d.uniform(state)


@njit
def _object(key, address):
    return d.seed_object(key, address)


def _draw(fill: Callable[..., None], *arguments: object, count: int = COUNT) -> NDArray[np.float64]:
    out = np.empty(count)
    fill(_object(np.uint64(99), np.uint64(1)), *arguments, out)
    return out


def test_the_local_generator_is_uniform_along_draws_and_along_counters() -> None:
    for fill in (_uniforms, _first_of_each_counter):
        u = _draw(fill, count=400_000)
        assert stats.kstest(u, "uniform").pvalue > LEVEL
        assert abs(np.corrcoef(u[1:], u[:-1])[0, 1]) * np.sqrt(u.size) < 3.9
        pairs = np.histogram2d(u[::2], u[1::2], bins=16)[0].ravel()
        assert stats.chisquare(pairs).pvalue > LEVEL


def test_ziggurats_close_at_the_top() -> None:
    """The layers' edge and area are right if the last layer, which has no free parameter left, has that area too."""
    for x, f, area in (
        (d._NORMAL_X, d._NORMAL_F, d._NORMAL_AREA),
        (d._EXPONENTIAL_X, d._EXPONENTIAL_F, d._EXPONENTIAL_AREA),
    ):
        np.testing.assert_allclose(x[1:-1] * (f[2:] - f[1:-1]), area, rtol=1e-9)
    tail = np.sqrt(2 * np.pi) * stats.norm.sf(d._NORMAL_EDGE)
    assert d._NORMAL_EDGE * d._NORMAL_F[1] + tail == pytest.approx(d._NORMAL_AREA, rel=1e-9)
    assert (d._EXPONENTIAL_EDGE + 1) * d._EXPONENTIAL_F[1] == pytest.approx(d._EXPONENTIAL_AREA, rel=1e-9)


@pytest.mark.parametrize(("fill", "law"), [(_exponentials, stats.expon), (_normals, stats.norm)])
def test_exponential_and_normal(fill: Callable[..., None], law: stats.rv_continuous) -> None:
    x = _draw(fill, count=2_000_000)
    assert stats.kstest(x, law.cdf).pvalue > LEVEL
    edges = law.isf([1e-2, 1e-3, 3e-4, 1e-4, 1e-5])  # the tails, which KS hardly sees
    counts = np.histogram(np.abs(x) if law is stats.norm else x, [*edges, np.inf])[0]
    fold = 2 if law is stats.norm else 1
    expected = -fold * np.diff([*law.sf(edges), 0.0]) * x.size
    assert stats.chi2.sf(((counts - expected) ** 2 / expected).sum(), counts.size) > LEVEL


@pytest.mark.parametrize(
    "mean", [0.0, 1e-9, 0.01, 0.1, 0.5, 1.0, 3.0, 7.0, 12.0, 30.0, 63.0, 63.999, 64.0, 65.0, 100.0, 300.0, 1000.0]
)
def test_poisson(mean: float) -> None:
    k = _draw(_poissons, mean, np.zeros(d.POISSON_PLAN + 7), count=200_000).astype(int)
    if mean < 1e-6:
        assert not k.any()
        return
    law = stats.poisson(mean)
    edges = np.unique(law.ppf(np.linspace(0.0005, 0.9995, 60)))
    observed = np.histogram(k, [-0.5, *(edges + 0.5), np.inf])[0]
    expected = np.diff([0.0, *law.cdf(edges), 1.0]) * k.size
    keep = expected > 5
    assert (
        stats.chisquare(
            [*observed[keep], observed[~keep].sum()] if (~keep).any() else observed,
            [*expected[keep], expected[~keep].sum()] if (~keep).any() else expected,
        ).pvalue
        > LEVEL
    )
    assert abs(k.mean() - mean) < 3.9 * np.sqrt(mean / k.size)


@pytest.mark.parametrize("shape", [1, 2, 3, 4, 5, 20, 500])
def test_gamma(shape: int) -> None:
    assert stats.kstest(_draw(_gammas, shape), stats.gamma(shape).cdf).pvalue > LEVEL


@pytest.mark.parametrize("pair", [(1, 1), (1, 2), (2, 1), (2, 2), (1, 9), (3, 8), (40, 3), (70, 31), (700, 300)])
def test_beta(pair: tuple[int, int]) -> None:
    x = _draw(_betas, *pair)
    assert x.min() > 0.0
    assert x.max() < 1.0
    assert stats.kstest(x, stats.beta(*pair).cdf).pvalue > LEVEL
