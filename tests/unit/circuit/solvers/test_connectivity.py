"""Nodes without a path to a source: found, refused with their place, or left out without harm to the others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferrogen.circuit.network.cells import Ohmic, Sinh
from ferrogen.circuit.network.network import Bridge, Network, drive, uniform_network
from ferrogen.circuit.solvers.connectivity import at_rest, isolated_nodes, joined
from ferrogen.circuit.solvers.solve import solve
from ferrogen.core.errors import ArgumentError


def flooded(network: Network) -> np.ndarray:
    """Nodes reached from the sources by a walk, one node at a time."""
    rows, columns = network.shape
    todo = [(0, i, 0) for i in np.flatnonzero(np.isfinite(network.row_left))]
    todo += [(0, i, columns - 1) for i in np.flatnonzero(np.isfinite(network.row_right))]
    todo += [(1, 0, j) for j in np.flatnonzero(np.isfinite(network.column_top))]
    todo += [(1, rows - 1, j) for j in np.flatnonzero(np.isfinite(network.column_bottom))]
    seen = np.zeros((2, rows, columns), dtype=bool)
    bridges = [[(("row", "column").index(line), i, j) for line, i, j in (b.first, b.second)] for b in network.bridges]
    while todo:
        line, i, j = here = todo.pop()
        if seen[here]:
            continue
        seen[here] = True
        if network.conductance[i, j] > 0:
            todo.append((1 - line, i, j))
        for a, b in bridges:
            todo += [b] * (a == here) + [a] * (b == here)
        if line == 0:
            todo += [(0, i, j - 1)] if j > 0 and np.isfinite(network.row_segments[i, j - 1]) else []
            todo += [(0, i, j + 1)] if j + 1 < columns and np.isfinite(network.row_segments[i, j]) else []
        else:
            todo += [(1, i - 1, j)] if i > 0 and np.isfinite(network.column_segments[i - 1, j]) else []
            todo += [(1, i + 1, j)] if i + 1 < rows and np.isfinite(network.column_segments[i, j]) else []
    return seen


def broken(seed: int, share: float, *, segments: bool) -> Network:
    """An array with a share of everything open."""
    rng = np.random.default_rng(seed)
    rows, columns = (int(n) for n in rng.integers(1, 6, 2))

    def some(*shape: int, of: float = share) -> np.ndarray:
        return np.where(rng.random(shape) < of, np.inf, 10.0 ** rng.uniform(0, 3, shape))

    corners = (("row", 0, 0), ("column", rows - 1, columns - 1))
    return Network(
        conductance=1 / some(rows, columns),
        row_segments=some(rows, columns - 1, of=share * segments),
        column_segments=some(rows - 1, columns, of=share * segments),
        row_left=some(rows),
        row_right=some(rows, of=0.9),
        column_top=some(columns, of=0.9),
        column_bottom=some(columns),
        law=Sinh(0.3),
        bridges=(Bridge(*corners, 7.0),) if rng.random() < 0.3 else (),
    )


@given(seed=st.integers(0, 10**6), share=st.floats(0.1, 0.95), segments=st.booleans())
def test_isolated_nodes_are_those_that_a_walk_from_the_sources_misses(seed, share, segments):
    network = broken(seed, share, segments=segments)
    np.testing.assert_array_equal(isolated_nodes(network).nodes, ~flooded(network))
    assert not isolated_nodes(joined(network)).count


@given(seed=st.integers(0, 10**6), share=st.floats(0.1, 0.95))
def test_grounding_isolated_nodes_obeys_kirchhoff_and_leaves_them_without_current(seed, share):
    network = broken(seed, share, segments=True)
    rows, columns = network.shape
    rng = np.random.default_rng(seed)
    sources = drive(network, left=rng.uniform(-1, 1, rows), top=rng.uniform(-1, 1, columns), right=0.3)
    found = solve(network, sources, isolated="ground").checked()
    lost = ~flooded(network)
    voltage = np.stack([found.row_voltage[..., 0], found.column_voltage[..., 0]])
    assert np.all(np.isfinite(voltage))
    assert np.all(voltage[lost] == 0.0)
    cell, _ = network.law.current(network.conductance, voltage[0] - voltage[1])
    assert np.all(cell[lost[0] | lost[1]] == 0.0)
    for current, resistance in (
        (found.left_current, network.row_left),
        (found.right_current, network.row_right),
        (found.top_current, network.column_top),
        (found.bottom_current, network.column_bottom),
    ):
        assert np.all(current[np.isinf(resistance)] == 0.0)
    # What the sources deliver into a line is what its cells take from it, wherever it is cut.
    largest = max(np.abs(cell).max(), np.abs(found.left_current).max(), np.abs(found.top_current).max(), 1e-20)
    if not network.bridges:
        into = (found.left_current + found.right_current)[:, 0]
        assert np.all(np.abs(into - cell.sum(axis=1)) < 1e-9 * largest)
        into = (found.top_current + found.bottom_current)[:, 0]
        assert np.all(np.abs(into + cell.sum(axis=0)) < 1e-9 * largest)


def test_isolation_is_refused_with_number_place_and_remedy():
    network = uniform_network(np.full((3, 4), 1e-6), row_segment=1.0, column_segment=1.0)
    network.row_segments[1, 1] = np.inf
    network.conductance[1, 2:] = 0.0
    with pytest.raises(ArgumentError, match=r"2 nodes without.*node \(1, 2\) of a row line.*isolated='ground'"):
        solve(network, drive(network, left=0.1))
    network.conductance[1, 3] = 1e-9
    assert solve(network, drive(network, left=0.1)).outcome.converged
    with pytest.raises(ArgumentError, match="isolated"):
        isolated_nodes(network).first  # noqa: B018
    with pytest.raises(ArgumentError, match="isolated"):
        solve(network, drive(network, left=0.1), isolated="ignore")


def test_arrays_without_any_source_are_refused_and_can_be_grounded():
    floating = uniform_network(
        np.full((2, 2), 1e-6), row_segment=1.0, column_segment=1.0, row_left=np.inf, column_bottom=np.inf
    )
    with pytest.raises(ArgumentError, match="8 nodes"):
        solve(floating, drive(floating, left=0.1))
    found = solve(floating, drive(floating, left=0.1), isolated="ground").checked()
    assert not np.any(found.left_current)
    assert not np.any(found.row_voltage)


def test_a_column_that_is_not_sensed_floats_at_the_mean_of_its_cells():
    network = uniform_network(np.array([[1e-9], [3e-9]]), row_segment=1e-3, column_segment=1e-3, column_bottom=np.inf)
    found = solve(network, drive(network, left=[0.0, 1.0])).checked()
    np.testing.assert_allclose(found.column_voltage[:, 0, 0], 0.75, rtol=1e-11)
    single = replace(network, conductance=np.array([[1e-9], [0.0]]))
    np.testing.assert_allclose(solve(single, drive(single, left=[0.4, 1.0])).column_voltage[:, 0, 0], 0.4, rtol=1e-12)


@pytest.mark.parametrize("method", ["lines", "direct"])
@pytest.mark.parametrize("law", [Ohmic(), Sinh(0.05)], ids=["ohmic", "sinh"])
def test_nothing_flows_between_sources_of_one_voltage(method, law):
    rng = np.random.default_rng(3)
    network = uniform_network(
        rng.uniform(1e-6, 1e-4, (4, 5)), row_segment=3.0, column_segment=2.0, column_top=5.0, law=law
    )
    network.row_left[2] = network.column_bottom[1] = network.column_top[1] = np.inf
    network.row_segments[1, 2] = np.inf
    left = np.array([[0.3, 0.7, 0.1]] * 4)
    left[0, 1] = 0.2  # something flows for one input vector in the middle
    columns = [[0.3, 0.7, 0.1]] * 5
    sources = drive(network, left=left, top=columns, bottom=columns)
    found = solve(network, sources, method=method).checked()
    np.testing.assert_allclose(found.row_voltage[..., 0], 0.3, rtol=1e-14)
    np.testing.assert_allclose(found.column_voltage[..., 2], 0.1, rtol=1e-14)
    assert np.abs(found.left_current[:, [0, 2]]).max() < 1e-15
    assert np.abs(found.left_current[0, 1]) > 1e-6
    alone = solve(network, drive(network, left=left[:, 1], top=0.7, bottom=0.7), method=method).checked()
    np.testing.assert_allclose(found.left_current[:, 1], alone.left_current[:, 0], rtol=1e-9, atol=1e-18)
    resting, voltage = at_rest(network, sources)
    assert resting.tolist() == [True, False, True]
    assert np.all(voltage[..., 0] == 0.3)
