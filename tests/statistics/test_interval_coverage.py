"""Do 95 % intervals hold the truth in about 95 of 100 seeded repetitions?

The bounds are those of a binomial count around the stated level: below 0.88 of 150 repetitions happens by chance to an
honest 95 % interval about once in 2000 times; scores that promise more (simultaneous bands) have no upper bound here.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import signal

from ferrogen.metrics.classes import class_entropy, diversity
from ferrogen.metrics.frechet import frechet_distance
from ferrogen.metrics.kernel import kernel_distance
from ferrogen.metrics.manifold import density_coverage
from ferrogen.metrics.randomness import latent_statistics
from ferrogen.metrics.score import Score

_REPEATS = 150
_LEAST = 0.88

_NORMAL = {
    "mean": 0.0,
    "standard_deviation": 1.0,
    "skewness": 0.0,
    "excess_kurtosis": 0.0,
    "ks_distance": 0.0,
    "max_column_correlation": 0.0,
    "rms_column_correlation": 0.0,
}


def _white(rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal((600, 8))


def _autoregressive(rho: float, rows: int, columns: int = 6) -> Callable[[np.random.Generator], np.ndarray]:
    def draw(rng: np.random.Generator) -> np.ndarray:
        noise = rng.standard_normal((rows + 150, columns))
        return np.asarray(signal.lfilter([np.sqrt(1 - rho**2)], [1, -rho], noise, axis=0)[150:])

    return draw


def _student(rng: np.random.Generator) -> np.ndarray:
    return rng.standard_t(20, (600, 8))


def _shared_column_noise(rng: np.random.Generator) -> np.ndarray:
    return np.sqrt(0.7) * rng.standard_normal((600, 6)) + np.sqrt(0.3) * rng.standard_normal((600, 1))


@pytest.mark.parametrize(
    ("draw", "truth"),
    [
        pytest.param(_white, {**_NORMAL, "autocorrelation_lag_1": 0.0}, id="white"),
        pytest.param(_autoregressive(0.6, 1000), {**_NORMAL, "autocorrelation_lag_1": 0.6}, id="rho-0.6"),
        pytest.param(_autoregressive(0.9, 3000), {**_NORMAL, "autocorrelation_lag_1": 0.9}, id="rho-0.9"),
        pytest.param(_autoregressive(0.6, 300, 16), {"autocorrelation_lag_1": 0.6}, id="short-run"),
        pytest.param(
            _student,
            {"mean": 0.0, "standard_deviation": np.sqrt(20 / 18), "excess_kurtosis": 6 / 16},
            id="student-20",
        ),
        pytest.param(
            _shared_column_noise,
            {"mean": 0.0, "rms_column_correlation": 0.3, "max_column_correlation": 0.3},
            id="correlated-columns",
        ),
    ],
)
def test_latent_intervals(draw: Callable[[np.random.Generator], np.ndarray], truth: dict[str, float]) -> None:
    held = dict.fromkeys(truth, 0)
    for repeat in range(_REPEATS):
        found = latent_statistics(draw(np.random.default_rng([7, repeat])), seed=repeat)
        for name, value in truth.items():
            held[name] += found[name].low <= value <= found[name].high
    shares = {name: count / _REPEATS for name, count in held.items()}
    assert min(shares.values()) >= _LEAST, shares


def test_independence_would_be_believed_too_easily() -> None:
    """The study can fail: intervals that ignore the correlation of rows hold the mean far too rarely."""
    held = 0
    draw = _autoregressive(0.9, 3000)
    for repeat in range(_REPEATS):
        z = draw(np.random.default_rng([7, repeat]))
        half = 1.96 * z.std() / np.sqrt(z.size)
        held += abs(z.mean()) <= half
    assert held / _REPEATS < 0.6


def _sets(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return rng.standard_normal((200, 4)) * 1.2 + 0.3, rng.standard_normal((250, 4))


def _labels(rows: np.ndarray) -> np.ndarray:
    return (rows[:, 0] > 0).astype(int)


@pytest.mark.parametrize(
    "score",
    [
        pytest.param(lambda a, b, seed: frechet_distance(a, b, seed=seed, resamples=60), id="frechet"),
        pytest.param(lambda a, b, seed: kernel_distance(a, b), id="kernel"),
        pytest.param(lambda a, b, seed: diversity(a, _labels(a), b, _labels(b))[0], id="diversity"),
        pytest.param(lambda a, b, seed: diversity(a, _labels(a), b, _labels(b))[1], id="diversity-in-class"),
    ],
)
def test_set_scores_hold_their_expectation(score: Callable[[np.ndarray, np.ndarray, int], Score]) -> None:
    """The interval is for the score's expectation at this n, which the mean over repetitions estimates."""
    found = [score(*_sets(np.random.default_rng([8, repeat])), repeat) for repeat in range(_REPEATS)]
    truth = np.mean([one.value for one in found])
    held = np.mean([one.low <= truth <= one.high for one in found])
    assert _LEAST <= held <= 0.995


def test_frechet_interval_does_not_count_the_bias_twice() -> None:
    """Few samples in many dimensions: unshifted percentiles of the resamples would lie above the expectation."""
    found = []
    for repeat in range(_REPEATS):
        rng = np.random.default_rng([12, repeat])
        a, b = rng.standard_normal((2, 60, 12))
        found.append(frechet_distance(a + 0.5, b, seed=repeat, resamples=60))
    truth = np.mean([one.value for one in found])
    held = np.mean([one.low <= truth <= one.high for one in found])
    assert held >= _LEAST


def test_kernel_distance_has_no_bias_and_frechet_distance_has() -> None:
    """Two samples of one distribution: the mean kernel distance is zero, the mean Frechet distance is not."""
    rng = np.random.default_rng(9)
    pairs = [rng.standard_normal((2, 40, 4)) for _ in range(_REPEATS)]
    kernel = np.array([kernel_distance(a, b).value for a, b in pairs])
    frechet = np.array([frechet_distance(a, b, resamples=2).value for a, b in pairs])
    assert abs(kernel.mean()) < 3.0 * kernel.std() / np.sqrt(_REPEATS)
    assert frechet.mean() > 10.0 * frechet.std() / np.sqrt(_REPEATS)


def test_entropy_interval() -> None:
    """Few images: the bias that the definition states is as large as the spread, and the interval knows it."""
    shares = np.array([0.2, 0.18, 0.15, 0.12, 0.1, 0.08, 0.06, 0.05, 0.04, 0.02])
    found = []
    for repeat in range(_REPEATS):
        rng = np.random.default_rng([10, repeat])
        found.append(class_entropy(np.eye(10)[rng.choice(10, size=50, p=shares)], seed=repeat))
    expected = np.mean([score.value for score in found])
    truth = -np.sum(shares * np.log2(shares))
    assert expected == pytest.approx(truth - 9 / (2 * 50 * np.log(2)), abs=0.03)
    assert np.mean([score.low <= expected <= score.high for score in found]) >= _LEAST


def test_density_of_one_distribution_is_about_one() -> None:
    rng = np.random.default_rng(11)
    values = [density_coverage(*rng.standard_normal((2, 300, 4)))[0].value for _ in range(30)]
    assert np.mean(values) == pytest.approx(1.0, abs=0.05)
