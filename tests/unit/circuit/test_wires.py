"""The first-order wire map against Kirchhoff's laws, solved exactly here for every node of the crosspoint."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import spsolve

from ferrogen.circuit.wires import LARGEST_DROP, IdealWires, Wires
from ferrogen.core.errors import ArgumentError


def _exact(g: NDArray[np.float64], row: float, column: float, v: NDArray[np.float64]) -> NDArray[np.float64]:
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
        matrix[word[i, 0], word[i, 0]] += 1 / row
        right[word[i, 0]] += v[i] / row
    for j in range(columns):
        matrix[bit[-1, j], bit[-1, j]] += 1 / column
    potential = spsolve(matrix.tocsc(), right)
    return np.asarray(potential[bit[-1]] / column)


@pytest.fixture
def cells() -> NDArray[np.float64]:
    return np.random.default_rng(0).uniform(0.4e-9, 20e-9, (12, 9))


def test_error_is_of_second_order_in_the_drop(cells: NDArray[np.float64]) -> None:
    v = np.random.default_rng(1).uniform(0.3, 1.0, 12)
    largest = 0.04 / (1e-8 * 9 * 10 / 2 + 3e-8 * 12 * 13 / 2)  # a drop of about 4 per cent
    errors, drops = [], []
    for resistance in largest / 2.0 ** np.arange(5):
        exact = _exact(cells, resistance, 3 * resistance, v)
        ours = v @ Wires(resistance, 3 * resistance).effective_conductance(cells)
        errors.append(np.abs(ours - exact).max() / np.abs(exact).max())
        drops.append((1 - exact / (v @ cells)).max())
    assert 0.005 < drops[0] < LARGEST_DROP
    assert errors[0] < 0.1 * drops[0]
    np.testing.assert_allclose(np.array(errors[:-1]) / errors[1:], 4.0, rtol=0.1)


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


def test_large_drops_and_negative_resistances_are_refused(cells: NDArray[np.float64]) -> None:
    with pytest.raises(ArgumentError, match="more than the 5% that the first-order map allows"):
        Wires(1e6, 1e6).effective_conductance(cells)
    for change in ({"row_segment": -1.0}, {"column_segment": float("nan")}, {"row_segment": float("inf")}):
        with pytest.raises(ArgumentError, match=f"`{next(iter(change))}`"):
            Wires(**change)
    with pytest.raises(ArgumentError, match="`conductance`"):
        Wires().effective_conductance(np.full((2, 2), np.nan))
