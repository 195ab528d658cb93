"""Chains of states: closed forms against scipy's matrix exponential, numerical integration, two-state formulas."""

from __future__ import annotations

from decimal import Decimal, localcontext

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.linalg import expm, null_space

from ferrogen.device.noise.anomalous import four_state_trap, pausing_trap, three_state_trap, two_state_trap
from ferrogen.device.noise.multistate import (
    MultistateTrap,
    autocovariance,
    mean,
    mean_dwell_time,
    mean_first_passage_time,
    relaxation_rates,
    sampled_spectrum,
    spectrum,
    stationary_distribution,
    transition_matrix,
    variance,
    window_covariance,
    window_variance,
)
from ferrogen.device.noise.rtn import closed_form

GRASSER = four_state_trap(
    capture_rate=5.0, release_rate=2.0, settle_rate=40.0, unsettle_rate=0.5,
    emission_rate=3.0, recapture_rate=6.0, relax_rate=20.0, excite_rate=0.1,
)  # fmt: skip
CIRCLE = MultistateTrap(np.array([[0.0, 9.0, 0.2], [0.3, 0.0, 7.0], [8.0, 0.1, 0.0]]), np.array([0.0, 1.0, 2.5]))
CHAINS = [GRASSER, CIRCLE, three_state_trap(30.0, 20.0, 4.0, 2.0), three_state_trap(3.0, 2.0, 4.0, 9.0, 0.0)]
"""With and without detailed balance: relaxation rates of the circle are complex."""


@pytest.mark.parametrize("trap", CHAINS)
@pytest.mark.parametrize("duration", [1e-4, 0.03, 0.4, 7.0])
def test_transitions_are_the_matrix_exponential(trap: MultistateTrap, duration: float) -> None:
    # scipy's scaling and squaring is good to some 1e-14 where the norm is below 1000
    np.testing.assert_allclose(transition_matrix(trap, duration), expm(trap.generator * duration), rtol=0, atol=1e-13)


@pytest.mark.parametrize("trap", CHAINS)
def test_the_stationary_distribution_spans_the_null_space(trap: MultistateTrap) -> None:
    left = null_space(trap.generator.T)[:, 0]
    np.testing.assert_allclose(stationary_distribution(trap), left / left.sum(), rtol=1e-12)


def test_rates_twenty_decades_apart_keep_their_digits() -> None:
    """Against 80-digit arithmetic: a double's own rounding, a few times over, is all that may differ."""
    rates = np.array([[0.0, 3e9, 2e-11], [5e-9, 0.0, 7e2], [4e-3, 1e-8, 0.0]])
    trap = MultistateTrap(rates, np.array([0.0, 1.0, 0.5]))
    for duration in (1e-10, 1e-3, 1e3, 1e7):
        np.testing.assert_allclose(transition_matrix(trap, duration), _exponential(rates, duration), rtol=1e-12)
    np.testing.assert_allclose(stationary_distribution(trap), _exponential(rates, 1e13)[0], rtol=1e-13)


def _exponential(rates: np.ndarray, duration: float) -> np.ndarray:
    """e^(Q t) by scaling, Taylor's series and squaring, in decimal numbers of 80 digits."""
    with localcontext() as context:
        context.prec = 80
        q = np.array([[Decimal(float(value)) for value in row] for row in rates], dtype=object)
        one = np.array([[Decimal(int(i == j)) for j in range(3)] for i in range(3)], dtype=object)
        q = (q - one * q.sum(axis=1)[:, None]) * Decimal(duration) / Decimal(2) ** 100
        result = one
        for k in range(12, 0, -1):  # entries below 1e-7 after scaling: the thirteenth term is below 1e-90
            result = one + q @ result / Decimal(k)
        for _ in range(100):
            result = result @ result
        return result.astype(np.float64)


