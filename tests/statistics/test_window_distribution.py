"""Windows against direct simulation by dwell times, written here in NumPy and sharing nothing with the sampler.

Level of the KS tests: one false alarm in 1000 seeds for the whole file (Bonferroni).
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.noise.rtn.windows import window_sums

TRAPS = 20_000
CASES = [(u, p) for u in (0.1, 1.0, 6.0, 15.5, 16.5, 60.0) for p in (0.1, 0.5, 0.7)]
COMBINATIONS = {
    "first": (1.0, 0.0),
    "second": (0.0, 1.0),
    "sum": (1.0, 1.0),
    "difference": (-1.0, 1.0),
    "first twice": (2.0, 1.0),
}
LEVEL = 1e-3 / (len(CASES) * (len(COMBINATIONS) + 1) + 12)


def _by_dwell_times(u: float, p: float, windows: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Occupied fractions of contiguous unit windows from alternating exponential dwell times."""
    a, b = p * u, (1.0 - p) * u
    enough = int(windows * 2 * a * b / u + 12 * np.sqrt(windows * 2 * a * b / u) + 20)
    first = rng.random(TRAPS) < p
    ends = np.zeros((TRAPS, enough + 1))
    occupied = (np.arange(enough)[None, :] % 2 == 0) == first[:, None]
    ends[:, 1:] = np.cumsum(rng.standard_exponential((TRAPS, enough)) / np.where(occupied, b, a), axis=1)
    assert ends[:, -1].min() > windows
    result = np.empty((TRAPS, windows))
    for k in range(windows):
        inside = np.clip(ends[:, 1:], k, k + 1) - np.clip(ends[:, :-1], k, k + 1)
        result[:, k] = (inside * occupied).sum(axis=1)
    return result


def _ours(to_one: NDArray[np.float64], to_zero: NDArray[np.float64], observed: list[bool], seed: int, at: int):
    traps = to_one.shape[0]
    return window_sums(
        Streams(seed).key(Purpose.TELEGRAPH_WINDOW),
        np.arange(traps, dtype=np.uint64),
        np.arange(traps + 1),
        np.ones(traps),
        to_one,
        to_zero,
        np.array(observed),
        first_cycle=at,
        cycles=2,
    )


@pytest.mark.parametrize(("u", "p"), CASES)
def test_joint_distribution_of_two_windows(u: float, p: float) -> None:
    rng = np.random.default_rng([int(10 * u), int(10 * p)])
    direct = _by_dwell_times(u, p, 2, rng)
    ours = _ours(np.full((TRAPS, 1), p * u), np.full((TRAPS, 1), (1 - p) * u), [True], 17, 12345)[:, :, 0]
    for name, (x, y) in COMBINATIONS.items():
        level = stats.ks_2samp(x * ours[:, 0] + y * ours[:, 1], x * direct[:, 0] + y * direct[:, 1]).pvalue
        assert level > LEVEL, (name, level)
    assert stats.ks_2samp(ours[:, 0] * ours[:, 1], direct[:, 0] * direct[:, 1]).pvalue > LEVEL


@pytest.mark.parametrize("u", [0.5, 4.0, 40.0])
def test_windows_that_are_phases_of_one_cycle(u: float) -> None:
    """Two windows a cycle, an unobserved gap between them: the same as every other of three contiguous windows."""
    direct = _by_dwell_times(u, 0.3, 3, np.random.default_rng(int(u * 10)))
    ours = _ours(np.full((TRAPS, 3), 0.3 * u), np.full((TRAPS, 3), 0.7 * u), [True, False, True], 5, 7)
    for x, y in ((1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (-1.0, 1.0)):
        level = stats.ks_2samp(x * ours[:, 0, 0] + y * ours[:, 0, 1], x * direct[:, 0] + y * direct[:, 2]).pvalue
        assert level > LEVEL


@pytest.mark.parametrize("rate", [0.0, 1e-30, 1e-18])
def test_a_frozen_trap_keeps_the_state_it_was_born_with(rate: float) -> None:
    traps = 4000
    sums = _ours(np.full((traps, 1), 0.3 * rate), np.full((traps, 1), 0.7 * rate), [True], 3, 10**9)[:, :, 0]
    np.testing.assert_array_equal(sums[:, 0], sums[:, 1])
    assert set(np.unique(sums)) <= {0.0, 1.0}
    if rate == 0.0:
        assert not sums.any()  # nothing ever moves it, so it is empty by convention
    else:
        assert stats.binomtest(int(sums[:, 0].sum()), traps, 0.3).pvalue > 1e-4


@pytest.mark.parametrize("u", [1e-3, 1.0, 100.0])
def test_a_trap_that_is_only_filled_or_only_emptied_ends_full_or_empty(u: float) -> None:
    column = np.full((50, 1), u)
    assert (_ours(column, np.zeros((50, 1)), [True], 1, 0) == 1.0).all()
    assert (_ours(np.zeros((50, 1)), column, [True], 1, 0) == 0.0).all()
