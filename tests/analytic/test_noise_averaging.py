"""Variance against averaging, skewness and normal limits: against double sums, quadrature, and exact sampling."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.integrate import quad
from scipy.linalg import toeplitz

from ferrogen.device.noise.averaging import (
    averaged_variance,
    log_uniform_autocovariance,
    trap_autocovariance,
    visible_variance,
    white_autocovariance,
)
from ferrogen.device.noise.ensemble import log_uniform_window_variance
from ferrogen.device.noise.gaussian_limit import (
    berry_esseen_bound,
    cumulant_rates,
    edgeworth_distance,
    effective_number,
    equal_traps_distance,
    total_skewness,
    window_skewness,
    window_third_moment,
)
from ferrogen.device.noise.rtn.closed_form import window_variance


def test_the_mean_of_reads_by_the_double_sum() -> None:
    c = 0.7 ** np.arange(30) + 0.1 * np.cos(np.arange(30))
    for count in (1, 2, 7, 30):
        assert float(averaged_variance(c, count)) == pytest.approx(toeplitz(c[:count]).mean(), rel=1e-12, abs=0.0)
    # blocks of 5 in a record of 30, about the record's own mean: the trace of a projected covariance
    blocks = np.kron(np.eye(6), np.full(5, 0.2))
    centred = blocks - blocks.mean(axis=0)
    assert float(visible_variance(c, 5, 30)) == pytest.approx(
        np.trace(centred @ toeplitz(c) @ centred.T) / 6, rel=1e-12, abs=0.0
    )


def test_white_noise_leaves_one_over_the_count() -> None:
    c = white_autocovariance(3.0, 200)
    np.testing.assert_allclose(averaged_variance(c, [1, 10, 100]), [3.0, 0.3, 0.03], rtol=1e-13)
    np.testing.assert_allclose(visible_variance(c, [1, 10], 200), [3.0 - 0.015, 0.3 - 0.015], rtol=1e-13)


@pytest.mark.parametrize("period", [1.0, 3.0])
def test_reads_one_after_another_are_one_long_read(period: float) -> None:
    a, b, steps = np.array([0.3, 5.0, 1e-3]), np.array([0.5, 1.0, 4e-3]), np.array([1.0, -2.0, 0.5])
    c = trap_autocovariance(a, b, steps, duration=1.0, period=period, lags=50)
    if period == 1.0:
        for count in (1, 10, 50):
            expected = steps**2 @ window_variance(a, b, float(count))
            assert float(averaged_variance(c, count)) == pytest.approx(float(expected), rel=1e-11, abs=0.0)
    else:  # gaps: reads are less alike, so that their mean varies less
        contiguous = trap_autocovariance(a, b, steps, duration=1.0, period=1.0, lags=50)
        assert np.all(averaged_variance(c, [2, 10, 50]) < averaged_variance(contiguous, [2, 10, 50]))


def test_log_uniform_traps_keep_their_noise() -> None:
    """Contiguous reads against the closed form; and the decay device.md tells for 2001 reads: 0.83, 0.63, 0.55."""
    shortest, longest = 1e-5, 1e7
    c = log_uniform_autocovariance(shortest, longest, duration=1.0, period=1.0, lags=2000)
    for count in (1, 10, 1000):
        expected = float(log_uniform_window_variance(float(count), shortest, longest))
        # Gauss' rule with 96 nodes over 12 decades
        assert float(averaged_variance(c, count)) == pytest.approx(expected, rel=1e-5, abs=0.0)
    left = np.sqrt(visible_variance(c, [10, 100, 200], 2000) / visible_variance(c, 1, 2000))
    np.testing.assert_allclose(left, [0.83, 0.63, 0.55], atol=0.006)


def test_cumulants_are_the_series_of_the_largest_eigenvalue() -> None:
    """By Cauchy's integral round a circle within the branch points, whose trapezoidal rule converges geometrically."""
    a, b = 3.0, 1.0
    angles = np.exp(2.0j * np.pi * np.arange(64) / 64)
    radius = 0.3 * (np.sqrt(a) - np.sqrt(b)) ** 2 + 0.3  # branch points have modulus L = 4
    values = []
    for theta in radius * angles:
        tilted = np.array([[-a, a], [b, theta - b]])
        values.append(max(np.linalg.eigvals(tilted), key=lambda x: x.real))
    coefficients = np.fft.fft(values).real / 64 / radius ** np.arange(64)
    factorial = np.cumprod([1.0, *range(1, 6)])
    np.testing.assert_allclose(cumulant_rates(a, b, 5), (coefficients[:6] * factorial)[1:], rtol=1e-9)
    k1, k2, k3 = cumulant_rates(a, b, 3)
    assert (k1, k2, k3) == pytest.approx((0.75, 2 * a * b / 64, 6 * a * b * (b - a) / 4**5), rel=1e-13, abs=0.0)


