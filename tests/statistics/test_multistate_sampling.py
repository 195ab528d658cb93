"""Chains of states: the three exact samplers against the closed forms. Level: 1e-3 a test, Bonferroni within it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.noise.anomalous import four_state_trap, three_state_trap
from ferrogen.device.noise.multistate import (
    MultistateTrap,
    autocovariance,
    mean,
    sampled_spectrum,
    stationary_distribution,
    transition_matrix,
    variance,
    window_covariance,
    window_variance,
)
from ferrogen.device.noise.multistate_traces import event_trace, state_traces, window_means

KEY = Streams(11).key(Purpose.MULTISTATE_TRAP)
CIRCLE = MultistateTrap(np.array([[0.0, 9.0, 0.2], [0.3, 0.0, 7.0], [8.0, 0.1, 0.0]]), np.array([0.0, 1.0, 2.5]))
CHAINS = [
    CIRCLE,
    three_state_trap(30.0, 20.0, 4.0, 2.0),
    four_state_trap(
        capture_rate=5.0, release_rate=2.0, settle_rate=40.0, unsettle_rate=0.5,
        emission_rate=3.0, recapture_rate=6.0, relax_rate=20.0, excite_rate=0.1,
    ),
]  # fmt: skip
TRAPS = 2000


def _z(values: np.ndarray, expected: float) -> float:
    """Of the mean over independent traps."""
    return float((values.mean() - expected) / (values.std(ddof=1) / np.sqrt(values.shape[0])))


@pytest.mark.parametrize("trap", CHAINS)
def test_grid_states_and_their_transitions(trap: MultistateTrap) -> None:
    x = state_traces(KEY, [trap] * TRAPS, interval=0.05, steps=40)
    p, step = stationary_distribution(trap), transition_matrix(trap, 0.05)
    for k in (0, 39):  # independent traps: a plain chi-square test
        assert stats.chisquare(np.bincount(x[:, k], minlength=trap.states), TRAPS * p).pvalue > 1e-3 / 4
    # Markov: counts of transitions, given where they start, are multinomial
    for start in range(trap.states):
        following = x[:, 1:][x[:, :-1] == start]
        observed = np.bincount(following, minlength=trap.states)
        expected = following.shape[0] * step[start]
        kept = expected > 5.0
        pairs = [*zip(observed[kept], expected[kept], strict=True), (observed[~kept].sum(), expected[~kept].sum())]
        seen, due = np.array([pair for pair in pairs if pair[1] > 1.0]).T
        assert stats.chisquare(seen, due * seen.sum() / due.sum()).pvalue > 1e-4


@pytest.mark.parametrize("trap", CHAINS)
def test_window_moments(trap: MultistateTrap) -> None:
    duration, period = 0.15, 0.2
    y = window_means(KEY, [trap] * TRAPS, duration=duration, windows=20, period=period) - mean(trap)
    z = [_z(y.mean(axis=1), 0.0), _z((y**2).mean(axis=1), window_variance(trap, duration))]
    for lag in (1, 3):
        products = (y[:, lag:] * y[:, :-lag]).mean(axis=1)
        z.append(_z(products, window_covariance(trap, duration, period, lag)))
    assert max(map(abs, z)) < stats.norm.isf(1e-3 / 2 / len(z)), z


@pytest.mark.parametrize("trap", CHAINS)
def test_stays_are_exponential_and_jumps_in_proportion(trap: MultistateTrap) -> None:
    times, states = event_trace(KEY, trap, duration=400.0, address=5)
    stays, leaving = np.diff(times), trap.rates.sum(axis=1)
    for state in range(trap.states):
        own = states[:-1] == state
        assert stats.kstest(stays[own] * leaving[state], "expon").pvalue > 1e-3 / 8
        following = np.bincount(states[1:][own], minlength=trap.states)
        expected = own.sum() * trap.rates[state] / leaving[state]
        assert np.all(following[expected == 0.0] == 0)
        some = expected > 0.0
        if some.sum() > 1:
            assert stats.chisquare(following[some], expected[some]).pvalue > 1e-3 / 8


@pytest.mark.parametrize("trap", CHAINS)
def test_windows_are_the_event_trace_averaged(trap: MultistateTrap) -> None:
    """Same key, same address: the same trajectory, integrated by hand."""
    times, states = event_trace(KEY, trap, duration=4.0, address=3)
    ends = np.append(times, 4.0)
    means = window_means(
        KEY, [trap], duration=0.2, windows=16, period=0.25, trap_address=np.array([3], dtype=np.uint64)
    )[0]
    for k, value in enumerate(means):
        inside = np.diff(np.clip(ends, 0.25 * k, 0.25 * k + 0.2))
        assert value == pytest.approx(inside @ trap.signal[states] / 0.2, abs=1e-11)


def test_the_spectrum_of_grid_traces() -> None:
    trap, interval, steps = CIRCLE, 0.01, 2048
    x = trap.signal[state_traces(KEY, [trap] * 300, interval=interval, steps=steps)] - mean(trap)
    hann = np.hanning(steps + 1)[:-1]
    density = 2.0 * interval / (hann**2).sum() * np.abs(np.fft.rfft(x * hann, axis=1)) ** 2
    frequency = np.fft.rfftfreq(steps, interval)
    z = []
    for low, high in ((0.3, 0.6), (1.0, 1.5), (2.0, 4.0), (10.0, 20.0), (40.0, 49.0)):
        band = (frequency > low) & (frequency < high)
        expected = sampled_spectrum(trap, frequency[band], interval)
        z.append(_z((density[:, band] / expected).mean(axis=1), 1.0))
    # the window smears the resonance of the circle by half a per mille at most; 300 traces resolve 1 %
    assert max(map(abs, z)) < stats.norm.isf(1e-3 / 2 / len(z)), z
    c = [(x[:, k:] * x[:, : steps - k]).mean(axis=1) for k in (0, 5, 20)]
    z = [_z(c[0], variance(trap)), *(_z(c[i], float(autocovariance(trap, k * interval))) for i, k in ((1, 5), (2, 20)))]
    assert max(map(abs, z)) < stats.norm.isf(1e-3 / 2 / 3), z
