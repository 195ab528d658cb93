"""Runs of occupied traps are the history that the window sampler averages, whatever the traps and the cycles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.noise.rtn.runs import FollowedTraps, OccupiedRuns, occupied_runs
from ferrogen.device.noise.rtn.windows import window_sums

KEY = Streams(3).key(Purpose.TELEGRAPH_WINDOW, 0)
VOLTAGE, DURATION = np.array([0, 0, 1, 1]), np.array([1.0, 1.0, 0.9, 0.1])
OBSERVED = np.array([False, False, False, True])
WEIGHT = 2.0**20


def traps(rates: NDArray[np.float64], columns: int) -> FollowedTraps:
    count = rates.shape[0]
    return FollowedTraps(
        key=KEY,
        address=np.arange(count, dtype=np.uint32),
        starts=np.linspace(0, count, columns + 1).astype(np.int64),
        row=np.arange(count, dtype=np.int32),
        weight=np.full(count, -WEIGHT, dtype=np.float32),
        rates=rates,
        voltage=VOLTAGE,
        duration=DURATION,
        observed=3,
    )


def written_out(runs: OccupiedRuns, count: int) -> NDArray[np.float64]:
    dense = np.zeros((count, runs.cycles))
    for row, begin, end, value in zip(runs.row, runs.begin, runs.end, runs.value, strict=True):
        assert end > begin
        assert not dense[row, begin:end].any()  # no cycle twice
        dense[row, begin:end] = value
    return dense


def by_windows(rates: NDArray[np.float64], first_cycle: int, cycles: int) -> NDArray[np.float64]:
    count = rates.shape[0]
    one, zero = (np.ascontiguousarray(rates[:, VOLTAGE, k] * DURATION) for k in range(2))
    each = np.arange(count + 1)
    sums = window_sums(
        KEY, each[:-1].astype(np.uint64), each, np.full(count, -WEIGHT), one, zero, OBSERVED,
        first_cycle=first_cycle, cycles=cycles,
    )  # fmt: skip
    return sums[:, :, 0]


def some_rates(seed: int, count: int) -> NDArray[np.float64]:
    return 10.0 ** np.random.default_rng(seed).uniform(-9.0, 3.5, (count, 2, 2))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), first=st.sampled_from([0, 1, 7, 1000, 10**6, 2**33 + 5]), cycles=st.integers(1, 150))
def test_runs_are_what_the_window_sampler_averages(seed: int, first: int, cycles: int) -> None:
    rates = some_rates(seed, 40)
    runs = occupied_runs(traps(rates, 4), first_cycle=first, cycles=cycles)
    # a half by rounding; the sampler adds up stretches of an occupied cycle, which may miss one by a rounding, too
    np.testing.assert_allclose(
        written_out(runs, 40), by_windows(rates, first, cycles), atol=0.5 + 1e-6 * WEIGHT, rtol=0
    )


def test_frozen_and_dead_traps() -> None:
    rates = np.zeros((300, 2, 2))
    rates[:200] = 1e-20, 3e-20  # frozen, occupied with probability 1/4; the last hundred never move
    runs = occupied_runs(traps(rates, 3), first_cycle=5, cycles=10)
    dense = written_out(runs, 300)
    assert not dense[200:].any()
    held = np.count_nonzero(dense[:200, 0])
    assert np.all(dense[:200] == dense[:200, :1])
    assert abs(held - 50) < 4.0 * np.sqrt(200 * 0.25 * 0.75)
    assert runs.row.size == held  # one run each, however long


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_and_little_room_change_nothing(threads: int) -> None:
    rates = some_rates(11, 500)
    rates[:100] = 50.0  # counted: an entry every cycle, more than there is room for at once
    alone = occupied_runs(traps(rates, 5), first_cycle=3, cycles=1500)
    shared = occupied_runs(traps(rates, 5), first_cycle=3, cycles=1500, threads=threads)
    assert alone.row.size > 2**16
    for name in ("starts", "row", "begin", "end", "value"):
        np.testing.assert_array_equal(getattr(alone, name), getattr(shared, name))


def test_quiet_traps_cost_no_entries() -> None:
    rates = np.empty((50, 2, 2))
    rates[..., 0], rates[..., 1] = 1e-9, 1e3  # a thousand points a cycle, and none of them a capture
    assert occupied_runs(traps(rates, 1), first_cycle=0, cycles=1000).row.size == 0
