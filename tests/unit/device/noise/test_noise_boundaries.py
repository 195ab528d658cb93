"""What ensembles, averages and normal limits refuse, and that all else is finite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferrogen.core.errors import ArgumentError, CardError, ValidityError
from ferrogen.device.card import DeviceCard
from ferrogen.device.noise.averaging import (
    averaged_variance,
    log_uniform_autocovariance,
    trap_autocovariance,
    visible_variance,
    white_autocovariance,
)
from ferrogen.device.noise.cell import cell_point
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
from ferrogen.device.noise.gaussian_limit import (
    berry_esseen_bound,
    cumulant_rates,
    effective_number,
    equal_traps_distance,
    total_skewness,
    window_skewness,
    window_third_moment,
)
from ferrogen.device.noise.ornstein_uhlenbeck import (
    bins_per_decade,
    flicker_bins,
    joint_covariance,
    spectral_ripple,
    step_processes,
)
from ferrogen.device.noise.rates import curvature_ratio, shockley_read_hall
from ferrogen.device.noise.spectra import cell_spectrum
from ferrogen.device.noise.traps import draw_traps

ONE = np.ones(1)
RNG = np.random.default_rng(0)

decades = st.floats(-12.0, 12.0).map(lambda x: 10.0**x)


@settings(deadline=None)
@given(duration=decades, first=decades, second=decades)
def test_log_uniform_noise_is_finite_and_bounded(duration: float, first: float, second: float) -> None:
    low, high = sorted((first, second))
    value = float(log_uniform_window_variance(duration, low, high))
    assert 0.0 <= value <= 1.0
    # longer windows never have more, shorter time constants never either
    assert float(log_uniform_window_variance(duration * 2.0, low, high)) <= value * (1 + 1e-9) + 1e-15
    density = float(log_uniform_density(1.0 / duration, low, high))
    assert np.isfinite(density)
    assert 0.0 <= density <= 4.0 * high * (1 + 1e-9)
    assert float(log_uniform_density(0.0, low, high)) >= density * (1 - 1e-9)


@settings(deadline=None)
@given(low=st.floats(-5.0, 5.0), width=st.floats(0.0, 5.0), temperature=st.floats(10.0, 1000.0))
def test_activity_lies_between_its_ends_and_a_quarter(low: float, width: float, temperature: float) -> None:
    value = float(mean_activity(low, low + width, temperature))
    assert 0.0 <= value <= 0.25 * (1 + 1e-9)
    assert value == pytest.approx(float(mean_activity(-low - width, -low, temperature)), rel=1e-6, abs=0.0)


@settings(deadline=None)
@given(capture=decades, emission=decades, duration=decades)
def test_skewness_is_between_its_limits(capture: float, emission: float, duration: float) -> None:
    p = capture / (capture + emission)
    if min(p, 1.0 - p) < 1e-9:  # p (1 - p) itself has lost its digits
        return
    value = float(window_skewness(capture, emission, duration))
    short = (1.0 - 2.0 * p) / np.sqrt(p * (1.0 - p))
    assert np.isfinite(value)
    assert abs(value) <= abs(short) * (1 + 1e-6) + 1e-9


@settings(deadline=None)
@given(st.floats(-15.0, 15.0).map(lambda x: 10.0**x))
def test_joint_covariances_are_a_covariance(u: float) -> None:
    end, average, cross = joint_covariance(u)
    assert 0.0 < end <= 1.0
    assert 0.0 < average < 1.0
    assert cross**2 <= end * average * (1 + 1e-9)


def test_a_card_without_spreads_or_traps(card: DeviceCard) -> None:
    fixed = card.model_copy(
        update={
            name: getattr(card, name).model_copy(update={"spread": None})
            for name in ("trap_time_constant", "trap_level", "trap_depth", "trap_relaxation_energy", "trap_amplitude")
        }
    )
    traps = draw_traps(fixed, 30_000, np.random.default_rng(3))
    drawn = population_window_variance(traps, 0.01, 1.2, 300.0).mean()
    # all traps alike: the number of traps alone varies, Poisson with a mean of five
    assert float(expected_window_variance(fixed, 0.01, 1.2, 300.0)) == pytest.approx(
        drawn, rel=5 / np.sqrt(150_000), abs=0.0
    )
    silent = card.model_copy(update={"traps_per_cell": card.traps_per_cell.model_copy(update={"value": 0.0})})
    assert expected_variance(silent, 1.2, 300.0) == 0.0
    np.testing.assert_array_equal(expected_spectrum(silent, [1.0, 10.0], 1.2, 300.0), 0.0)


def test_capture_comes_from_the_card_s_section(card: DeviceCard, noisy_card: DeviceCard) -> None:
    model = shockley_read_hall(noisy_card)
    assert (model.cross_section, model.capture_barrier, model.density_exponent) == (1e-19, 0.4, 0.0)
    assert curvature_ratio(noisy_card) == 1.0
    without = card.model_copy(update={"noise": None})
    for call in (shockley_read_hall, curvature_ratio):
        with pytest.raises(CardError, match="noise"):
            call(without)


def test_a_cell_s_spectrum_is_its_part_of_the_population_s(noisy_card: DeviceCard) -> None:
    traps = draw_traps(noisy_card, 20, np.random.default_rng(6))
    f = np.array([1.0, 1e3])
    whole = population_spectrum(traps, f, 1.2, 300.0)
    for cell in (0, 7, 19):
        point = cell_point(noisy_card, traps, cell, switched_fraction=1.0, voltage=1.2, temperature=300.0)
        assert point.current == pytest.approx(20e-9 * 0.4 * np.sinh(3.0), rel=1e-6, abs=0.0)
        assert point.fano_factor == 0.8
        own = traps.cell == cell
        np.testing.assert_allclose(point.steps, traps.amplitude[own] * point.current, rtol=1e-12)  # they block
        np.testing.assert_allclose(cell_spectrum(point, f).telegraph / point.current**2, whole[cell], rtol=1e-12)
        off = cell_point(noisy_card, traps, cell, switched_fraction=0.0, voltage=1.2, temperature=300.0)
        small = -traps.amplitude[traps.cell == cell] < 0.2
        np.testing.assert_allclose(off.steps[small] / off.current, 2.0 * point.steps[small] / point.current, rtol=1e-12)
    arguments = {"switched_fraction": 1.0, "voltage": 1.2, "temperature": 300.0}
    for change, cell, name in (
        ({}, 20, "cell"),
        ({"voltage": 9.0}, 0, "voltage"),
        ({"temperature": 9.0}, 0, "temperature"),
    ):
        with pytest.raises(ArgumentError, match=f"`{name}`"):
            cell_point(noisy_card, traps, cell, **{**arguments, **change})


def test_traps_do_not_block_more_than_there_is(noisy_card: DeviceCard) -> None:
    """Ten traps of 40 % each: a cell keeps a twentieth of its current even with all of them occupied."""
    one = draw_traps(noisy_card, 40, np.random.default_rng(6))
    ten = np.arange(10)
    traps = replace(
        one,
        cell=np.zeros(10, dtype=np.int64),
        starts=np.array([0, 10]),
        amplitude=np.full(10, -0.4),
        **{name: getattr(one, name)[ten] for name in ("level", "relative_depth", "relaxation_energy", "attempt_rate")},
    )
    point = cell_point(noisy_card, traps, 0, switched_fraction=1.0, voltage=1.2, temperature=300.0)
    assert point.current + point.steps.sum() == pytest.approx(0.05 * point.current, rel=1e-9, abs=0.0)
    assert point.mean_current > 0.0


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: log_uniform_density(-1.0, 1.0, 2.0), "frequency"),
        (lambda: log_uniform_density(1.0, 2.0, 1.0), "shortest"),
        (lambda: log_uniform_window_variance(0.0, 1.0, 2.0), "duration"),
        (lambda: log_uniform_window_variance(1.0, 0.0, 2.0), "shortest"),
        (lambda: mean_activity(1.0, 0.0, 300.0), "lowest"),
        (lambda: mean_activity(0.0, 1.0, 0.0), "temperature"),
        (lambda: active_traps(0.0, 1.0, 1.0, 300.0), "density"),
        (lambda: hooge_coefficient(1.0, 1.0, 0.0), "carriers"),
        (lambda: averaged_variance(np.ones(3), 4), "counts"),
        (lambda: averaged_variance(np.ones(3), 1.5), "counts"),
        (lambda: averaged_variance(np.full(3, np.nan), 1), "autocovariance"),
        (lambda: visible_variance(np.ones(9), 5, 4), "record"),
        (lambda: white_autocovariance(1.0, 0), "lags"),
        (lambda: trap_autocovariance(ONE, ONE, ONE, duration=2.0, period=1.0, lags=3), "period"),
        (lambda: log_uniform_autocovariance(1.0, 1.0, duration=1.0, period=1.0, lags=3), "longest"),
        (lambda: flicker_bins(1.0, 0.5, 1.0), "longest"),
        (lambda: flicker_bins(1.0, 10.0, 1e9), "per_decade"),
        (lambda: spectral_ripple(0.0), "per_decade"),
        (lambda: bins_per_decade(1.0), "error"),
        (lambda: step_processes(ONE, ONE, -ONE, 1.0, RNG), "variance"),
        (lambda: step_processes(ONE, 0 * ONE, ONE, 1.0, RNG), "rate"),
        (lambda: step_processes(ONE, ONE, ONE, 0.0, RNG), "duration"),
        (lambda: cumulant_rates(1.0, 1.0, 0), "order"),
        (lambda: cumulant_rates(0.0, 1.0, 2), "capture_rate"),
        (lambda: window_third_moment(1.0, 1.0, 0.0), "duration"),
        (lambda: total_skewness(0 * ONE, ONE, ONE), "variances"),
        (lambda: berry_esseen_bound(ONE, 2 * ONE), "probability"),
        (lambda: berry_esseen_bound(ONE, 0 * ONE), "steps"),
        (lambda: equal_traps_distance(0, 0.5), "number"),
        (lambda: equal_traps_distance(5, 1.0), "probability"),
        (lambda: effective_number([0.0]), "variances"),
    ],
)
def test_refusals(call: Callable[[], object], name: str) -> None:
    with pytest.raises(ArgumentError, match=f"`{name}`"):
        call()


def test_a_card_s_noise_is_refused_where_the_card_does_not_hold(card: DeviceCard) -> None:
    for call, name in (
        (lambda: expected_spectrum(card, 1.0, 3.0, 300.0), "voltage"),
        (lambda: expected_variance(card, 1.2, 600.0), "temperature"),
    ):
        with pytest.raises(ValidityError, match=f"`{name}`"):
            call()
