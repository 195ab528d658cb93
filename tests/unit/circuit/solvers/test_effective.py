"""The effective map against solves on random inputs: the same currents, for every choice of ends."""

from __future__ import annotations

import numpy as np
import pytest

from ferrogen.circuit.network.cells import InSeries, Ohmic, SeriesResistance, Sinh
from ferrogen.circuit.network.network import Network, drive, uniform_network
from ferrogen.circuit.solvers.effective import effective_conductance, effective_conductances
from ferrogen.circuit.solvers.solve import solve
from ferrogen.core.errors import ArgumentError


def array(rng: np.random.Generator, rows: int, columns: int) -> Network:
    def resistances(*shape: int) -> np.ndarray:
        return 10.0 ** rng.uniform(0, 2, shape)

    return Network(
        conductance=10.0 ** rng.uniform(-5, -3, (rows, columns)),
        row_segments=resistances(rows, columns - 1),
        column_segments=resistances(rows - 1, columns),
        row_left=resistances(rows),
        row_right=resistances(rows),
        column_top=resistances(columns),
        column_bottom=resistances(columns),
    )


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (9, 4), (16, 16)])
@pytest.mark.parametrize("driven", ["left", "right", "both"])
@pytest.mark.parametrize("sensed", ["bottom", "top", "both"])
def test_it_gives_the_currents_of_a_solve(shape, driven, sensed):
    rng = np.random.default_rng(1)
    network = array(rng, *shape)
    inputs = rng.uniform(-1, 1, (shape[0], 5))
    sides = {"left": ("left",), "right": ("right",), "both": ("left", "right")}[driven]
    found = solve(network, drive(network, **dict.fromkeys(sides, inputs)), method="direct").checked()
    output = {
        "bottom": -found.bottom_current,
        "top": -found.top_current,
        "both": -(found.top_current + found.bottom_current),
    }[sensed]
    ours = effective_conductance(network, driven=driven, sensed=sensed, tolerance=1e-12).T @ inputs
    np.testing.assert_allclose(ours, output, rtol=1e-9, atol=1e-11 * np.abs(output).max())


def test_tiles_keep_their_shape_and_cells_behind_transistors_are_linear_too():
    rng = np.random.default_rng(2)
    tiles = rng.uniform(1e-6, 1e-4, (2, 3, 5, 4))
    wires = {"row_segment": 3.0, "column_segment": 2.0}
    found = effective_conductances(tiles, **wires, row_end=50.0, column_end=7.0)
    network = uniform_network(tiles[1, 2], **wires, row_left=50.0, column_bottom=7.0)
    np.testing.assert_allclose(found[1, 2], effective_conductance(network, method="direct"), rtol=1e-9)
    behind = uniform_network(tiles[0, 0], **wires, law=InSeries(Ohmic(), SeriesResistance(1e3)))
    by_hand = uniform_network(1 / (1 / tiles[0, 0] + 1e3), **wires)
    np.testing.assert_allclose(effective_conductance(behind), effective_conductance(by_hand), rtol=1e-12)


def test_a_broken_line_beyond_which_nothing_conducts():
    network = array(np.random.default_rng(3), 3, 4)
    network.row_right[:] = network.column_top[:] = np.inf
    network.column_segments[1, 2] = np.inf
    network.conductance[:2, 2] = 0.0
    with pytest.raises(ArgumentError, match="2 nodes without"):
        effective_conductance(network)
    found = effective_conductance(network, isolated="ground")
    assert np.all(found >= -1e-12 * found.max())
    assert found[2, 2] > 0.1 * network.conductance[2, 2]
    network.row_left[0] = network.row_segments[0, 0] = np.inf  # row 0 floats, its first cell behind a column of its own
    assert np.all(np.abs(effective_conductance(network, isolated="ground")[0]) < 1e-12 * found.max())


def test_what_it_cannot_do_is_refused():
    cells = np.full((2, 2), 1e-6)
    with pytest.raises(ArgumentError, match=r"Sinh cells.*Solve it"):
        effective_conductance(uniform_network(cells, row_segment=1.0, column_segment=1.0, law=Sinh(0.1)))
    linear = uniform_network(cells, row_segment=1.0, column_segment=1.0)
    with pytest.raises(ArgumentError, match="driven"):
        effective_conductance(linear, driven="top")
