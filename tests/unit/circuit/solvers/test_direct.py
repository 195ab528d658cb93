"""The direct solver against dense linear algebra, written again from Kirchhoff's laws."""

from __future__ import annotations

import numpy as np
import pytest

from ferrogen.circuit.network.cells import Sinh
from ferrogen.circuit.network.network import Bridge, Drive, Network, drive, uniform_network
from ferrogen.circuit.solvers.solve import solve
from ferrogen.core.errors import ArgumentError


def branches(network: Network) -> list[tuple[int, int, float]]:
    """All resistors (node, node, conductance); sources are nodes, too: left, right, top, bottom after the 2 n."""
    rows, columns = network.shape
    n = rows * columns
    found = []
    for i in range(rows):
        for j in range(columns):
            found.append((i * columns + j, n + i * columns + j, network.conductance[i, j]))
            if j + 1 < columns:
                found.append((i * columns + j, i * columns + j + 1, 1 / network.row_segments[i, j]))
            if i + 1 < rows:
                found.append((n + i * columns + j, n + (i + 1) * columns + j, 1 / network.column_segments[i, j]))
        found.append((i * columns, 2 * n + i, 1 / network.row_left[i]))
        found.append((i * columns + columns - 1, 2 * n + rows + i, 1 / network.row_right[i]))
    for j in range(columns):
        found.append((n + j, 2 * n + 2 * rows + j, 1 / network.column_top[j]))
        found.append((n + (rows - 1) * columns + j, 2 * n + 2 * rows + columns + j, 1 / network.column_bottom[j]))
    for bridge in network.bridges:
        ends = [(line == "column") * n + i * columns + j for line, i, j in (bridge.first, bridge.second)]
        found.append((ends[0], ends[1], 1 / bridge.resistance))
    return found


def dense(network: Network, sources: Drive) -> np.ndarray:
    """Currents of the sources, left, right, top, bottom, by dense elimination of the inner nodes."""
    inner = 2 * network.conductance.size
    voltage = np.concatenate([sources.left, sources.right, sources.top, sources.bottom])
    matrix = np.zeros((inner + len(voltage),) * 2)
    for a, b, g in branches(network):
        matrix[[a, b], [a, b]] += g
        matrix[[a, b], [b, a]] -= g
    nodes = np.linalg.solve(matrix[:inner, :inner], -matrix[:inner, inner:] @ voltage)
    return matrix[inner:, :inner] @ nodes + matrix[inner:, inner:] @ voltage


def random_network(rng: np.random.Generator, shape: tuple[int, int], **change) -> Network:
    rows, columns = shape

    def resistances(*size: int) -> np.ndarray:
        return 10.0 ** rng.uniform(0, 3, size)

    parts = {
        "conductance": 10.0 ** rng.uniform(-5, -3, shape),
        "row_segments": resistances(rows, columns - 1),
        "column_segments": resistances(rows - 1, columns),
        "row_left": resistances(rows),
        "row_right": resistances(rows),
        "column_top": resistances(columns),
        "column_bottom": resistances(columns),
    }
    return Network(**(parts | change))


def random_drive(rng: np.random.Generator, network: Network, batch: int) -> Drive:
    rows, columns = network.shape
    sides = {"left": rows, "right": rows, "top": columns, "bottom": columns}
    return drive(network, **{side: rng.uniform(-1, 1, (lines, batch)) for side, lines in sides.items()})


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (4, 1), (2, 3), (7, 5)])
def test_currents_of_all_sources_with_open_ends_segments_and_bridges(shape):
    rng = np.random.default_rng(1)
    network = random_network(rng, shape)
    network.row_right[::2] = np.inf
    network.column_top[1::2] = np.inf
    if shape == (7, 5):
        network.row_segments[2, 1] = network.column_segments[3, 4] = np.inf
        bridges = (Bridge(("row", 0, 1), ("row", 1, 1), 5.0), Bridge(("column", 6, 0), ("row", 2, 3), 50.0))
        network = random_network(rng, shape, bridges=bridges, row_segments=network.row_segments)
    sources = random_drive(rng, network, 3)
    found = solve(network, sources, method="direct").checked()
    ours = np.concatenate([found.left_current, found.right_current, found.top_current, found.bottom_current])
    np.testing.assert_allclose(ours, dense(network, sources), rtol=1e-9, atol=1e-12 * np.abs(ours).max())
    assert found.method == "direct"
    assert found.outcome.residual < 1e-14


