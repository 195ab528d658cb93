"""Flicker noise of ensembles: closed forms against quadrature, drawn populations, and Ornstein-Uhlenbeck simulation."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import constants as codata
from scipy import stats
from scipy.integrate import quad

from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.card import DeviceCard, load_card
from ferrogen.device.noise.ensemble import (
    active_traps,
    expected_spectrum,
    expected_variance,
    expected_window_variance,
    hooge_coefficient,
    log_uniform_density,
    log_uniform_window_variance,
    mean_activity,
    population_spectrum,
    population_window_variance,
)
from ferrogen.device.noise.ornstein_uhlenbeck import (
    bins_per_decade,
    flicker_bins,
    joint_covariance,
    spectral_ripple,
    step_processes,
)
from ferrogen.device.noise.rtn import closed_form
from ferrogen.device.noise.traps import TrapPopulation, draw_traps

SHORT, LONG = 1e-6, 1e3


@pytest.fixture(scope="module")
def junction() -> DeviceCard:
    return load_card("hzo-mfis-nor")


@pytest.fixture(scope="module")
def population(junction: DeviceCard) -> TrapPopulation:
    return draw_traps(junction, 60_000, np.random.default_rng(7))


def _over_times(function, shortest: float, longest: float) -> float:
    """The mean over log-uniform time constants by quadrature, decade by decade; asked for 1e-11."""
    edges = np.linspace(np.log(shortest), np.log(longest), 25)
    parts = [quad(lambda x: function(np.exp(x)), a, b, epsabs=0.0, epsrel=1e-11)[0] for a, b in pairwise(edges)]
    return sum(parts) / (np.log(longest) - np.log(shortest))


@pytest.mark.parametrize("frequency", [0.0, 1e-7, 1e-3, 1.0, 1e5, 1e9])
def test_the_log_uniform_spectrum(frequency: float) -> None:
    omega = 2.0 * np.pi * frequency
    expected = _over_times(lambda tau: 4.0 * tau / (1.0 + (omega * tau) ** 2), SHORT, LONG)
    # at 1e9 Hz both arctangents are near pi/2: their difference of 1e-4 keeps 12 digits
    assert float(log_uniform_density(frequency, SHORT, LONG)) == pytest.approx(expected, rel=1e-10, abs=0.0)


@pytest.mark.parametrize("duration", [1e-9, 1e-6, 3e-4, 1.0, 1e3, 1e6])
def test_the_log_uniform_window_variance(duration: float) -> None:
    expected = _over_times(lambda tau: float(closed_form.averaging_factor(duration / tau)), SHORT, LONG)
    value = float(log_uniform_window_variance(duration, SHORT, LONG))
    assert value == pytest.approx(expected, rel=1e-9, abs=0.0)
    if duration == 1.0:  # (4.13), which neglects the ends: T / t2 / 3 and t1 / T, relative to ln(t2 / T)
        between = (np.log(LONG / duration) + 1.5 - np.euler_gamma) / np.log(LONG / SHORT)
        assert value == pytest.approx(between, rel=1e-4, abs=0.0)


def test_single_time_constants_are_a_narrow_range() -> None:
    tau, f = 0.01, np.array([0.0, 3.0, 100.0])
    np.testing.assert_allclose(log_uniform_density(f, tau, tau), log_uniform_density(f, tau, tau * 1.001), rtol=2e-3)
    np.testing.assert_allclose(log_uniform_density(f, tau, tau), closed_form.lorentzian(f, 50.0, 50.0) * 4, rtol=1e-12)
    assert float(log_uniform_window_variance(0.02, tau, tau)) == pytest.approx(
        float(log_uniform_window_variance(0.02, tau, tau * 1.0001)), rel=1e-4, abs=0.0
    )


@pytest.mark.parametrize(
    ("low", "high"), [(-0.2, 0.2), (-0.01, 0.3), (0.3, 0.9), (-2.0, -1.0), (0.1, 0.1), (-3.0, 3.0)]
)
@pytest.mark.parametrize("temperature", [250.0, 400.0])
def test_mean_activity(low: float, high: float, temperature: float) -> None:
    kt = codata.k / codata.e * temperature

    def active(energy: float) -> float:
        p = 1.0 / (1.0 + np.exp(energy / kt))
        q = 1.0 / (1.0 + np.exp(-energy / kt))
        return p * q

    value = float(mean_activity(low, high, temperature))
    if low == high:
        assert value == pytest.approx(active(low), rel=1e-12, abs=0.0)
        return
    edges = np.linspace(low, high, 60)  # a width of kT or two each: smooth
    integral = sum(quad(active, a, b, epsabs=0.0, epsrel=1e-12)[0] for a, b in pairwise(edges))
    assert value == pytest.approx(integral / (high - low), rel=1e-8, abs=0.0)
    if low == -high:
        assert value == pytest.approx(kt / (2 * high) * np.tanh(2 * high / (4 * kt)), rel=1e-9, abs=0.0)


def test_active_traps_of_the_reference() -> None:
    """device.md: 1e19 /(cm^3 eV), (100 nm)^2, 1 nm: D A dz 4 kT = 10 traps. And it is the sum of p (1 - p)."""
    number = active_traps(1e25, 1e-14, 1e-9, 300.0)
    assert 4.0 * number == pytest.approx(10.3, abs=0.1)
    band = 1e25 * 1e-14 * 1e-9 * 4.0  # traps within +-2 eV
    assert band * float(mean_activity(-2.0, 2.0, 300.0)) == pytest.approx(number, rel=1e-12, abs=0.0)


@pytest.mark.parametrize(("voltage", "temperature"), [(0.1, 300.0), (1.2, 300.0), (0.7, 380.0)])
def test_a_card_s_spectrum_is_that_of_its_drawn_traps(
    junction: DeviceCard, population: TrapPopulation, voltage: float, temperature: float
) -> None:
    """Monte Carlo over 300000 traps; level 1e-3 over the five frequencies and three durations together."""
    frequency, durations = np.array([1e-3, 1.0, 1e2, 1e4, 1e6]), (1e-6, 1e-3, 1.0)
    drawn = [*population_spectrum(population, frequency, voltage, temperature).T]
    drawn += [population_window_variance(population, t, voltage, temperature) for t in durations]
    expected = [
        *expected_spectrum(junction, frequency, voltage, temperature),
        *expected_window_variance(junction, durations, voltage, temperature),
    ]
    z = [(x.mean() - y) / (x.std(ddof=1) / np.sqrt(x.shape[0])) for x, y in zip(drawn, expected, strict=True)]
    # cells are log-normal squared, heavy-tailed: z is skewed, and the normal limit is stretched by a quarter
    assert np.max(np.abs(z)) < 1.25 * stats.norm.isf(5e-4 / len(z)), z
    # and the spectrum's integral is the variance: over all frequencies, by windows that shrink to nothing
    assert float(expected_window_variance(junction, 1e-13, voltage, temperature)) == pytest.approx(
        expected_variance(junction, voltage, temperature), rel=1e-5, abs=0.0
    )


def test_a_card_s_flicker_noise_is_near_one_over_f(junction: DeviceCard) -> None:
    f = np.logspace(-1, 3, 9)
    alpha = hooge_coefficient(f, expected_spectrum(junction, f, 1.2, 300.0), 1.0)
    assert np.ptp(alpha) / alpha.mean() < 0.02  # constant between the corners near 1e-4 and 1e5 Hz
    # device.md 4.10's estimate N m^2 e^(2 s^2) <p(1-p)> / ln(t2/t1), here with the card's own activity and clipping
    rough = expected_variance(junction, 1.2, 300.0) / np.log(1e9)
    assert alpha[4] == pytest.approx(rough, rel=0.02, abs=0.0)


def test_joint_covariances_by_integration() -> None:
    """Of x1 = int e^-(1-s)u dW and its integral, both integrals of the kernel of white noise; quad to 1e-12."""
    for u in (1e-6, 1e-3, 0.0199, 0.0201, 0.5, 3.0, 40.0):
        end, average, cross = joint_covariance(u)
        points = [max(0.0, 1.0 - 5.0 / u)] if u > 5.0 else None  # where the kernel lives

        def kernel_end(s: float, u: float = u) -> float:
            return np.sqrt(2.0 * u) * np.exp(-u * (1.0 - s))

        def kernel_mean(s: float, u: float = u) -> float:
            return np.sqrt(2.0 * u) * -np.expm1(-u * (1.0 - s)) / u

        pairs = ((end, kernel_end, kernel_end), (average, kernel_mean, kernel_mean), (cross, kernel_end, kernel_mean))
        for value, one, other in pairs:
            exact, _ = quad(lambda s, f=one, g=other: f(s) * g(s), 0.0, 1.0, epsabs=0.0, epsrel=1e-12, points=points)
            assert float(value) == pytest.approx(exact, rel=3e-10, abs=0.0)


def test_processes_have_the_moments_of_many_traps() -> None:
    """One step from stationarity: variances and covariance of ends and means. Level 1e-3, Bonferroni."""
    bins = flicker_bins(1e-3, 1e2, 1.0)
    runs, duration = 40_000, 0.03
    generator = Streams(5).generator(Purpose.ELECTRONIC_NOISE)
    start = np.sqrt(bins.variance) * generator.standard_normal((runs, bins.rate.shape[0]))
    middle, first = step_processes(start, bins.rate, bins.variance, duration, generator)
    _, second = step_processes(middle, bins.rate, bins.variance, duration, generator)
    half = bins.rate / 2.0
    c = [
        4.0 * float(bins.variance @ closed_form.window_variance(half, half, duration)),
        4.0 * float(bins.variance @ closed_form.window_covariance(half, half, duration, duration, 1)),
    ]
    one, two, end = first.sum(axis=1), second.sum(axis=1), middle.sum(axis=1)
    z = [
        (values.mean() - expected) / (values.std(ddof=1) / np.sqrt(runs))
        for values, expected in ((one**2, c[0]), (two**2, c[0]), (one * two, c[1]), (end**2, 1.0))
    ]
    assert np.max(np.abs(z)) < stats.norm.isf(5e-4 / len(z)), z


@pytest.mark.parametrize("per_decade", [0.7, 1.0, 1.5])
def test_the_ripple_of_the_bins(per_decade: float) -> None:
    """The worst error of a 1/f spectrum in the middle of 40 decades, on a fine grid, is the predicted ripple."""
    bins = flicker_bins(1e-20, 1e20, per_decade)
    f = np.logspace(-2, 2, 4001)
    error = np.abs(bins.spectrum(f) * f * np.log(1e40) - 1.0).max()
    actual = bins.rate.shape[0] / 40.0
    assert error == pytest.approx(spectral_ripple(actual), rel=1e-3, abs=0.0)


@pytest.mark.parametrize("error", [0.1, 0.05, 1e-3, 1e-6])
def test_as_many_bins_as_the_error_needs(error: float) -> None:
    # the leading term is inverted: the next is the fourth power of e / 4
    assert spectral_ripple(bins_per_decade(error)) == pytest.approx(error, rel=error, abs=0.0)
