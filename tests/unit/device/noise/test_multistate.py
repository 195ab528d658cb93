"""Chains of states at their boundaries: prefixes, addresses, refusals, a card's anomalous traps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferrogen.core.errors import ArgumentError, CardError, ValidityError
from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.card import DeviceCard
from ferrogen.device.noise.anomalous import anomalous_traps, four_state_trap, multistate_traps, two_state_trap
from ferrogen.device.noise.multistate import (
    MultistateTrap,
    mean,
    mean_dwell_time,
    mean_first_passage_time,
    sampled_spectrum,
    spectrum,
    stationary_distribution,
    transition_matrix,
    variance,
    window_covariance,
    window_variance,
)
from ferrogen.device.noise.multistate_traces import event_trace, state_traces, window_means
from ferrogen.device.noise.rtn.closed_form import occupancy
from ferrogen.device.noise.traps import draw_traps

KEY = Streams(3).key(Purpose.MULTISTATE_TRAP)
PAIR = two_state_trap(30.0, 70.0)

rate = st.floats(-12.0, 12.0).map(lambda x: 10.0**x)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(rates=st.lists(rate, min_size=6, max_size=6), duration=st.floats(-9.0, 6.0).map(lambda x: 10.0**x))
def test_probabilities_and_spectra_are_what_they_must_be(rates: list[float], duration: float) -> None:
    matrix = np.zeros((3, 3))
    matrix[~np.eye(3, dtype=bool)] = rates
    trap = MultistateTrap(matrix, np.array([0.0, 1.0, -2.0]))
    p, step = stationary_distribution(trap), transition_matrix(trap, duration)
    assert np.all(p > 0.0)
    np.testing.assert_allclose(p.sum(), 1.0, rtol=1e-14)
    assert np.all(step >= 0.0)
    np.testing.assert_allclose(step.sum(axis=1), 1.0, rtol=1e-14)
    np.testing.assert_allclose(p @ step, p, rtol=1e-10)
    frequency = np.array([0.0, 1e-3, 1.0, 1e6])
    for density in (spectrum(trap, frequency), sampled_spectrum(trap, frequency, duration)):
        assert np.all(np.isfinite(density) & (density >= 0.0))
    assert 0.0 <= window_variance(trap, duration) <= variance(trap) * (1.0 + 1e-9) + 1e-13


def test_longer_traces_begin_with_shorter_ones_wherever_they_are_drawn() -> None:
    trap = four_state_trap(
        capture_rate=5.0, release_rate=2.0, settle_rate=40.0, unsettle_rate=0.5,
        emission_rate=3.0, recapture_rate=6.0, relax_rate=20.0, excite_rate=0.1,
    )  # fmt: skip
    at_one = np.array([1], dtype=np.uint64)
    states = state_traces(KEY, [PAIR, trap], interval=0.01, steps=300)
    again = state_traces(KEY, [trap], interval=0.01, steps=200, trap_address=at_one)
    np.testing.assert_array_equal(states[1, :200], again[0])
    windows = window_means(KEY, [PAIR, trap], duration=0.1, windows=30, period=0.15)
    again_windows = window_means(KEY, [trap], duration=0.1, windows=20, period=0.15, trap_address=at_one)
    np.testing.assert_array_equal(windows[1, :20], again_windows[0])
    times, visited = event_trace(KEY, trap, duration=20.0, address=1)
    fewer, visited_first = event_trace(KEY, trap, duration=7.0, address=1)
    np.testing.assert_array_equal(times[: fewer.shape[0]], fewer)
    np.testing.assert_array_equal(visited[: fewer.shape[0]], visited_first)
    assert times[0] == 0.0
    assert np.all(np.diff(times) > 0.0)
    assert times[-1] < 20.0
    assert np.all(visited[1:] != visited[:-1])
    other = event_trace(KEY, trap, duration=20.0, address=2)[0]
    assert other.shape != times.shape or not np.array_equal(other, times)


def test_a_trap_that_switches_far_more_often_than_expected_keeps_all_its_stays() -> None:
    """A bursty trap: a dozen switches expected, thousands in a burst; the trace must not stop at what was reserved."""
    trap = MultistateTrap(np.array([[0.0, 1e-3, 0.0], [1.0, 0.0, 3e3], [0.0, 3e3, 0.0]]), np.array([0.0, 1.0, 0.0]))
    counts = [event_trace(KEY, trap, duration=2.0, address=k)[0].shape[0] for k in range(3000)]
    bursts = np.flatnonzero(np.array(counts) > 1000)
    assert bursts.shape[0] > 0
    times, states = event_trace(KEY, trap, duration=2.0, address=int(bursts[0]))
    assert np.all(np.diff(times) > 0.0)
    assert np.all(np.abs(np.diff(states.astype(int))) == 1)


@pytest.mark.parametrize(
    ("rates", "signal", "name"),
    [
        ([[0.0, 1.0]], [0.0, 1.0], "rates"),
        ([[0.0]], [0.0], "rates"),
        ([[0.0, -1.0], [1.0, 0.0]], [0.0, 1.0], "rates"),
        ([[0.0, np.nan], [1.0, 0.0]], [0.0, 1.0], "rates"),
        ([[0.0, 1e300], [1.0, 0.0]], [0.0, 1.0], "rates"),
        ([[0.5, 1.0], [1.0, 0.0]], [0.0, 1.0], "rates"),
        ([[0.0, 1.0], [0.0, 0.0]], [0.0, 1.0], "rates"),
        ([[0, 1, 0], [1, 0, 0], [0, 1, 0]], [0.0, 1.0, 1.0], "rates"),
        ([[0.0, 1.0], [1.0, 0.0]], [0.0, np.inf], "signal"),
        ([[0.0, 1.0], [1.0, 0.0]], [0.0, 1.0, 2.0], "signal"),
    ],
)
def test_chains_that_are_refused(rates: list[list[float]], signal: list[float], name: str) -> None:
    with pytest.raises(ArgumentError, match=f"`{name}`"):
        MultistateTrap(np.array(rates), np.array(signal))


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: state_traces(KEY, [PAIR], interval=0.0, steps=1), "interval"),
        (lambda: state_traces(KEY, [PAIR], interval=1.0, steps=0), "steps"),
        (lambda: state_traces(KEY, [PAIR], interval=1.0, steps=1, trap_address=np.zeros(2, np.uint64)), "trap_address"),
        (lambda: event_trace(KEY, PAIR, duration=-1.0), "duration"),
        (lambda: event_trace(KEY, PAIR, duration=1e9), "traps"),
        (lambda: window_means(KEY, [PAIR], duration=1.0, windows=1, period=0.5), "period"),
        (lambda: window_means(KEY, [PAIR], duration=1.0, windows=0), "windows"),
        (lambda: window_means(KEY, [PAIR] * 3, duration=1e7, windows=10), "traps"),
        (lambda: transition_matrix(PAIR, -1.0), "duration"),
        (lambda: transition_matrix(PAIR, 1e200), "duration"),
        (lambda: window_variance(PAIR, 0.0), "duration"),
        (lambda: window_covariance(PAIR, 1.0, 0.5, 1), "period"),
        (lambda: window_covariance(PAIR, 1.0, 1.0, 0), "period"),
        (lambda: spectrum(PAIR, np.nan), "frequency"),
        (lambda: sampled_spectrum(PAIR, 1.0, -1.0), "interval"),
        (lambda: mean_dwell_time(PAIR, np.array([True, True])), "inside"),
        (lambda: mean_first_passage_time(PAIR, 0, 2), "target"),
        (lambda: two_state_trap(1.0, 0.0), "rates"),
    ],
)
def test_refusals(call: Callable[[], object], name: str) -> None:
    with pytest.raises(ArgumentError, match=f"`{name}`"):
        call()


def test_a_card_s_anomalous_traps_pause(card: DeviceCard, noisy_card: DeviceCard) -> None:
    traps = draw_traps(noisy_card, 200, np.random.default_rng(1))
    odd = anomalous_traps(noisy_card, traps, np.random.default_rng(2))
    share = noisy_card.noise.anomalous_trap_share.value  # type: ignore[union-attr]
    assert abs(odd.mean() - share) < 3.3 * np.sqrt(share * (1 - share) / traps.count)
    chains = multistate_traps(noisy_card, traps, odd, 1.2, 300.0)
    capture, emission = traps.rates(1.2, 300.0)
    weight = noisy_card.noise.metastable_weight.value  # type: ignore[union-attr]
    for k in range(0, traps.count, 37):
        p = float(occupancy(capture[k], emission[k]))
        expected = p * (1 + weight) / (1 + p * weight) if odd[k] else p
        assert mean(chains[k]) == pytest.approx(expected, rel=1e-9, abs=0.0)
        assert chains[k].states == (3 if odd[k] else 2)
    with pytest.raises(ValidityError, match="`voltage`"):
        multistate_traps(noisy_card, traps, odd, 3.0, 300.0)
    without: Any = card.model_copy(update={"noise": None})
    with pytest.raises(CardError, match="noise"):
        anomalous_traps(without, traps, np.random.default_rng(0))
