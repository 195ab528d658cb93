from __future__ import annotations

import time

import numpy as np
import pytest
from scipy import signal, stats

from ferrogen.core.errors import ArgumentError
from ferrogen.metrics.randomness import autocorrelation, latent_statistics


def _telegraph_like(rng: np.random.Generator, rho: float, rows: int, columns: int) -> np.ndarray:
    """Stationary AR(1) columns of unit variance: lag-k correlation rho^k."""
    noise = rng.standard_normal((rows + 200, columns))
    return np.asarray(signal.lfilter([np.sqrt(1 - rho**2)], [1, -rho], noise, axis=0)[200:])


def test_moments_are_those_of_scipy(rng: np.random.Generator) -> None:
    z = rng.gamma(3.0, size=(200, 4)) * 1e-3 + 7.0
    found = latent_statistics(z)
    assert found["mean"].value == pytest.approx(z.mean(), rel=1e-12)
    assert found["standard_deviation"].value == pytest.approx(z.std(), rel=1e-9)
    assert found["skewness"].value == pytest.approx(stats.skew(z, axis=None), rel=1e-6)
    assert found["excess_kurtosis"].value == pytest.approx(stats.kurtosis(z, axis=None), rel=1e-6)
    assert found["mean"].n == 200


def test_distance_to_the_normal_is_that_of_scipy(rng: np.random.Generator) -> None:
    z = rng.standard_normal((300, 3)) * 1.2 + 0.1
    score = latent_statistics(z)["ks_distance"]
    assert score.value == pytest.approx(stats.kstest(z.ravel(), "norm").statistic, rel=1e-9)
    assert score.low > 0.0


def test_normals_pass_and_each_defect_is_found(rng: np.random.Generator) -> None:
    normal = latent_statistics(rng.standard_normal((4000, 16)), lags=(1, 5))
    targets = dict.fromkeys(normal, 0.0) | {"standard_deviation": 1.0}
    for name, score in normal.items():
        margin = 0.25 * (score.high - score.low)  # the coverage study sets the level; this is one draw
        assert score.low - margin <= targets[name] <= score.high + margin, (name, str(score))
    # Uncorrected, the noise of the estimates alone would give 1 / sqrt(4000).
    assert normal["rms_column_correlation"].value < 0.6 / np.sqrt(4000)
    tails = latent_statistics(rng.standard_t(8, (4000, 16)))
    assert tails["excess_kurtosis"].low > 0.5
    shared = rng.standard_normal((4000, 1))
    columns = latent_statistics(np.sqrt(0.8) * rng.standard_normal((4000, 16)) + np.sqrt(0.2) * shared)
    assert columns["rms_column_correlation"].low < 0.2 < columns["rms_column_correlation"].high
    assert columns["max_column_correlation"].low > 0.1
    assert latent_statistics(rng.random((4000, 16)))["ks_distance"].low > 0.3


@pytest.mark.parametrize("rho", [-0.5, 0.3, 0.9])
def test_lagged_correlation_of_ar1(rng: np.random.Generator, rho: float) -> None:
    found = latent_statistics(_telegraph_like(rng, rho, 4000, 16), lags=(1, 2, 3))
    for lag in (1, 2, 3):
        score = found[f"autocorrelation_lag_{lag}"]
        assert score.value == pytest.approx(rho**lag, abs=0.02)
        assert score.low - 0.01 < rho**lag < score.high + 0.01


def test_correlated_rows_widen_the_interval_of_the_mean(rng: np.random.Generator) -> None:
    white, red = (latent_statistics(_telegraph_like(rng, rho, 4000, 8))["mean"] for rho in (0.0, 0.9))
    # variance of the mean grows by (1 + rho) / (1 - rho) = 19
    assert (red.high - red.low) / (white.high - white.low) == pytest.approx(np.sqrt(19.0), rel=0.35)


def test_column_offsets_are_no_correlation_in_time(rng: np.random.Generator) -> None:
    """A fixed offset of each column is a calibration error: it shows in the deviation, not in time."""
    z = rng.standard_normal((2000, 8))
    plain, found = latent_statistics(z), latent_statistics(z + 3.0 * np.arange(8))
    for name in ("max_column_correlation", "rms_column_correlation", "autocorrelation_lag_1"):
        assert found[name].value == pytest.approx(plain[name].value, abs=1e-9)
    assert abs(found["autocorrelation_lag_1"].value) < 0.05
    assert found["standard_deviation"].value > 5.0


def test_autocorrelation_is_the_direct_sum(rng: np.random.Generator) -> None:
    z = rng.standard_normal((50, 3))
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    direct = [(z[: 50 - k] * z[k:]).sum() / (50 * 3) for k in range(6)]
    assert autocorrelation(z, 5) == pytest.approx(direct, abs=1e-12)


def test_drift_over_the_whole_run_is_noted(rng: np.random.Generator) -> None:
    z = np.cumsum(rng.standard_normal((500, 3)), axis=0)
    assert "stay correlated" in latent_statistics(z)["mean"].note
    assert latent_statistics(rng.standard_normal((500, 3)))["mean"].note == ""
    assert "20 rows are few" in latent_statistics(rng.standard_normal((20, 3)))["mean"].note


def test_dead_columns_are_left_out_and_noted(rng: np.random.Generator) -> None:
    z = rng.standard_normal((300, 4))
    z[:, 2] = 0.7
    found = latent_statistics(z)
    assert "1 constant column" in found["max_column_correlation"].note
    alive = latent_statistics(np.delete(z, 2, axis=1))
    assert found["max_column_correlation"].value == pytest.approx(alive["max_column_correlation"].value)
    with pytest.raises(ArgumentError, match=r"`z`.*Is the sampler running"):
        latent_statistics(np.full((50, 2), 0.1))


def test_one_column_has_no_pairs(rng: np.random.Generator) -> None:
    assert "max_column_correlation" not in latent_statistics(rng.standard_normal((100, 1)))


def test_seed_addresses_the_intervals(rng: np.random.Generator) -> None:
    z = rng.standard_normal((100, 3))
    assert latent_statistics(z, seed=3) == latent_statistics(z, seed=3)
    assert latent_statistics(z, seed=3)["mean"].low != latent_statistics(z, seed=4)["mean"].low


def test_lags_out_of_range_are_named() -> None:
    with pytest.raises(ArgumentError, match=r"`lags`.*n // 4 = 5 rows.*it is 6"):
        latent_statistics(np.eye(20), lags=(6,))


def test_quick_enough_for_ten_thousand_rows(rng: np.random.Generator) -> None:
    z = rng.standard_normal((10000, 32))
    before = time.process_time()
    latent_statistics(z)
    assert time.process_time() - before < 4.0  # 0.2 s on an idle core
