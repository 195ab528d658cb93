from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import pytest

from ferrogen.circuit.readout.comparator import Comparator
from ferrogen.core.errors import ArgumentError

close = partial(pytest.approx, rel=1e-6, abs=0.0)  # its own default would take any two femtojoules for equal


def test_offset_and_noise_shift_the_decision() -> None:
    comparator = Comparator(offset=1e-3, noise=1e-4)
    assert comparator.decide(np.array([-1e-9, 0.0, 1e-9])).tolist() == [False, True, True]
    assert comparator.decide(np.array([-0.5e-3, -2e-3]), 1e-3).tolist() == [True, False]
    assert comparator.decide(np.array([-0.5e-3, -0.5e-3]), 0.0, np.array([4.0, 6.0])).tolist() == [False, True]


def test_drawn_offsets_have_their_deviation() -> None:
    offsets = Comparator(offset=2e-3).draw((40000,), np.random.default_rng(3))
    assert offsets.std() == close(2e-3, rel=3.3 / math.sqrt(2 * 40000))  # two-sided 1e-3
    assert abs(offsets.mean()) < 3.3 * 2e-3 / math.sqrt(40000)


def test_close_decisions_take_longer_by_the_logarithm() -> None:
    comparator = Comparator(time_constant=2e-11, supply=1.2)
    times = comparator.resolution_time(np.array([1.2e-3, -1.2e-6, 5.0, 0.0]))
    np.testing.assert_allclose(times[:2], 2e-11 * np.log([1e3, 1e6]))
    assert times[2] == 0.0
    assert times[3] == math.inf


def test_metastable_share_counts_undecided_differences() -> None:
    comparator, span, time = Comparator(), 4e-3, 1.8e-10
    differences = np.linspace(-span / 2, span / 2, 2_000_001)
    undecided = np.mean(comparator.resolution_time(differences) > time)
    assert comparator.metastable_share(time, span) == close(undecided, rel=1e-3)
    # the time that is asked for a share gives this share
    assert comparator.metastable_share(comparator.latency(span, 1e-5), span) == close(1e-5)
    assert comparator.metastable_share(0.0, span) == 1.0


def test_energy_and_ideal() -> None:
    assert Comparator(capacitance=2e-14, supply=1.2).energy() == close(2.88e-14)
    ideal = Comparator.ideal()
    assert (ideal.energy(), ideal.latency(1e-3), ideal.metastable_share(0.0, 1e-3)) == (0.0, 0.0, 0.0)
    assert not ideal.draw((5,), np.random.default_rng(0)).any()
    assert not ideal.resolution_time(np.array([0.0, 1.0])).any()


@pytest.mark.parametrize("name", ["offset", "noise", "time_constant", "capacitance", "supply"])
@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), "1"])
def test_numbers_that_are_none(name: str, value: Any) -> None:
    with pytest.raises(ArgumentError, match=f"`{name}`"):
        Comparator(**{name: value})
