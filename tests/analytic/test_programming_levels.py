"""Levels told apart by reads: closed forms against simulated reads and against integrals."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import optimize, special, stats

from ferrogen.device.programming.distinguishability import (
    GaussianLevels,
    best_thresholds,
    confusion_matrix,
    most_levels,
    mutual_information,
    sampled_confusion,
    sampled_thresholds,
    soft_information,
    symbol_error_rate,
)

LEVELS = GaussianLevels(np.array([1.0, 2.0, 3.2, 5.0]), np.array([0.35, 0.25, 0.5, 0.8]))


def test_thresholds_err_least() -> None:
    """Against a numerical minimum of the error of each neighbouring pair."""
    for k, cut in enumerate(best_thresholds(LEVELS)):
        m, s = LEVELS.mean[k : k + 2], LEVELS.deviation[k : k + 2]

        def error(x: float, m: np.ndarray = m, s: np.ndarray = s) -> float:
            return float(stats.norm.sf((x - m[0]) / s[0]) + stats.norm.cdf((x - m[1]) / s[1]))

        found = optimize.minimize_scalar(
            error, bounds=(float(m[0]), float(m[1])), method="bounded", options={"xatol": 1e-10}
        )
        # A minimum is flat: sqrt of the rounding of the error, 1e-8.
        assert cut == pytest.approx(float(found.x), abs=1e-6)


def test_confusion_against_simulated_reads(z_limit: Callable[[int], float]) -> None:
    generator = np.random.default_rng(21)
    reads = 40_000
    written = np.repeat(np.arange(4), reads)
    values = LEVELS.mean[written] + LEVELS.deviation[written] * generator.standard_normal(written.size)
    cuts = best_thresholds(LEVELS)
    expected = confusion_matrix(LEVELS)
    found = sampled_confusion(values, written, cuts)
    error = np.sqrt(expected * (1 - expected) / reads)
    # 16 shares; those expected less than five times are left out, the normal limit does not hold for them.
    often = expected * reads > 5.0
    assert np.all(np.abs(found - expected)[often] < z_limit(16) * error[often])
    assert symbol_error_rate(found) == pytest.approx(symbol_error_rate(expected), abs=4e-3)
    # Information is smooth in the shares: its error is below 0.01 bit at 40000 reads a level.
    assert mutual_information(found) == pytest.approx(mutual_information(expected), abs=0.01)
    # Thresholds learned from reads lie where the Gaussian ones do, within what a flat minimum of noisy counts allows.
    np.testing.assert_allclose(sampled_thresholds(values, written), cuts, atol=0.08)


def test_soft_information_against_simulated_reads() -> None:
    """I = E[log2 f(x | k) / f(x)], averaged over reads: standard error as given."""
    generator = np.random.default_rng(22)
    written = np.tile(np.arange(4), 50_000)
    x = LEVELS.mean[written] + LEVELS.deviation[written] * generator.standard_normal(written.size)
    logs = stats.norm.logpdf(x[:, None], LEVELS.mean, LEVELS.deviation)
    gain = (logs[np.arange(x.size), written] - special.logsumexp(logs, axis=1) + math.log(4)) / math.log(2)
    assert abs(gain.mean() - soft_information(LEVELS)) < 3.3 * gain.std() / math.sqrt(x.size)  # level 1e-3


@pytest.mark.parametrize("deviation", [0.01, 0.03])
@pytest.mark.parametrize("limit", [1e-2, 1e-4])
def test_most_levels_of_constant_scatter(deviation: float, limit: float) -> None:
    """2 (n - 1) / n Q[1 / (2 s (n - 1))], the textbook error of pulse-amplitude modulation, tried from 2 upwards."""
    count = 2
    while 2.0 * count / (count + 1) * float(special.ndtr(-0.5 / (deviation * count))) <= limit:
        count += 1
    chosen = most_levels(0.0, 1.0, lambda g: np.full(g.shape, deviation), limit)
    assert chosen.count == count
    error = symbol_error_rate(confusion_matrix(chosen))
    expected = 2.0 * (count - 1) / count * float(special.ndtr(-0.5 / (deviation * (count - 1))))
    assert error == pytest.approx(expected, rel=1e-9, abs=0.0)
