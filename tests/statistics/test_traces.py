"""Telegraph traces: spectra, 1/f noise, and prefixes. Level: one false alarm in 1000 seeds for each test."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from ferrogen.core.errors import ArgumentError
from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.noise.ensemble import log_uniform_window_variance
from ferrogen.device.noise.rtn.closed_form import log_uniform_spectrum, lorentzian, occupancy, sampled_lorentzian
from ferrogen.device.noise.rtn.traces import occupancy_traces
from ferrogen.device.noise.rtn.windows import window_sums

KEY = Streams(11).key(Purpose.TELEGRAPH_TRACE)


def _expected_periodogram(p: float, rate: float, interval: float, steps: int) -> NDArray[np.float64]:
    """Exact mean of the one-sided periodogram of ``steps`` samples: the transform of (1 - k/n) C(k)."""
    lags = np.arange(steps)
    covariance = p * (1 - p) * np.exp(-rate * interval * lags) * (1 - lags / steps)
    return 2 * interval * (2 * np.fft.fft(covariance).real - covariance[0])


@pytest.mark.parametrize(("p", "moves"), [(0.5, 0.05), (0.1, 0.3), (0.8, 3.0)])
def test_spectrum_of_one_trap(p: float, moves: float) -> None:
    traps, steps, interval = 400, 4096, 1e-3
    rate = moves / interval
    x = occupancy_traces(
        KEY, np.full(traps, p * rate), np.full(traps, (1 - p) * rate), interval=interval, steps=steps
    ).astype(float)
    periodogram = 2 * interval / steps * np.abs(np.fft.rfft(x - p, axis=1)) ** 2
    expected = _expected_periodogram(p, rate, interval, steps)[: steps // 2 + 1]
    bands = np.unique(np.geomspace(1, steps // 2, 25).astype(int))
    z = []
    for low, high in itertools.pairwise(bands):
        ratio = (periodogram[:, low:high] / expected[low:high]).mean(axis=1)
        z.append((ratio.mean() - 1.0) / (ratio.std(ddof=1) / np.sqrt(traps)))
    assert np.abs(z).max() < stats.norm.isf(1e-3 / 2 / len(z))
    # and the two closed forms: finite length changes the spectrum by little, sampling by little far below the rate
    frequency = np.arange(1, steps // 2) / (steps * interval)
    np.testing.assert_allclose(
        sampled_lorentzian(frequency, p * rate, (1 - p) * rate, interval), expected[1:-1], rtol=0.03
    )
    fine = sampled_lorentzian(frequency, p * rate, (1 - p) * rate, interval * 1e-4)
    np.testing.assert_allclose(fine, lorentzian(frequency, p * rate, (1 - p) * rate), rtol=1e-3)


def test_occupancy_switches_and_dwell_times() -> None:
    a, b, interval = 10.0, 20.0, 1e-3
    x = occupancy_traces(KEY, np.full(300, a), np.full(300, b), interval=interval, steps=20_000)
    share = x.mean(axis=1)
    moves = -np.expm1(-(a + b) * interval)
    switches = (x[:, 1:] != x[:, :-1]).mean(axis=1)
    for values, expected in ((share, occupancy(a, b)), (switches, 2 * a * b / (a + b) ** 2 * moves)):
        assert abs(values.mean() - expected) < 4 * values.std(ddof=1) / np.sqrt(300)
    flips = np.flatnonzero(np.diff(x[0].astype(int)))
    dwell_zero = np.diff(flips)[x[0][flips[:-1] + 1] == 0]
    leave = a / (a + b) * moves
    edges = stats.geom.ppf(np.linspace(0.1, 0.9, 9), leave)
    observed = np.histogram(dwell_zero, bins=[0.5, *(edges + 0.5), np.inf])[0]
    probability = np.diff([0.0, *stats.geom.cdf(edges, leave), 1.0])
    assert stats.chisquare(observed, probability * observed.sum()).pvalue > 1e-3


def _log_uniform_traps(count: int, shortest: float, longest: float, seed: int) -> tuple[NDArray, NDArray, NDArray]:
    rng = np.random.default_rng(seed)
    rate = 1.0 / np.exp(rng.uniform(np.log(shortest), np.log(longest), count))
    p = rng.uniform(0.2, 0.8, count)
    return p, p * rate, (1 - p) * rate


def test_many_traps_make_one_over_f_noise() -> None:
    shortest, longest, steps, interval = 1e-3, 1e3, 8192, 1e-3
    p, a, b = _log_uniform_traps(6000, shortest, longest, 1)
    x = occupancy_traces(KEY, a, b, interval=interval, steps=steps).astype(float) - p[:, None]
    hann = np.hanning(steps + 1)[:-1]
    spectrum = 2 * interval / (hann**2).sum() * np.abs(np.fft.rfft(x * hann, axis=1)) ** 2 / (p * (1 - p))[:, None]
    frequency = np.fft.rfftfreq(steps, interval)
    band = (frequency > 1.0) & (frequency < 15.0)  # between the corners, and far from sampling
    mean = spectrum.mean(axis=0)
    level = (spectrum[:, band] / log_uniform_spectrum(frequency[band], shortest, longest)).mean(axis=1)
    assert level.mean() == pytest.approx(1.0, abs=4 * level.std() / np.sqrt(level.shape[0]) + 0.02)
    slope = np.polyfit(np.log(frequency[band]), np.log(mean[band]), 1)[0]
    assert slope == pytest.approx(-1.0, abs=0.1)


def test_averaging_hardly_helps_against_log_uniform_traps() -> None:
    """Var Y = [ln(t2 / T) + 3/2 - gamma] / ln(t2 / t1): a decade more of averaging removes a constant, not a factor."""
    shortest, longest, count = 1e-5, 1e4, 20_000
    p, a, b = _log_uniform_traps(count, shortest, longest, 2)
    for duration in (1e-2, 1e-1, 1.0):
        y = window_sums(
            Streams(4).key(Purpose.TELEGRAPH_WINDOW),
            np.arange(count, dtype=np.uint64),
            np.arange(count + 1),
            np.ones(count),
            a[:, None] * duration,
            b[:, None] * duration,
            np.array([True]),
            first_cycle=0,
            cycles=4,
        )[:, :, 0]
        relative = ((y - p[:, None]) ** 2).mean(axis=1) / (p * (1 - p))
        error = relative.std() / np.sqrt(count)
        assert relative.mean() == pytest.approx(log_uniform_window_variance(duration, shortest, longest), abs=4 * error)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    rates=st.lists(st.tuples(st.floats(0.0, 1e6), st.floats(0.0, 1e6)), min_size=1, max_size=5),
    steps=st.integers(1, 300),
    more=st.integers(0, 300),
)
def test_a_longer_trace_begins_with_the_shorter_one(rates: list[tuple[float, float]], steps: int, more: int) -> None:
    a, b = (np.array(part) for part in zip(*rates, strict=True))
    short = occupancy_traces(KEY, a, b, interval=1e-4, steps=steps)
    longer = occupancy_traces(KEY, a, b, interval=1e-4, steps=steps + more)
    np.testing.assert_array_equal(longer[:, :steps], short)
    alone = occupancy_traces(
        KEY, a[-1:], b[-1:], interval=1e-4, steps=steps, trap_address=np.array([len(rates) - 1], dtype=np.uint64)
    )
    np.testing.assert_array_equal(alone[0], short[-1])


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"interval": 0.0}, "interval"),
        ({"interval": float("nan")}, "interval"),
        ({"steps": 0}, "steps"),
        ({"capture_rate": np.array([-1.0])}, "capture_rate"),
        ({"emission_rate": np.array([np.inf])}, "emission_rate"),
    ],
)
def test_refusals(change: dict[str, object], name: str) -> None:
    arguments = {"capture_rate": np.ones(1), "emission_rate": np.ones(1), "interval": 1.0, "steps": 3, **change}
    with pytest.raises(ArgumentError, match=f"`{name}`"):
        occupancy_traces(KEY, **arguments)