def test_nodes_are_returned_or_not():
    rng = np.random.default_rng(2)
    network = random_network(rng, (3, 4))
    sources = random_drive(rng, network, 2)
    with_nodes = solve(network, sources, method="direct")
    without = solve(network, sources, method="direct", nodes=False)
    assert without.row_voltage is None
    assert without.column_voltage is None
    np.testing.assert_array_equal(without.left_current, with_nodes.left_current)
    ohm = (sources.left - with_nodes.row_voltage[:, 0]) / network.row_left[:, None]
    np.testing.assert_allclose(ohm, with_nodes.left_current, rtol=1e-9)
    ohm = (sources.bottom - with_nodes.column_voltage[-1]) / network.column_bottom[:, None]
    np.testing.assert_allclose(ohm, with_nodes.bottom_current, rtol=1e-9)


def test_sinh_cells_obey_kirchhoff_at_every_node():
    rng = np.random.default_rng(3)
    law = Sinh(0.1)
    network = random_network(rng, (5, 4), law=law)
    sources = random_drive(rng, network, 3)
    found = solve(network, sources, method="direct").checked()
    across = found.row_voltage - found.column_voltage
    cell = network.conductance[:, :, None] * 0.1 * np.sinh(across / 0.1)
    along = -np.diff(found.row_voltage, axis=1) / network.row_segments[:, :, None]
    excess = -cell.copy()
    excess[:, 0] += found.left_current
    excess[:, -1] += found.right_current
    excess[:, :-1] -= along
    excess[:, 1:] += along
    assert np.abs(excess).max() < 1e-12 * np.abs(cell).max()
    np.testing.assert_allclose(cell.sum(axis=0), -(found.top_current + found.bottom_current), rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("law", [None, Sinh(0.05)])
@pytest.mark.parametrize(
    ("wire", "cell"), [(1e-6, 1e-12), (1e-6, 1.0), (1e12, 1e-12), (1e12, 1e-4), (1e12, 1e3), (1.0, 1e-4)]
)
def test_extreme_resistances_converge(law, wire, cell):
    rng = np.random.default_rng(4)
    conductance = cell * 10.0 ** rng.uniform(0, 2, (8, 6))
    network = uniform_network(conductance, row_segment=wire, column_segment=wire, law=law)
    found = solve(network, drive(network, left=rng.uniform(-1, 1, (8, 2))), method="direct").checked()
    assert found.outcome.residual < 1e-13
    into, out = found.left_current.sum(axis=0), -found.bottom_current.sum(axis=0)
    assert np.all(np.abs(into - out) < 1e-12 * np.abs(found.left_current).max())


def test_too_few_iterations_are_told():
    network = uniform_network(np.full((3, 3), 1e-3), row_segment=100.0, column_segment=100.0, law=Sinh(0.02))
    found = solve(network, drive(network, left=1.0), method="direct", max_iterations=1)
    assert not found.outcome.converged
    assert "max_iterations" in found.outcome.remedy


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"method": "best"}, "method"),
        ({"tolerance": 0.0}, "tolerance"),
        ({"tolerance": float("nan")}, "tolerance"),
        ({"max_iterations": 0}, "max_iterations"),
    ],
)
def test_arguments_are_checked(change, says):
    network = uniform_network(np.full((2, 2), 1e-6), row_segment=1.0, column_segment=1.0)
    with pytest.raises(ArgumentError, match=says):
        solve(network, drive(network, left=0.1), **change)
    with pytest.raises(ArgumentError, match="2 x 2"):
        solve(network, drive(uniform_network(np.ones((3, 2)), row_segment=1.0, column_segment=1.0)))