@pytest.mark.parametrize("trap", CHAINS)
def test_windows_are_the_autocovariance_integrated(trap: MultistateTrap) -> None:
    """Var = (2 / T^2) int (T - s) C(s) ds, with C from scipy's exponential; quad is asked for 1e-11."""
    p = stationary_distribution(trap)
    d = trap.signal - p @ trap.signal

    def c(s: float) -> float:
        return float((p * d) @ expm(trap.generator * s) @ d)

    np.testing.assert_allclose(autocovariance(trap, [0.0, -0.02, 0.3]), [c(0.0), c(0.02), c(0.3)], rtol=1e-11)
    assert variance(trap) == pytest.approx(c(0.0), rel=1e-12, abs=0.0)
    for duration in (0.01, 0.2, 1.0):

        def triangle(s: float, apart: float, duration: float = duration) -> float:
            return (duration - abs(s)) * c(apart + s)

        integral, _ = quad(triangle, 0.0, duration, args=(0.0,), epsabs=0.0, epsrel=1e-11, limit=200)
        assert window_variance(trap, duration) == pytest.approx(2.0 * integral / duration**2, rel=1e-9, abs=0.0)
        for period, lag in ((duration, 1), (1.5 * duration, 2)):
            apart = lag * period
            # both windows together: a triangle of lags about their distance
            double, _ = quad(triangle, -duration, duration, args=(apart,), points=[0.0], epsabs=1e-16, limit=200)
            covariance = window_covariance(trap, duration, period, lag)
            assert covariance == pytest.approx(double / duration**2, rel=1e-8, abs=1e-15)


@pytest.mark.parametrize("trap", CHAINS)
def test_the_spectrum_is_the_transform_of_the_autocovariance(trap: MultistateTrap) -> None:
    """4 Re int C(s) e^(-i w s) ds, up to where C has fallen by 1e-17; quad's cosine weight is asked for 1e-10."""
    end = 40.0 / float(relaxation_rates(trap)[0].real)
    for frequency in (0.0, 0.3, 5.0):
        integral, _ = quad(
            lambda s: float(autocovariance(trap, s)), 0.0, end,
            weight="cos", wvar=2.0 * np.pi * frequency, epsabs=1e-12, epsrel=1e-10, limit=400,
        )  # fmt: skip
        assert float(spectrum(trap, frequency)) == pytest.approx(4.0 * integral, rel=1e-7, abs=0.0)


@pytest.mark.parametrize("trap", CHAINS)
def test_the_sampled_spectrum_is_the_series_of_the_autocovariance(trap: MultistateTrap) -> None:
    interval = 0.02
    lags = np.arange(1, int(40.0 / float(relaxation_rates(trap)[0].real) / interval))
    c = autocovariance(trap, lags * interval)
    for frequency in (0.0, 1.0, 20.0, 25.0):
        series = variance(trap) + 2.0 * (c @ np.cos(2.0 * np.pi * frequency * lags * interval))
        assert float(sampled_spectrum(trap, frequency, interval)) == pytest.approx(
            2.0 * interval * series, rel=1e-9, abs=0.0
        )


@pytest.mark.parametrize(("capture", "emission"), [(30.0, 70.0), (1e-4, 3e-4), (2e6, 5e5)])
def test_two_states_are_the_telegraph_noise(capture: float, emission: float) -> None:
    trap = two_state_trap(capture, emission)
    f = np.array([0.0, 1e-3, 1.0, 40.0])
    assert mean(trap) == pytest.approx(float(closed_form.occupancy(capture, emission)), rel=1e-14, abs=0.0)
    np.testing.assert_allclose(spectrum(trap, f), closed_form.lorentzian(f, capture, emission), rtol=1e-12)
    # closed_form's 1 - 2 r cos + r^2 cancels for a slow trap: 1e-16 of 1 is left, over (rate x interval)^2
    other = closed_form.sampled_lorentzian(f, capture, emission, 1e-2)
    tolerance = 1e-9 + 1e-15 / min(1.0, (capture + emission) * 1e-2) ** 2
    np.testing.assert_allclose(sampled_spectrum(trap, f, 1e-2), other, rtol=tolerance)
    for duration in (1e-5, 1e-2, 1.0):
        expected = float(closed_form.window_variance(capture, emission, duration))
        # where the window averages a million switches, what is left is 1e-6 of the squared signal, and 1e-14 of that is
        # the method's own limit
        assert window_variance(trap, duration) == pytest.approx(expected, rel=1e-9, abs=1e-14)
        other = float(closed_form.window_covariance(capture, emission, duration, 1.5 * duration, 2))
        assert window_covariance(trap, duration, 1.5 * duration, 2) == pytest.approx(other, rel=1e-8, abs=1e-14)


