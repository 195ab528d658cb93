"""Comparisons find the largest difference, say where it is, and are not blind to small numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ferrogen.circuit.network.cells import Sinh
from ferrogen.circuit.network.network import drive, uniform_network
from ferrogen.circuit.solvers.solution import Solution
from ferrogen.circuit.solvers.solve import solve
from ferrogen.circuit.spice.compare import FLOOR, compare, relative_difference
from ferrogen.core.errors import ArgumentError


@pytest.fixture(scope="module")
def solution() -> Solution:
    rng = np.random.default_rng(3)
    net = uniform_network(rng.uniform(1e-9, 1e-8, (4, 5)), row_segment=1.0, column_segment=1.0, law=Sinh(0.3))
    return solve(net, drive(net, left=rng.uniform(0.1, 0.5, (4, 3))), method="direct")


def test_a_solution_equals_itself(solution: Solution) -> None:
    found = compare(solution, solution, names=("one", "other"))
    assert found.largest == 0.0
    assert found.voltages is not None
    assert found.voltages.count == 2 * 4 * 5 * 3
    assert found.currents.count == 2 * (4 + 5) * 3


@pytest.mark.parametrize("size", [1e-3, 1e-8, 1e-12])
def test_one_changed_number_is_found(solution: Solution, size: float) -> None:
    assert solution.column_voltage is not None
    columns = solution.column_voltage.copy()
    columns[2, 4, 1] *= 1.0 + size
    found = compare(solution, replace(solution, column_voltage=columns), names=("one", "other"))
    assert found.voltages is not None
    assert found.voltages.largest == pytest.approx(size, rel=1e-3)
    assert found.voltages.where == "v(c_2_4)"
    assert found.voltages.vector == 1
    assert found.currents.largest == 0.0
    assert found.largest == found.voltages.largest

    ends = solution.bottom_current.copy()
    ends[3, 2] *= 1.0 - size
    found = compare(solution, replace(solution, bottom_current=ends), names=("one", "other"))
    assert found.currents.largest == pytest.approx(size, rel=1e-3)
    assert found.currents.where == "i(bottom_3)"
    assert found.currents.vector == 2
    record = found.record()
    assert record["between"] == ["one", "other"]
    assert record["currents"]["where"] == "i(bottom_3)"


def test_small_numbers_count_up_to_the_floor() -> None:
    one = np.array([1.0, 1e-6, 0.0])
    assert relative_difference(one, np.array([1.0, 1.5e-6, 0.0]))[1] == pytest.approx(1.0 / 3.0)
    # Below a billionth of the largest, differences are relative to that billionth.
    assert relative_difference(one, np.array([1.0, 1e-6, 1e-12]))[2] == pytest.approx(1e-12 / FLOOR)
    assert relative_difference(np.zeros(2), np.zeros(2)).tolist() == [0.0, 0.0]


def test_solutions_of_different_networks_are_refused(solution: Solution) -> None:
    with pytest.raises(ArgumentError, match="same network"):
        compare(solution, replace(solution, left_current=np.zeros((3, 3))), names=("a", "b"))
    with pytest.raises(ArgumentError, match="finite"):
        compare(solution, replace(solution, left_current=np.full((4, 3), np.nan)), names=("a", "b"))
    without = replace(solution, row_voltage=None, column_voltage=None)
    assert compare(solution, without, names=("a", "b")).voltages is None
    with pytest.raises(ArgumentError, match="both"):
        compare(solution, replace(solution, column_voltage=None), names=("a", "b"))
