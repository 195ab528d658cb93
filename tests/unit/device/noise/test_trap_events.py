"""Switching moments against the window sampler, whose histories they are, and closed forms. Level 1e-3 a test."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from ferrogen.core.errors import ArgumentError
from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.noise.rtn.closed_form import window_covariance, window_variance
from ferrogen.device.noise.rtn.events import TrapHistory, trap_history
from ferrogen.device.noise.rtn.windows import window_sums

KEY = Streams(4).key(Purpose.TELEGRAPH_WINDOW)
DURATIONS = np.array([1e-3, 1e-3, 0.9e-3, 0.1e-3])


def _rates(traps: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return expected points of a chip's cycle, from frozen traps to those that move hundreds of times a window."""
    rng = np.random.default_rng(3)
    window, rest = 10.0 ** rng.uniform(-9, 2.5, traps), 10.0 ** rng.uniform(-9, 2, traps)
    p, q = rng.uniform(0.01, 0.99, traps), rng.uniform(0.0, 1.0, traps)
    one = np.stack([window * p, window * p, rest * q, 0.1 * rest * q], axis=1)
    return one, np.stack([window * (1 - p), window * (1 - p), rest * (1 - q), 0.1 * rest * (1 - q)], axis=1)


def _history(
    one: NDArray[np.float64],
    zero: NDArray[np.float64],
    first: int,
    cycles: int,
    durations: NDArray[np.float64] = DURATIONS,
) -> TrapHistory:
    address = np.arange(one.shape[0], dtype=np.uint64)
    return trap_history(KEY, address, one, zero, durations, first_cycle=first, cycles=cycles)


@pytest.mark.parametrize("first", [0, 5, 1_000_003])
def test_histories_are_those_that_the_window_sampler_averages(first: int) -> None:
    one, zero = _rates(300)
    cycles = 12
    history = _history(one, zero, first, cycles)
    sums = window_sums(
        KEY, np.arange(300, dtype=np.uint64), np.arange(301), np.ones(300), one, zero, np.ones(4, dtype=np.bool_),
        first_cycle=first, cycles=cycles,
    )  # fmt: skip
    edges = np.concatenate([[0.0], np.cumsum(np.tile(DURATIONS, cycles))])
    ours = [history.occupied_time(a, b) / (b - a) for a, b in itertools.pairwise(edges)]
    # rounding: thousands of pieces of a window, each good to 1e-16 of a history of 36 ms
    np.testing.assert_allclose(np.stack(ours, axis=1), sums.reshape(300, -1), rtol=0.0, atol=1e-11)
    for trap in range(300):
        moments = history.times[history.starts[trap] : history.starts[trap + 1]]
        assert (np.diff(moments) >= 0.0).all()
        assert ((moments >= 0.0) & (moments <= history.duration)).all()


def test_a_longer_history_begins_with_the_shorter_one() -> None:
    one, zero = _rates(100)
    short, longer = _history(one, zero, 7, 3), _history(one, zero, 7, 9)
    np.testing.assert_array_equal(short.initial, longer.initial)
    for trap in range(100):
        mine = short.times[short.starts[trap] : short.starts[trap + 1]]
        np.testing.assert_array_equal(longer.times[longer.starts[trap] :][: mine.shape[0]], mine)


@pytest.mark.parametrize(("u", "p"), [(20.0, 0.5), (20.0, 0.1), (60.0, 0.8), (5.0, 0.3)])
def test_what_happens_within_a_window_has_the_right_statistics(u: float, p: float) -> None:
    """The window sampler does not say where in a window a fast trap is occupied; halves and counts of switches test it.

    For one stationary trap: variance and covariance of half windows, and 2 a b / (a + b) switches a second.
    """
    traps, cycles = 3000, 8
    one, zero = np.full((traps, 1), p * u), np.full((traps, 1), (1 - p) * u)
    history = _history(one, zero, 0, cycles, np.array([1.0]))
    half = np.stack([history.occupied_time(0.5 * k, 0.5 * (k + 1)) / 0.5 - p for k in range(2 * cycles)], axis=1)
    switches = np.diff(history.starts) / cycles
    first, second = half[:, 0::2], half[:, 1::2]
    a, b = p * u, (1 - p) * u
    z = []
    for values, expected in (
        (half.mean(axis=1), 0.0),
        ((first**2).mean(axis=1), float(window_variance(a, b, 0.5))),
        ((second**2).mean(axis=1), float(window_variance(a, b, 0.5))),
        ((first * second).mean(axis=1), float(window_covariance(a, b, 0.5, 0.5, 1))),
        (switches, 2.0 * a * b / (a + b)),
    ):
        z.append((values.mean() - expected) / (values.std(ddof=1) / np.sqrt(traps)))
    assert np.abs(z).max() < stats.norm.isf(1e-3 / 2 / len(z))


def test_dwell_times_of_a_fast_trap_are_exponential() -> None:
    one, zero = np.full((400, 1), 30.0), np.full((400, 1), 60.0)
    history = _history(one, zero, 0, 4, np.array([1.0]))
    dwell: dict[bool, list[float]] = {True: [], False: []}
    for trap in range(400):
        moments = history.times[history.starts[trap] : history.starts[trap + 1]]
        # the 3rd to the 12th dwell: that there are so many is certain enough (80 are expected) not to bias them
        for k in range(2, 12):
            dwell[bool(history.initial[trap]) == (k % 2 == 1)].append(moments[k + 1] - moments[k])
    assert stats.kstest(dwell[True], "expon", args=(0.0, 1 / 60.0)).pvalue > 5e-4
    assert stats.kstest(dwell[False], "expon", args=(0.0, 1 / 30.0)).pvalue > 5e-4


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"to_one": np.ones(3)}, "to_one"),
        ({"to_one": np.full((2, 4), -1.0)}, "to_one"),
        ({"to_zero": np.full((2, 4), np.nan)}, "to_zero"),
        ({"durations": np.array([1.0, 0.0, 1.0, 1.0])}, "durations"),
        ({"durations": np.ones(3)}, "durations"),
        ({"first_cycle": -1}, "first_cycle"),
        ({"cycles": 0}, "cycles"),
        ({"cycles": 2.0}, "cycles"),
    ],
)
def test_refusals(change: dict[str, object], name: str) -> None:
    arguments = {
        "key": KEY, "trap_address": np.arange(2, dtype=np.uint64), "to_one": np.ones((2, 4)),
        "to_zero": np.ones((2, 4)), "durations": DURATIONS, "first_cycle": 0, "cycles": 1, **change,
    }  # fmt: skip
    with pytest.raises(ArgumentError, match=f"`{name}`"):
        trap_history(**arguments)
