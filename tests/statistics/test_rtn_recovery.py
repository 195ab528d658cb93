"""Known traps in synthetic traces are found again; benchmarks/rtn_recovery.py has the whole table."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ferrogen.calibration.rtn.recovery import Truth, draw_truth, score_fit, synthetic_trace
from ferrogen.calibration.rtn.trace import fit_trace
from ferrogen.core.errors import ArgumentError
from ferrogen.core.streams import Purpose, Streams

STREAMS = Streams(77)


def test_levels_and_time_constants_of_one_to_four_traps() -> None:
    right, floors, reported = [], [], []
    for traps, count in ((1, 8), (2, 6), (3, 3), (4, 2)):
        for k in range(count):
            ratio = (3.0, 5.0, 10.0)[k % 3]
            truth = draw_truth(traps, ratio, 40, STREAMS.generator(Purpose.TEST_PATTERN, traps, k))
            x, states = synthetic_trace(truth, STREAMS, traps, k)
            score = score_fit(truth, states, fit_trace(x, STREAMS.generator(Purpose.CALIBRATION, traps, k)))
            right.append(score.levels_right)
            floors.append(score.floors)
            reported.append(score.reported)
    # the benchmark finds 99 % right: three or more of 19 are then wrong with probability 1e-3
    assert np.count_nonzero(right) >= len(right) - 2
    z = np.concatenate(floors)
    assert np.sqrt(np.mean(z**2)) < 2.0
    # the fit's own standard errors: mean square 1, with sqrt(2 / n) of scatter and the skew of ln tau at few switches
    own = np.concatenate(reported)
    assert np.sqrt(np.mean(own**2)) == pytest.approx(1.0, abs=0.3)
    assert stats.binom.sf(np.count_nonzero(np.abs(own) > 3.0) - 1, own.size, 0.01) > 1e-3


def test_the_score_notices_wrong_levels_and_numbers() -> None:
    truth = Truth(np.array([4.0]), np.array([40.0]), np.array([40.0]), 4000)
    x, states = synthetic_trace(truth, STREAMS, 9)
    fit = fit_trace(x, STREAMS.generator(Purpose.CALIBRATION))
    assert score_fit(truth, states, fit).levels_right
    shifted = Truth(np.array([6.0]), truth.time_low, truth.time_high, truth.samples)
    assert not score_fit(shifted, states, fit).levels_right
    double = Truth(np.array([4.0, 4.0]), np.full(2, 40.0), np.full(2, 40.0), truth.samples)
    assert score_fit(double, np.repeat(states, 2, axis=0), fit).traps == -1
    slower = Truth(truth.amplitude, 2.0 * truth.time_low, truth.time_high, truth.samples)
    moved = score_fit(slower, states, fit).floors - score_fit(truth, states, fit).floors
    exits = np.count_nonzero((states[0, :-1] == 0) & (states[0, 1:] == 1))
    np.testing.assert_allclose(moved, [-np.log(2.0) * np.sqrt(exits), 0.0], atol=1e-12)


@pytest.mark.parametrize("arguments", [(0, 3.0, 30), (1, -1.0, 30), (1, 3.0, 0)])
def test_refusals(arguments: tuple[int, float, int]) -> None:
    with pytest.raises(ArgumentError):
        draw_truth(*arguments, STREAMS.generator(Purpose.TEST_PATTERN))