def test_spectra_of_rates_seventeen_decades_apart() -> None:
    """Two states that exchange at 1e11 / s and are left at 1e-6 / s act as one: a two-state trap of mean rates."""
    rates = np.array([[0.0, 1e-6, 0.0], [3e-6, 0.0, 1e11], [1e-6, 3e11, 0.0]])
    trap = MultistateTrap(rates, np.array([0.0, 1.0, 1.0]))
    # three quarters of the time in state 1, one in state 2; what the lumping neglects is of order 1e-17
    lumped = two_state_trap(1e-6, 0.75 * 3e-6 + 0.25 * 1e-6)
    f = np.array([0.0, 1e-9, 1e-6, 1e-2])
    np.testing.assert_allclose(stationary_distribution(trap)[0], stationary_distribution(lumped)[0], rtol=1e-13)
    np.testing.assert_allclose(spectrum(trap, f), spectrum(lumped, f), rtol=1e-12)
    assert mean_dwell_time(trap, np.array([False, True, True])) == pytest.approx(1.0 / 2.5e-6, rel=1e-12, abs=0.0)
    assert mean_first_passage_time(trap, 2, 0) == pytest.approx(1.0 / 2.5e-6, rel=1e-12, abs=0.0)


def test_dwell_and_passage_times_by_hand() -> None:
    # Grasser: from 1 by 2' to 2 takes (k12' + k2'1 + k2'2) / (k12' k2'2) if 1' is never entered
    trap = four_state_trap(
        capture_rate=5.0, release_rate=2.0, settle_rate=40.0, unsettle_rate=0.5,
        emission_rate=3.0, recapture_rate=6.0, relax_rate=20.0, excite_rate=0.0,
    )  # fmt: skip
    assert mean_first_passage_time(trap, 0, 3) == pytest.approx((5.0 + 2.0 + 40.0) / (5.0 * 40.0), rel=1e-12, abs=0.0)
    assert mean_first_passage_time(trap, 3, 3) == 0.0
    pausing = pausing_trap(3.0, 2.0, time_ratio=50.0, metastable_weight=1.5)
    p = stationary_distribution(pausing)
    assert p[2] / p[1] == pytest.approx(1.5, rel=1e-12, abs=0.0)
    assert p[1] / p[0] == pytest.approx(1.5, rel=1e-12, abs=0.0)
    assert mean_dwell_time(pausing, np.array([False, False, True])) == pytest.approx(10.0, rel=1e-12, abs=0.0)
    # The stay "occupied", pauses included: a first-step equation, t1 = 1/(2 + q) + q/(2 + q) (10 + t1) with q = 0.15
    q = 1.5 * 0.1
    assert mean_dwell_time(pausing, np.array([False, True, True])) == pytest.approx(
        (1.0 + 10.0 * q) / 2.0, rel=1e-12, abs=0.0
    )
    assert mean_dwell_time(pausing, np.array([True, False, False])) == pytest.approx(1.0 / 3.0, rel=1e-12, abs=0.0)


def test_relaxation_rates_of_the_circle_are_complex() -> None:
    rates = relaxation_rates(CIRCLE)
    assert np.all(np.abs(rates.imag) > 1.0)
    assert rates.sum().real == pytest.approx(-np.trace(CIRCLE.generator), rel=1e-12, abs=0.0)
    assert np.all(relaxation_rates(CHAINS[2]).imag == 0.0)
