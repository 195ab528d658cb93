"""The wire map against Kirchhoff's laws, solved exactly here for every node of the crosspoint."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import spsolve

from ferrogen.circuit.wires import IdealWires, Wires
from ferrogen.core.errors import ArgumentError, CardError


def _exact(
    g: NDArray[np.float64],
    row: float,
    column: float,
    v: NDArray[np.float64],
    row_end: float | None = None,
    column_end: float | None = None,
) -> NDArray[np.float64]:
    """Column currents: word lines driven on the left, bit lines grounded at the bottom, one node at every crossing."""
    rows, columns = g.shape
    word = np.arange(rows * columns).reshape(rows, columns)
    bit = word + rows * columns
    size = 2 * rows * columns
    matrix = sparse.lil_matrix((size, size))
    right = np.zeros(size)

    def connect(a: int, b: int, conductance: float) -> None:
        matrix[a, a] += conductance
        matrix[b, b] += conductance
        matrix[a, b] -= conductance
        matrix[b, a] -= conductance

    for i in range(rows):
        for j in range(columns):
            connect(word[i, j], bit[i, j], g[i, j])
            if j:
                connect(word[i, j - 1], word[i, j], 1 / row)
            if i:
                connect(bit[i - 1, j], bit[i, j], 1 / column)
        matrix[word[i, 0], word[i, 0]] += 1 / (row_end or row)
        right[word[i, 0]] += v[i] / (row_end or row)
    for j in range(columns):
        matrix[bit[-1, j], bit[-1, j]] += 1 / (column_end or column)
    potential = spsolve(matrix.tocsc(), right)
    return np.asarray(potential[bit[-1]] / (column_end or column))


@pytest.fixture
def cells() -> NDArray[np.float64]:
    return np.random.default_rng(0).uniform(0.4e-9, 20e-9, (12, 9))


def test_error_of_the_first_order_is_of_second_order_in_the_drop(cells: NDArray[np.float64]) -> None:
    v = np.random.default_rng(1).uniform(0.3, 1.0, 12)
    largest = 0.04 / (1e-8 * 9 * 10 / 2 + 3e-8 * 12 * 13 / 2)  # a drop of about 4 per cent
    errors, drops = [], []
    for resistance in largest / 2.0 ** np.arange(5):
        exact = _exact(cells, resistance, 3 * resistance, v)
        ours = v @ Wires(resistance, 3 * resistance, tolerance=0.1).effective_conductance(cells)
        errors.append(np.abs(ours - exact).max() / np.abs(exact).max())
        drops.append((1 - exact / (v @ cells)).max())
    assert 0.005 < drops[0] < 0.05
    assert errors[0] < 0.1 * drops[0]
    np.testing.assert_allclose(np.array(errors[:-1]) / errors[1:], 4.0, rtol=0.1)


@given(
    seed=st.integers(0, 10**6),
    drop=st.floats(1e-4, 0.5),
    spread=st.floats(0.0, 3.0),
    split=st.floats(0.0, 1.0),
    ends=st.sampled_from([0.0, 30.0]),
)
def test_the_error_bound_of_the_first_order_holds(
    seed: int, drop: float, spread: float, split: float, ends: float
) -> None:
    rng = np.random.default_rng(seed)
    rows, columns = (int(n) for n in rng.integers(1, 8, 2))
    g = 10.0 ** rng.uniform(-spread, 0.0, (rows, columns))
    shape = Wires(split + 1e-3, 1.001 - split, ends * split, ends * (1 - split), tolerance=0.1)
    factor = drop / shape.drop(g).max()
    wires = Wires(
        factor * shape.row_segment,
        factor * shape.column_segment,
        factor * shape.driver_resistance,
        factor * shape.amplifier_resistance,
    )
    v = rng.uniform(-1.0, 1.0, rows)
    row_end = wires.row_segment + wires.driver_resistance
    column_end = wires.column_segment + wires.amplifier_resistance
    exact = _exact(g, wires.row_segment, wires.column_segment, v, row_end, column_end)
    first = v @ (g * (1.0 - wires.drop(g)))
    full = g.sum(axis=0)
    assert np.all(np.abs(first - exact) <= (drop**2 / (1.0 - drop) + 1e-12) * full)
    # And what is returned keeps the tolerance, whichever way was taken.
    np.testing.assert_array_less(np.abs(v @ wires.effective_conductance(g) - exact), wires.tolerance * full)


def test_first_order_where_its_bound_is_below_the_tolerance_and_a_solve_elsewhere(cells: NDArray[np.float64]) -> None:
    wires = Wires(1e3, 1e3, tolerance=1e-6)
    small, large = cells * 1e-2, cells * 1e2
    assert wires.drop(small).max() < 1e-3 < wires.drop(large).max()
    both = wires.effective_conductance(np.stack([small, large]))
    np.testing.assert_array_equal(both[0], small * (1 - wires.drop(small)))
    np.testing.assert_allclose(both[1], wires.effective_conductance(large), rtol=1e-12)
    v = np.linspace(1.0, 0.2, 12)
    np.testing.assert_allclose(v @ both[1], _exact(large, 1e3, 1e3, v), rtol=1e-7)


def test_drops_of_most_of_the_voltage_are_solved(cells: NDArray[np.float64]) -> None:
    v = np.linspace(1.0, 0.2, 12)
    for row, column, driver, amplifier in ((1e6, 1e6, 0.0, 0.0), (3e5, 0.0, 1e6, 1e7), (0.0, 0.0, 1e7, 0.0)):
        ours = v @ Wires(row, column, driver, amplifier).effective_conductance(cells)
        ends = (row + driver or 0.1, column + amplifier or 0.1)
        exact = _exact(cells, row or 0.1, column or 0.1, v, *ends)
        assert (ours / (v @ cells)).max() < 0.99
        np.testing.assert_allclose(ours, exact, rtol=1e-6)


@pytest.mark.parametrize("only", ["row", "column"])
def test_each_direction_alone(cells: NDArray[np.float64], only: str) -> None:
    v = np.linspace(1.0, 0.2, 12)
    row, column = (2e4, 1e-3) if only == "row" else (1e-3, 2e4)
    drop = v @ cells - _exact(cells, row, column, v)
    ours = v @ cells - v @ Wires(row, column).effective_conductance(cells)
    np.testing.assert_allclose(ours, drop, rtol=0.05)


def test_no_resistance_changes_nothing(cells: NDArray[np.float64]) -> None:
    np.testing.assert_array_equal(Wires(0.0, 0.0).effective_conductance(cells), cells)
    assert IdealWires().effective_conductance(cells) is cells


def test_nanoampere_cells_hardly_feel_the_wires() -> None:
    cells = np.full((128, 128), 20e-9)
    assert Wires().effective_conductance(cells).min() / 20e-9 > 1 - 1e-3


def test_wires_of_a_technology_node() -> None:
    wires, default = Wires.from_technology("65nm"), Wires()
    assert wires.row_segment == pytest.approx(default.row_segment, rel=0.02)
    assert wires.column_segment == pytest.approx(default.column_segment, rel=0.02)
    assert wires.row_capacitance == pytest.approx(default.row_capacitance, rel=0.01)
    assert wires.column_capacitance == pytest.approx(default.column_capacitance, rel=0.01)
    dense = Wires.from_technology("7nm", cells="crosspoint", driver_resistance=100.0)
    assert dense.row_segment == dense.column_segment > wires.row_segment
    assert dense.driver_resistance == 100.0
    with pytest.raises(CardError, match="6nm"):
        Wires.from_technology("6nm")


def test_what_is_no_number_is_refused() -> None:
    for change in ({"row_segment": -1.0}, {"column_segment": float("nan")}, {"row_segment": float("inf")},
                   {"driver_resistance": -1.0}, {"column_capacitance": -1e-15}, {"tolerance": 0.0}):  # fmt: skip
        with pytest.raises(ArgumentError, match=f"`{next(iter(change))}`"):
            Wires(**change)
    for bad in (np.nan, np.inf):
        with pytest.raises(ArgumentError, match="`conductance`"):
            Wires().effective_conductance(np.full((2, 2), bad))
    with pytest.raises(ArgumentError, match="not negative"):
        Wires(1e6, 1e6).effective_conductance(np.full((2, 2), -1e-3))
