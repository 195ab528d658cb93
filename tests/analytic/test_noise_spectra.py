"""A cell's whole spectrum: parts, aliased reads against their series and against samples, Welch's confidence bounds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from ferrogen.core.errors import ArgumentError
from ferrogen.core.streams import Streams
from ferrogen.device.noise.averaging import averaged_variance
from ferrogen.device.noise.cell import CellPoint
from ferrogen.device.noise.electronic import shot_density, white_window_variance
from ferrogen.device.noise.rtn.closed_form import window_covariance, window_variance
from ferrogen.device.noise.spectra import (
    averaged_lorentzian,
    binned_welch,
    cell_spectrum,
    read_spectrum,
    sample_reads,
    welch_spectrum,
)

POINT = CellPoint(
    current=2e-9,
    voltage=0.3,
    temperature=300.0,
    capture_rate=np.array([300.0, 4000.0]),
    emission_rate=np.array([500.0, 2500.0]),
    steps=np.array([-4e-12, -2e-12]),
)


def test_the_parts_of_a_cell_s_spectrum() -> None:
    f = np.array([0.0, 10.0, 1e4, 1e9])
    parts = cell_spectrum(POINT, f)
    assert POINT.mean_current == pytest.approx(2e-9 - 4e-12 * 3 / 8 - 2e-12 * 40 / 65, rel=1e-13, abs=0.0)
    np.testing.assert_array_equal(parts.total, parts.telegraph + parts.thermal + parts.shot)
    # 0.3 V are 5.8 kT / q: the two together are nearly pure shot noise
    assert float(parts.thermal[0] + parts.shot[0]) == pytest.approx(
        float(shot_density(POINT.mean_current)), rel=1e-4, abs=0.0
    )
    assert parts.telegraph[0] > 30 * parts.shot[0]
    assert parts.telegraph[3] < 1e-3 * parts.shot[3]
    variance = POINT.steps**2 @ np.array([15 / 64, 40 * 25 / 65**2])
    # the Lorentzians fall as 1 / f^2: beyond 1e8 Hz are left 1e-5 of them
    integral, _ = quad(
        lambda x: float(cell_spectrum(POINT, np.exp(x)).telegraph[0]) * np.exp(x),
        -10,
        np.log(1e8),
        epsrel=1e-9,
        limit=300,
    )
    assert integral == pytest.approx(variance, rel=1e-4, abs=0.0)


@pytest.mark.parametrize(("duration", "period"), [(1e-3, 1e-3), (2e-4, 1e-3), (1e-7, 1e-3), (0.5, 0.5)])
def test_read_spectra_are_the_series_of_window_covariances(duration: float, period: float) -> None:
    a, b = 300.0, 500.0
    lags = range(1, max(3, int(45.0 / (800.0 * period))))
    c = np.array([float(window_covariance(a, b, duration, period, k)) for k in lags])
    for f in np.array([0.0, 0.1, 0.37, 0.5]) / period:
        cosines = np.cos(2 * np.pi * f * period * np.array(lags))
        series = 2.0 * period * (float(window_variance(a, b, duration)) + 2.0 * float(c @ cosines))
        # window_covariance's series for short windows leaves 7 u^2 / 12 below u = 1e-4
        assert float(averaged_lorentzian(f, a, b, duration, period)) == pytest.approx(series, rel=1e-8, abs=0.0)


def test_the_spectrum_of_reads_integrates_to_their_variance() -> None:
    duration, period = 2e-4, 1e-3
    f = (np.arange(4096) + 0.5) / 4096 * 0.5 / period  # the midpoint rule of a smooth periodic function: exact
    integral = read_spectrum(POINT, f, duration=duration, period=period).mean() * 0.5 / period
    telegraph = POINT.steps**2 @ window_variance(POINT.capture_rate, POINT.emission_rate, duration)
    white = cell_spectrum(POINT, 0.0).thermal[0] + cell_spectrum(POINT, 0.0).shot[0]
    assert integral == pytest.approx(telegraph + float(white_window_variance(white, duration)), rel=1e-9, abs=0.0)


@pytest.mark.parametrize("duration", [1e-3, 2e-5])
def test_sampled_reads_have_the_closed_spectrum(duration: float) -> None:
    """Four cells of 2^17 reads: chi-squared bounds of every bin at a level of 1e-3 over all of them (Bonferroni).

    The traps switch hundreds of times in a segment, so that the estimate is nearly that of Gaussian noise.
    """
    period, outside, number = 1e-3, 0, 0
    for address in range(4):
        reads = sample_reads(POINT, Streams(9), duration=duration, period=period, reads=1 << 17, address=address)
        white = cell_spectrum(POINT, 0.0)
        variance = POINT.steps**2 @ window_variance(POINT.capture_rate, POINT.emission_rate, duration)
        variance += float(white_window_variance(white.thermal[0] + white.shot[0], duration))
        # reads are nearly independent beyond a few periods: 1 % is six standard errors
        assert reads.var() == pytest.approx(variance, rel=0.03, abs=0.0)
        assert reads.mean() == pytest.approx(POINT.mean_current, abs=6 * np.sqrt(variance / (1 << 17)) * 1.7)
        estimate = welch_spectrum(reads, period, 1024, confidence=1.0 - 1e-3 / 100)
        expected = read_spectrum(POINT, estimate.frequency, duration=duration, period=period)
        outside += np.count_nonzero((expected < estimate.low) | (expected > estimate.high))
        number += expected.shape[0]
    assert number <= 100
    assert outside == 0


def test_confidence_bounds_cover_as_often_as_they_say() -> None:
    """White Gaussian noise: bounds at 0.9 hold in 0.9 of the records, bin by bin; binomial at 1e-3, Bonferroni."""
    records, density = 600, 2e-3
    held = 0
    for row in np.random.default_rng(6).standard_normal((records, 2048)):
        estimate = welch_spectrum(row, 1e-3, 256, confidence=0.9)
        held = held + ((density >= estimate.low) & (density <= estimate.high)).astype(int)
    bins = estimate.frequency.shape[0]
    low, high = stats.binom.ppf([5e-4 / bins, 1 - 5e-4 / bins], records, 0.9)
    # two moments make the bounds, not the law's shape, and a window of 256 is short: 1.5 % more
    assert np.all((held >= low - 0.015 * records) & (held <= high + 0.015 * records)), held / records
    frequency, plain = binned_welch(row, 1e-3, 256)
    np.testing.assert_array_equal(estimate.density, plain)
    np.testing.assert_array_equal(estimate.frequency, frequency)
    # 15 segments; the last bin ends early, with one frequency; the first has two, which share 4/9 of their variance
    one = 2.0 * 15 / (1.0 + 2.0 / 36.0 * 14 / 15)
    assert estimate.freedom[[-1, 0]] == pytest.approx([one, one * 18.0 / 13.0], rel=1e-12, abs=0.0)


def test_averages_of_reads_follow_from_the_read_spectrum() -> None:
    """The inverse transform of the closed spectrum gives covariances; their average that of one long window."""
    a, b, period = 30.0, 50.0, 1e-3
    f = (np.arange(1 << 15) + 0.5) / (1 << 15) * 0.5 / period
    density = averaged_lorentzian(f, a, b, period, period)
    lags = np.arange(64)
    c = np.array([(density * np.cos(2 * np.pi * f * k * period)).mean() for k in lags]) * 0.5 / period
    assert float(averaged_variance(c, 64)) == pytest.approx(
        float(window_variance(a, b, 64 * period)), rel=1e-6, abs=0.0
    )


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"segment": 15}, "segment"),
        ({"segment": 17}, "segment"),
        ({"segment": 2000}, "segment"),
        ({"confidence": 1.0}, "confidence"),
        ({"interval": 0.0}, "interval"),
        ({"signal": np.full(1000, np.nan)}, "signal"),
    ],
)
def test_welch_refusals(change: dict[str, object], name: str) -> None:
    arguments = {"signal": np.zeros(1000), "interval": 1.0, "segment": 100, "confidence": 0.9, **change}
    with pytest.raises(ArgumentError, match=f"`{name}`"):
        welch_spectrum(**arguments)


def test_read_refusals() -> None:
    with pytest.raises(ArgumentError, match="`period`"):
        averaged_lorentzian(1.0, 1.0, 1.0, 2.0, 1.0)
    with pytest.raises(ArgumentError, match="`period`"):
        sample_reads(POINT, Streams(1), duration=2.0, period=1.0, reads=3)
    with pytest.raises(ArgumentError, match="`reads`"):
        sample_reads(POINT, Streams(1), duration=1.0, period=1.0, reads=0)
    with pytest.raises(ArgumentError, match="`capture_rate`"):
        CellPoint(1.0, 1.0, 300.0, np.array([0.0]), np.array([1.0]), np.array([1.0]))
    with pytest.raises(ArgumentError, match="`capture_rate`"):
        CellPoint(1.0, 1.0, 300.0, np.array([1.0, 2.0]), np.array([1.0]), np.array([1.0]))
