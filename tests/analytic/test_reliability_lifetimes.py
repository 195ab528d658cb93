"""Lifetime fits: against an independent optimum, and their intervals' coverage in simulated tests (reduced size)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize, stats

from ferrogen.device.reliability.acceleration import fit_accelerated, life_in_use
from ferrogen.device.reliability.lifetime import Family, Method, failures, fit_lifetime, life_interval


def test_weibull_against_its_score_equation() -> None:
    """The shape solves sum t^b ln t / sum t^b - 1 / b = mean ln t of the failures; eta^b = sum t^b / failures."""
    generator = np.random.default_rng(1)
    time = 100.0 * generator.standard_exponential(40) ** (1 / 1.7)
    cut = 110.0
    failed = time < cut
    seen = np.minimum(time, cut)
    logs = np.log(seen)

    def score(b: float) -> float:
        return float((seen**b * logs).sum() / (seen**b).sum() - 1.0 / b - logs[failed].mean())

    shape = float(optimize.brentq(score, 0.1, 10.0, xtol=1e-13))
    life = float(((seen**shape).sum() / failed.sum()) ** (1.0 / shape))
    fit = fit_lifetime(failures(seen, failed))
    # The simplex stops at 1e-7 in its coordinates; a maximum is flat to the root of the rounding, 1e-7 or so.
    assert 1.0 / fit.scale == pytest.approx(shape, rel=1e-5)
    assert math.exp(fit.location) == pytest.approx(life, rel=1e-5)


def test_uncensored_lognormal_is_mean_and_deviation() -> None:
    time = np.exp(2.0 + 0.7 * np.random.default_rng(2).standard_normal(25))
    fit = fit_lifetime(failures(time), "lognormal")
    assert fit.location == pytest.approx(float(np.log(time).mean()), abs=1e-5)
    assert fit.scale == pytest.approx(float(np.log(time).std()), rel=1e-5)
    # Information of a normal sample: location s^2 / n, log scale 1 / (2 n).
    np.testing.assert_allclose(np.diag(fit.covariance), [fit.scale**2 / 25, 1 / 50], rtol=1e-3)
    assert abs(fit.covariance[0, 1]) < 1e-5


def _test(family: Family, size: int, generator: np.random.Generator) -> NDArray[np.float64]:
    if family == "weibull":
        return 100.0 * generator.standard_exponential(size) ** (1 / 1.5)
    return np.asarray(np.exp(4.0 + 0.8 * generator.standard_normal(size)))


@pytest.mark.parametrize(
    ("family", "method", "nominal"),
    [("weibull", "profile", 0.9), ("lognormal", "profile", 0.9), ("weibull", "fisher", 0.9)],
)
def test_coverage_of_the_first_percentile(family: Family, method: Method, nominal: float) -> None:
    """150 tests of 40 junctions, stopped when 70 % have failed: how often the interval holds the true life."""
    generator = np.random.default_rng(3)
    truth = (
        100.0 * (-math.log(0.99)) ** (1 / 1.5) if family == "weibull" else math.exp(4.0 + 0.8 * stats.norm.ppf(0.01))
    )
    runs, held = 150, 0
    for _ in range(runs):
        time = _test(family, 40, generator)
        cut = np.sort(time)[27]
        found = life_interval(fit_lifetime(failures(np.minimum(time, cut), time <= cut), family), 0.01, nominal, method)
        held += found.low < truth < found.high
    # Likelihood intervals cover within 2 % of their level here; the binomial limit is at a false-alarm level of 1e-3.
    # Fisher intervals are known to fall short at the tail of small samples: 4 % are allowed them.
    slack = 0.04 if method == "fisher" else 0.02
    least = stats.binom.ppf(5e-4, runs, nominal - slack)
    most = stats.binom.ppf(1 - 5e-4, runs, nominal + slack)
    assert least <= held <= most


def test_coverage_of_the_extrapolated_life() -> None:
    """40 tests at three voltages, extrapolated to a lower one with the law that is true."""
    generator = np.random.default_rng(4)
    voltage = np.repeat([3.6, 3.8, 4.0], 25)
    truth = math.exp(10.0 * (4.0 - 3.0)) * (-math.log(0.9)) ** (1 / 1.5)
    runs, held = 40, 0
    for _ in range(runs):
        time = np.exp(-10.0 * (voltage - 4.0)) * generator.standard_exponential(75) ** (1 / 1.5)
        cut = 20.0
        fit = fit_accelerated(failures(np.minimum(time, cut), time <= cut), voltage)
        found = life_in_use(fit, 3.0, 0.1, level=0.9).life
        held += found.low < truth < found.high
    # Delta method at 75 junctions: within 4 % of its level; false-alarm level 1e-3.
    assert stats.binom.ppf(5e-4, runs, 0.86) <= held <= runs