@pytest.mark.parametrize(("capture", "emission"), [(1.0, 4.0), (3.0, 1.0)])
@pytest.mark.parametrize("duration", [1e-4, 0.0099, 0.0101, 1.0, 30.0])
def test_the_third_moment_by_integration(capture: float, emission: float, duration: float) -> None:
    """E[x(r) x(s) x(t)] from transition probabilities, integrated over r < s < t by their gaps; quad to 1e-11."""
    total, p = capture + emission, capture / (capture + emission)
    values = np.array([-p, 1.0 - p])

    def step(gap: float) -> NDArray[np.float64]:
        moved = -np.expm1(-total * gap)
        return np.array([[1.0 - p * moved, p * moved], [(1.0 - p) * moved, 1.0 - (1.0 - p) * moved]])

    def triple(first: float, second: float) -> float:
        return float((np.array([1.0 - p, p]) * values) @ step(first) @ np.diag(values) @ step(second) @ values)

    # only the sum of both gaps matters: constant along first + second, which one quadrature relies on
    assert triple(0.02, 0.18) == pytest.approx(triple(0.15, 0.05), rel=1e-12, abs=0.0)
    inner, _ = quad(
        lambda s: (duration - s) * s * triple(0.5 * s, 0.5 * s), 0.0, duration, epsabs=0.0, epsrel=1e-11, limit=200
    )
    value = float(window_third_moment(capture, emission, duration))
    assert value == pytest.approx(6.0 * inner / duration**3, rel=1e-9, abs=0.0)


def test_limits_of_the_skewness() -> None:
    p = 0.2
    assert float(window_skewness(p, 1 - p, 1e-9)) == pytest.approx(
        (1 - 2 * p) / np.sqrt(p * (1 - p)), rel=1e-6, abs=0.0
    )
    u = 1e6
    assert float(window_skewness(p, 1 - p, u)) == pytest.approx(
        3 * (1 - 2 * p) / np.sqrt(2 * p * (1 - p) * u), rel=1e-5, abs=0.0
    )
    _, k2, k3 = cumulant_rates(p, 1 - p, 3)
    assert float(window_skewness(p, 1 - p, u)) == pytest.approx(k3 * u / (k2 * u) ** 1.5, rel=1e-5, abs=0.0)


def test_skewness_and_distance_of_sampled_windows(simulate: Callable[..., NDArray[np.float64]]) -> None:
    """20000 traps, one window each, exactly sampled. Level: 1e-3 for the third moments, Bonferroni over four."""
    p, z = 0.2, []
    for u in (0.5, 5.0, 50.0, 200.0):
        y = simulate(np.full((20_000, 1), p * u), np.full((20_000, 1), (1 - p) * u), [True], 1, 3)[:, 0, 0] - p
        cubes = y**3
        third = float(window_third_moment(p, 1 - p, u))
        z.append((cubes.mean() - third) / (cubes.std(ddof=1) / np.sqrt(cubes.shape[0])))
        if u >= 50.0:
            # the empirical distance to the trap's own normal law, within what 20000 samples resolve at a level of 1e-4
            # (0.0157, and 0.002 for the next order of the expansion)
            distance = stats.kstest(y / np.sqrt(float(window_variance(p, 1 - p, u))), "norm").statistic
            assert distance == pytest.approx(float(edgeworth_distance(window_skewness(p, 1 - p, u))), abs=0.0177)
    assert np.max(np.abs(z)) < stats.norm.isf(5e-4 / 4), z


@pytest.mark.parametrize(("p", "limit"), [(0.5, 0.40), (0.2, 0.60), (0.05, 1.19)])
def test_equal_traps_against_the_binomial(p: float, limit: float) -> None:
    for number in (10, 100, 1000):
        grid = np.arange(number + 1)
        normal = stats.norm.cdf(grid, number * p, np.sqrt(number * p * (1 - p)))
        binomial = stats.binom.cdf(grid, number, p)
        before = np.append(0.0, binomial[:-1])
        expected = max(np.abs(binomial - normal).max(), np.abs(before - normal).max())
        distance = equal_traps_distance(number, p)
        assert distance == pytest.approx(expected, rel=1e-10, abs=0.0)
        assert distance <= berry_esseen_bound(np.ones(number), np.full(number, p))
    assert equal_traps_distance(1000, p) * np.sqrt(1000) == pytest.approx(limit, abs=0.01)


def test_the_bound_holds_for_unequal_traps() -> None:
    """The exact law of twelve traps, all 4096 states of them."""
    rng = np.random.default_rng(4)
    for width in (0.0, 0.5, 1.5):
        w, p = np.exp(width * rng.standard_normal(12)), rng.uniform(0.1, 0.9, 12)
        states = (np.arange(4096)[:, None] >> np.arange(12)) & 1
        weight = np.where(states, p, 1 - p).prod(axis=1)
        total = (states @ w - w @ p) / np.sqrt(w**2 @ (p * (1 - p)))
        order = np.argsort(total)
        cumulative = np.cumsum(weight[order])
        normal = stats.norm.cdf(total[order])
        distance = max(np.abs(cumulative - normal).max(), np.abs(cumulative - weight[order] - normal).max())
        assert distance <= berry_esseen_bound(w, p)
        skew = total_skewness(w, p * (1 - p), p * (1 - p) * (1 - 2 * p))
        assert skew == pytest.approx(weight @ total**3, rel=1e-9, abs=1e-12)
    assert effective_number(np.array([1.0, 1.0, 1.0, 0.0])) == pytest.approx(3.0, rel=1e-6, abs=0.0)
    assert effective_number(np.array([1e-300, 1e300])) == pytest.approx(1.0, rel=1e-6, abs=0.0)
