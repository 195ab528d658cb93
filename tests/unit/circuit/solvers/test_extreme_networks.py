"""Networks whose every resistance lies anywhere from 1e-6 to 1e12 Ohm, against exact rational arithmetic."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest

from ferrogen.circuit.network.cells import Sinh
from ferrogen.circuit.network.network import Network, drive, uniform_network
from ferrogen.circuit.solvers.solution import ConvergenceError
from ferrogen.circuit.solvers.solve import solve


def resistors(network: Network) -> Iterator[tuple[int, int, Fraction]]:
    """All resistors: node, node (sources behind the 2 n nodes: left, right, top, bottom), conductance."""
    rows, columns = network.shape
    n = rows * columns

    def ohm(resistance: float) -> Fraction:
        return Fraction(0) if np.isinf(resistance) else 1 / Fraction(float(resistance))

    for i in range(rows):
        for j in range(columns):
            at = i * columns + j
            yield at, n + at, Fraction(float(network.conductance[i, j]))
            if j + 1 < columns:
                yield at, at + 1, ohm(network.row_segments[i, j])
            if i + 1 < rows:
                yield n + at, n + at + columns, ohm(network.column_segments[i, j])
        yield i * columns, 2 * n + i, ohm(network.row_left[i])
        yield (i + 1) * columns - 1, 2 * n + rows + i, ohm(network.row_right[i])
    for j in range(columns):
        yield n + j, 2 * n + 2 * rows + j, ohm(network.column_top[j])
        yield 2 * n - columns + j, 2 * n + 2 * rows + columns + j, ohm(network.column_bottom[j])


def exact_currents(network: Network, voltage: np.ndarray) -> np.ndarray:
    """Currents of all sources for their voltages, by elimination without rounding."""
    inner, ports = 2 * network.conductance.size, [Fraction(float(v)) for v in voltage]
    matrix = [[Fraction(0)] * (inner + len(ports)) for _ in range(inner + len(ports))]
    for a, b, g in resistors(network):
        matrix[a][a] += g
        matrix[b][b] += g
        matrix[a][b] -= g
        matrix[b][a] -= g
    system = [[*row[:inner], -sum(g * v for g, v in zip(row[inner:], ports, strict=True))] for row in matrix[:inner]]
    for k in range(inner):
        for i in range(k + 1, inner):
            if system[i][k]:
                factor = system[i][k] / system[k][k]
                system[i] = [x - factor * y for x, y in zip(system[i], system[k], strict=True)]
    nodes = [Fraction(0)] * inner
    for k in reversed(range(inner)):
        rest = sum(system[k][j] * nodes[j] for j in range(k + 1, inner))
        nodes[k] = (system[k][inner] - rest) / system[k][k]
    everything = nodes + ports
    return np.array([float(sum(g * v for g, v in zip(row, everything, strict=True))) for row in matrix[inner:]])


def wild(seed: int) -> tuple[Network, np.ndarray]:
    rng = np.random.default_rng(seed)

    def some(*shape: int, floating: float = 0.0) -> np.ndarray:
        return np.where(rng.random(shape) < floating, np.inf, 10.0 ** rng.uniform(-6, 12, shape))

    network = Network(
        conductance=1.0 / some(3, 4),
        row_segments=some(3, 3),
        column_segments=some(2, 4),
        row_left=some(3, floating=0.3),
        row_right=some(3, floating=0.7),
        column_top=some(4, floating=0.7),
        column_bottom=some(4, floating=0.3),
    )
    return network, rng.uniform(-1, 1, 14)


@pytest.mark.parametrize("method", ["lines", "direct"])
@pytest.mark.parametrize("seed", range(20))
def test_currents_are_exact_or_the_solver_says_that_they_are_not(seed, method):
    network, voltage = wild(seed)
    left, right, top, bottom = np.split(voltage, [3, 6, 10])
    found = solve(network, drive(network, left=left, right=right, top=top, bottom=bottom), method=method)
    assert found.outcome.converged or (method == "lines" and "direct" in found.outcome.remedy)
    if found.outcome.converged:
        ours = np.concatenate([found.left_current, found.right_current, found.top_current, found.bottom_current])
        expected = exact_currents(network, voltage)
        assert np.abs(ours[:, 0] - expected).max() <= 1e-9 * np.abs(expected).max()


@pytest.mark.parametrize("cell", [1e-12, 1e-6, 1.0])
@pytest.mark.parametrize("wire", [1e-6, 1.0, 1e6, 1e9, 1e12])
def test_uniform_wires_of_any_resistance(wire, cell):
    rng = np.random.default_rng(1)
    network = uniform_network(cell * rng.uniform(0.1, 1, (3, 4)), row_segment=wire, column_segment=2 * wire)
    voltage = np.concatenate([rng.uniform(-1, 1, 3), np.zeros(11)])
    found = solve(network, drive(network, left=voltage[:3]), method="direct").checked()
    expected = exact_currents(network, voltage)
    np.testing.assert_allclose(found.left_current[:, 0], expected[:3], rtol=1e-9, atol=1e-12 * np.abs(expected).max())
    np.testing.assert_allclose(
        found.bottom_current[:, 0], expected[10:], rtol=1e-9, atol=1e-12 * np.abs(expected).max()
    )


@pytest.mark.parametrize("law", [None, Sinh(0.1)])
@pytest.mark.parametrize("cell", [1e-300, 1e-30, 1e-18, 1e-12])
def test_networks_singular_but_for_rounding_are_solved_or_reported(cell, law):
    # Column 1 floats on wires of 1e-6 Ohm: what its cells add to its nodal equations is lost in doubles.
    conductance = np.array([[1e-6, cell], [2e-6, 3 * cell]])
    network = uniform_network(conductance, row_segment=1e-6, column_segment=1e-6, law=law)
    network.column_bottom[1] = np.inf
    for method in ("direct", "lines"):
        found = solve(network, drive(network, left=[0.4, 0.8]), method=method)
        assert method == "lines" or found.outcome.converged
        everything = (found.left_current, found.bottom_current, found.row_voltage, found.column_voltage)
        assert all(np.all(np.isfinite(part)) for part in everything)
        if found.outcome.converged:  # the sensed column does not care; its wires drop 1e-9 V
            current, _ = network.law.current(conductance[:, :1], np.array([[0.4], [0.8]]))
            np.testing.assert_allclose(-found.bottom_current[0], current.sum(), rtol=1e-8)
        else:
            assert found.outcome.remedy
            with pytest.raises(ConvergenceError, match="residual"):
                found.checked()
