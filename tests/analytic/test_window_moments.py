"""The window sampler against closed forms. Level: one false alarm in 1000 seeds for each test (Bonferroni inside)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import integrate

from ferrogen.device.noise.rtn.closed_form import (
    averaging_factor,
    difference_variance,
    scheduled_difference_moments,
    scheduled_moments,
    window_covariance,
    window_lag_correlation,
    window_variance,
)

EVENTS = (0.1, 0.3, 1.0, 3.0, 10.0, 15.9, 16.1, 100.0, 1000.0)
OCCUPANCIES = (0.02, 0.2, 0.5, 0.8, 0.98)
TRAPS, CYCLES = 4000, 40

Simulate = Callable[..., NDArray[np.float64]]


def _z(values: NDArray[np.float64], expected: float) -> float:
    """How many standard errors the mean of independent values is off."""
    return float((values.mean() - expected) / (values.std(ddof=1) / np.sqrt(values.shape[0])))


def test_mean_variance_and_lags_of_contiguous_windows(simulate: Simulate, z_limit: Callable[[int], float]) -> None:
    worst = {}
    for seed, u in enumerate(EVENTS):
        for p in OCCUPANCIES:
            a, b = p * u, (1 - p) * u
            y = simulate(np.full((TRAPS, 1), a), np.full((TRAPS, 1), b), [True], CYCLES, seed)[:, :, 0] - p
            worst[u, p, "mean"] = _z(y.mean(axis=1), 0.0)
            worst[u, p, "variance"] = _z((y**2).mean(axis=1), float(window_variance(a, b, 1.0)))
            for lag in (1, 2):
                products = (y[:, lag:] * y[:, :-lag]).mean(axis=1)
                worst[u, p, f"lag {lag}"] = _z(products, float(window_covariance(a, b, 1.0, 1.0, lag)))
    limit = z_limit(len(worst))
    assert {key: z for key, z in worst.items() if abs(z) > limit} == {}


def _schedules() -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Two equal windows, a rest at other rates and a read: from slow to fast traps, both ways of simulating."""
    windows = [(0.3, 0.7), (3.0, 1.0), (30.0, 10.0), (0.01, 0.02), (8.0, 9.0), (1e-3, 0.0)]
    rests = [(0.1, 2.0), (0.5, 0.01), (0.001, 0.001), (0.0, 0.03), (2.0, 40.0), (0.0, 0.5)]
    return [
        (np.array([w[0], w[0], r[0], 0.1 * r[0]]), np.array([w[1], w[1], r[1], 0.1 * r[1]]))
        for w, r in zip(windows, rests, strict=True)
    ]


def test_moments_of_every_phase_of_a_schedule(simulate: Simulate, z_limit: Callable[[int], float]) -> None:
    z = {}
    for seed, (a, b) in enumerate(_schedules()):
        to_one, to_zero = np.tile(a, (TRAPS, 1)), np.tile(b, (TRAPS, 1))
        y = simulate(to_one, to_zero, [True] * 4, CYCLES, 100 + seed)
        for phase in range(4):
            mean, variance = (float(v[0]) for v in scheduled_moments(a[None], b[None], phase))
            z[seed, phase, "mean"] = _z(y[:, :, phase].mean(axis=1), mean)
            z[seed, phase, "variance"] = _z(((y[:, :, phase] - mean) ** 2).mean(axis=1), variance)
        mean, variance = (float(v[0]) for v in scheduled_difference_moments(a[None], b[None]))
        difference = y[:, :, 1] - y[:, :, 0]
        z[seed, "difference", "mean"] = _z(difference.mean(axis=1), mean)
        z[seed, "difference", "variance"] = _z(((difference - mean) ** 2).mean(axis=1), variance)
    limit = z_limit(len(z))
    assert {key: value for key, value in z.items() if abs(value) > limit} == {}


def test_what_is_observed_does_not_change_the_statistics(simulate: Simulate, z_limit: Callable[[int], float]) -> None:
    """Unobserved phases take a short cut; the moments of the phase that is read must not notice."""
    z = {}
    for seed, (a, b) in enumerate(_schedules()):
        y = simulate(np.tile(a, (TRAPS, 1)), np.tile(b, (TRAPS, 1)), [False, False, False, True], CYCLES, 200 + seed)
        mean, variance = (float(v[0]) for v in scheduled_moments(a[None], b[None], 3))
        z[seed, "mean"] = _z(y[:, :, 0].mean(axis=1), mean)
        z[seed, "variance"] = _z(((y[:, :, 0] - mean) ** 2).mean(axis=1), variance)
    limit = z_limit(len(z))
    assert {key: value for key, value in z.items() if abs(value) > limit} == {}


@pytest.mark.parametrize("u", [1e-5, 9.9e-4, 1.01e-3, 0.1, 3.0, 40.0])
def test_closed_forms_are_the_integrals_they_stand_for(u: float) -> None:
    """Var Y = 2 int_0^1 (1 - s) e^(-u s) ds, Cov_k = int int e^(-u |t - s|)."""
    variance, _ = integrate.quad(lambda s: 2.0 * (1.0 - s) * np.exp(-u * s), 0.0, 1.0)
    assert float(averaging_factor(u)) == pytest.approx(variance, rel=1e-9)
    for lag in (1, 3):
        covariance, _ = integrate.dblquad(lambda s, t, lag=lag: np.exp(-u * (lag + t - s)), 0.0, 1.0, 0.0, 1.0)
        ours = float(window_covariance(0.3 * u, 0.7 * u, 1.0, 1.0, lag))
        assert ours == pytest.approx(0.21 * covariance, rel=1e-6, abs=0.0)
        assert float(window_lag_correlation(u, lag)) == pytest.approx(covariance / variance, rel=1e-6, abs=0.0)


def test_schedules_of_one_voltage_reduce_to_the_stationary_forms() -> None:
    u = np.array([1e-7, 1e-4, 0.02, 1.0, 30.0])
    to_one, to_zero = 0.3 * np.stack([u, u, 2 * u], axis=1), 0.7 * np.stack([u, u, 2 * u], axis=1)
    for phase, length in ((0, 1.0), (1, 1.0), (2, 2.0)):
        mean, variance = scheduled_moments(to_one, to_zero, phase)
        np.testing.assert_allclose(mean, 0.3, rtol=1e-9)
        np.testing.assert_allclose(variance, window_variance(0.3 * u, 0.7 * u, length), rtol=1e-6)
    mean, variance = scheduled_difference_moments(to_one, to_zero)
    np.testing.assert_allclose(mean, 0.0, atol=1e-12)
    np.testing.assert_allclose(variance, difference_variance(0.3 * u, 0.7 * u, 1.0, 1.0), rtol=1e-3, atol=1e-12)


def test_a_window_split_in_two_averages_to_the_whole() -> None:
    a, b = 0.4, 1.1
    halves = 0.5 * window_variance(a, b, 1.0) + 0.5 * window_covariance(a, b, 1.0, 1.0, 1)
    assert float(window_variance(a, b, 2.0)) == pytest.approx(float(halves), rel=1e-12)
