"""Factorial hidden Markov models of one trace: likelihood, fit and path against hmmlearn and brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hmmlearn.hmm import GaussianHMM
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import norm

from ferrogen.calibration.rtn.background import fit_background
from ferrogen.calibration.rtn.chain import background_likelihood
from ferrogen.calibration.rtn.factorial import Chains, Workspace, covariance, improve, score
from ferrogen.calibration.rtn.trace import fit_trace
from ferrogen.core.errors import ArgumentError, FerrogenError
from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.noise.rtn.traces import occupancy_traces

STREAMS = Streams(31)


def trace(
    amplitude: list[float], low: list[float], high: list[float], samples: int, seed: int = 0
) -> NDArray[np.float64]:
    states = occupancy_traces(
        STREAMS.key(Purpose.SYNTHETIC_DATA, seed), 1 / np.array(low), 1 / np.array(high), interval=1.0, steps=samples
    )
    noise = STREAMS.generator(Purpose.SYNTHETIC_DATA, seed).standard_normal(samples)
    return np.array(amplitude) @ states + noise


def two_traps() -> Chains:
    return Chains(0.3, np.array([1.5, 0.8]), np.array([0.1, 0.3]), np.array([0.2, 0.05]), 0.7)


def test_likelihood_and_path_agree_with_all_paths_of_a_short_trace() -> None:
    chains, x = two_traps(), np.array([0.2, 1.9, 2.4, 0.9, 0.1])
    step, level = chains.transition, chains.levels
    best, total = (-np.inf, ()), 0.0
    for path in itertools.product(range(4), repeat=5):
        p = 0.25 * np.prod([step[a, b] for a, b in itertools.pairwise(path)])
        p *= np.prod(norm.pdf(x, level[list(path)], chains.noise))
        total += p
        best = max(best, (p, path))
    work = Workspace(x)
    value, pairs, sums = work.expect(chains)
    # sums of 1024 products of ten factors: rounding stays below 1e-12
    assert value == pytest.approx(np.log(total), rel=1e-12)
    assert pairs.sum() == pytest.approx(4.0)
    assert sums[0].sum() == pytest.approx(5.0)
    np.testing.assert_array_equal(work.path(chains), chains.states[list(best[1])])


def test_one_trap_agrees_with_hmmlearn() -> None:
    x = trace([2.0], [30.0], [12.0], 4000)
    work = Workspace(x)
    start = Chains(-0.2, np.array([1.7]), np.array([0.05]), np.array([0.05]), 1.2)
    value, chains, converged = improve(work, start, passes=2000, tolerance=1e-9)
    # hmmlearn: one variance for both states, the same flat start; its prior on the variance is switched off
    model = GaussianHMM(
        2, "tied", min_covar=0.0, covars_prior=0.0, n_iter=5000, tol=1e-9, params="tmc", init_params="",
        implementation="scaling",
    )  # fmt: skip
    model.startprob_ = np.array([0.5, 0.5])
    model.transmat_ = np.array([[0.95, 0.05], [0.05, 0.95]])
    model.means_ = np.array([[-0.2], [1.5]])
    model.covars_ = np.array([[1.44]])
    model.fit(x[:, None])
    assert converged
    assert value == pytest.approx(model.score(x[:, None]), abs=0.05)  # its variance prior leaves a term of order one
    np.testing.assert_allclose(chains.levels, model.means_[:, 0], atol=2e-3)
    assert chains.rise[0] == pytest.approx(model.transmat_[0, 1], rel=0.01)
    assert chains.fall[0] == pytest.approx(model.transmat_[1, 0], rel=0.01)
    np.testing.assert_array_equal(work.path(chains)[:, 0], model.predict(x[:, None]))


@pytest.mark.parametrize("drift", [False, True])
def test_score_is_the_gradient_of_the_likelihood(drift: bool) -> None:
    work = Workspace(trace([1.5, 0.8], [10.0, 20.0], [20.0, 5.0], 300) + 0.3, drift=drift)
    chains = Chains(0.3, np.array([1.4, 0.9]), np.array([0.1, 0.2]), np.array([0.2, 0.05]), 0.9, 0.1 * drift)
    vector, gradient = chains.vector(), score(work, chains)
    free = vector.shape[0] if drift else vector.shape[0] - 1
    for k in range(free):
        h = 1e-5
        ends = [vector + sign * h * np.eye(vector.shape[0])[k] for sign in (1, -1)]
        values = [work.expect(Chains.from_vector(end))[0] for end in ends]
        # central difference: error h^2 f''' and rounding 1e-13 / h
        assert gradient[k] == pytest.approx((values[0] - values[1]) / (2 * h), rel=1e-5, abs=1e-4)


def test_improvement_is_monotone_and_information_matches_the_spread_of_fits() -> None:
    start = Chains(0.0, np.array([3.0]), np.array([0.05]), np.array([0.05]), 1.0)
    found, stated = [], []
    for k in range(60):
        work = Workspace(trace([3.0], [20.0], [20.0], 1500, seed=100 + k))
        value, chains, _ = improve(work, start, passes=200)
        assert value >= work.expect(start)[0]
        matrix = covariance(work, chains)
        assert matrix is not None
        found.append(chains.vector()[:5])
        stated.append(np.diagonal(matrix)[:5])
    ratio = np.var(found, axis=0, ddof=1) / np.mean(stated, axis=0)
    # a variance of 60 normal values: relative error sqrt(2 / 59) = 0.18; five of them, 4.4 standard errors: level 1e-4
    assert np.all(np.abs(ratio - 1.0) < 4.4 * 0.184)


def test_background_likelihood_is_that_of_a_normal_distribution() -> None:
    x = STREAMS.generator(Purpose.SYNTHETIC_DATA, 5).standard_normal(40)
    memory, ratio = 0.8, 2.5
    value, white = background_likelihood(x, memory, ratio)
    lag = np.abs(np.subtract.outer(np.arange(40), np.arange(40)))
    shape = ratio * memory**lag + np.eye(40)
    expected = x @ np.linalg.solve(shape, x) / 40
    assert white == pytest.approx(expected, rel=1e-10)
    _, determinant = np.linalg.slogdet(shape)
    assert value == pytest.approx(-0.5 * (40 * np.log(2 * np.pi * expected) + 40 + determinant), rel=1e-10)


def test_a_continuous_background_is_not_taken_for_levels() -> None:
    generator = STREAMS.generator(Purpose.SYNTHETIC_DATA, 6)
    walk = np.cumsum(0.15 * generator.standard_normal(3000)) + generator.standard_normal(3000)
    fit = fit_trace(walk, STREAMS.generator(Purpose.CALIBRATION))
    assert not fit.has_levels
    assert any("continuous background" in note for note in fit.notes)
    background = fit_background(walk)
    assert background.noise == pytest.approx(1.0, abs=0.1)
    jumps = fit_trace(trace([4.0], [50.0], [50.0], 3000), STREAMS.generator(Purpose.CALIBRATION))
    assert jumps.has_levels


def test_drift_is_fitted_when_it_is_allowed() -> None:
    x = trace([4.0], [30.0], [30.0], 3000, seed=9) + np.linspace(0.0, 6.0, 3000)
    fit = fit_trace(x, STREAMS.generator(Purpose.CALIBRATION), drift=True)
    assert len(fit.traps) == 1
    assert fit.drift == pytest.approx(6.0, abs=0.3)
    assert fit.traps[0].amplitude == pytest.approx(4.0, abs=0.2)


def test_units_scale_and_the_interval_turns_reads_into_seconds() -> None:
    x = trace([3.0], [20.0], [10.0], 3000)
    plain = fit_trace(x, STREAMS.generator(Purpose.CALIBRATION))
    small = fit_trace(2e-9 * x + 1e-6, STREAMS.generator(Purpose.CALIBRATION), interval=1e-3)
    assert (plain.time_unit, small.time_unit) == ("reads", "s")
    assert any("reads" in note for note in plain.notes)
    assert small.traps[0].amplitude == pytest.approx(2e-9 * plain.traps[0].amplitude, rel=1e-3)
    assert small.traps[0].time_low == pytest.approx(1e-3 * plain.traps[0].time_low, rel=1e-2)
    np.testing.assert_allclose(small.level, 2e-9 * plain.level + 1e-6, rtol=1e-4)
    # the density of scaled data is scaled: so is the likelihood
    assert small.log_likelihood == pytest.approx(plain.log_likelihood - 3000 * np.log(2e-9), abs=0.1)


def test_a_trap_that_hardly_switches_is_not_identified() -> None:
    x = STREAMS.generator(Purpose.SYNTHETIC_DATA, 7).standard_normal(1000)
    x[400:] += 8.0
    fit = fit_trace(x, STREAMS.generator(Purpose.CALIBRATION))
    assert [trap.identified for trap in fit.traps] == [False]
    assert "switches 1 times" in fit.traps[0].reason


def test_same_seed_same_result() -> None:
    x = trace([2.0, 3.0], [20.0, 50.0], [30.0, 40.0], 1500)
    first, second = (fit_trace(x, STREAMS.generator(Purpose.CALIBRATION)) for _ in range(2))
    assert first.criterion == second.criterion


@pytest.mark.parametrize(
    ("x", "options", "match"),
    [
        (np.zeros(10), {}, "`x`"),
        (np.ones(100), {}, "vary"),
        (np.full(100, np.nan), {}, "finite"),
        (np.arange(100.0), {"interval": -1.0}, "`interval`"),
        (np.arange(100.0), {"most_traps": 5}, "`most_traps`"),
        (np.arange(100.0), {"least_switches": 0}, "`least_switches`"),
    ],
)
def test_refusals(x: NDArray[np.float64], options: dict[str, float], match: str) -> None:
    with pytest.raises(ArgumentError, match=match):
        fit_trace(x, STREAMS.generator(Purpose.CALIBRATION), **options)  # type: ignore[arg-type]


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    x=st.lists(st.one_of(st.floats(-1e9, 1e9), st.sampled_from([0.0, 1.0])), min_size=50, max_size=80),
    drift=st.booleans(),
)
def test_any_trace_gives_finite_numbers_or_a_typed_error(x: list[float], drift: bool) -> None:
    try:
        fit = fit_trace(np.array(x), STREAMS.generator(Purpose.CALIBRATION), most_traps=2, drift=drift, passes=40)
    except FerrogenError:
        return
    assert np.all(np.isfinite(fit.level))
    assert np.all(np.isfinite([fit.noise, fit.log_likelihood, *fit.criterion]))
    for trap in fit.traps:
        assert np.all(np.isfinite([trap.amplitude, trap.time_low, trap.time_high, trap.log_error_low]))
