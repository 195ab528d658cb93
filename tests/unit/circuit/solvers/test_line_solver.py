"""The line solver against exact elimination of the whole nodal matrix in 60-digit decimals, and Kirchhoff's law.

Bound used throughout: whatever current r Kirchhoff's law is off by at the nodes leaves through the ends, so the ends'
currents are off by at most the sum of |r| over all nodes: nodes x tolerance x largest current.
"""

from __future__ import annotations

from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csc_array
from scipy.sparse.linalg import spsolve

from ferrogen.circuit.network.cells import Sinh
from ferrogen.circuit.network.network import Bridge, Drive, Network, drive, uniform_network
from ferrogen.circuit.solvers.lines import solve_lines
from ferrogen.circuit.solvers.solution import ConvergenceError
from ferrogen.core.errors import ArgumentError

SIDES = ("left", "right", "top", "bottom")
RANGES = {  # exponents of ten of resistances [Ohm] and of cells [S]
    "mild": ((0.0, 1.0), (-6.0, -4.0)),
    "wild": ((-3.0, 6.0), (-9.0, -3.0)),
    "extreme": ((-6.0, 9.0), (-12.0, 0.0)),
}


def currents(solution):
    return [getattr(solution, f"{side}_current") for side in SIDES]


def part_of(sources, which):
    return Drive(*(getattr(sources, side)[:, which] for side in SIDES))


def random_network(seed, rows, columns, kind, opened, dead, floating):
    rng = np.random.default_rng(seed)
    of_wires, of_cells = RANGES[kind]

    def resistances(shape, share):
        return np.where(rng.random(shape) < share, np.inf, 10.0 ** rng.uniform(*of_wires, shape))

    cells = np.where(rng.random((rows, columns)) < dead, 0.0, 10.0 ** rng.uniform(*of_cells, (rows, columns)))
    network = Network(
        cells,
        resistances((rows, columns - 1), opened),
        resistances((rows - 1, columns), opened),
        *(resistances(lines, share) for lines, share in zip((rows, rows, columns, columns), floating, strict=True)),
    )
    lines = dict(zip(SIDES, (rows, rows, columns, columns), strict=True))
    batch = int(rng.integers(1, 11))
    return network, drive(network, **{side: rng.uniform(-1.0, 1.0, (lines[side], batch)) for side in SIDES})


def exact(network, sources):
    """Solve the nodal equations of the nodes that have a path to a source by elimination in decimals."""
    rows, columns = network.shape
    zero = Decimal(0)
    matrix = np.full((2 * rows * columns,) * 2, zero, dtype=object)
    into = np.full((2 * rows * columns, sources.batch), zero, dtype=object)
    anchored = np.zeros(2 * rows * columns, dtype=bool)
    decimals = np.vectorize(lambda number: Decimal(float(number)), otypes=[object])

    def node(line, i, j):
        return (line * rows + i) * columns + j

    def conductance(resistance):
        return zero if np.isinf(resistance) else 1 / Decimal(float(resistance))

    def join(a, b, g):
        matrix[a, a] += g
        matrix[b, b] += g
        matrix[a, b] -= g
        matrix[b, a] -= g

    for i in range(rows):
        for j in range(columns):
            join(node(0, i, j), node(1, i, j), Decimal(float(network.conductance[i, j])))
            if j + 1 < columns:
                join(node(0, i, j), node(0, i, j + 1), conductance(network.row_segments[i, j]))
            if i + 1 < rows:
                join(node(1, i, j), node(1, i + 1, j), conductance(network.column_segments[i, j]))
    joined = matrix != zero
    ends = {}
    for side, name in zip(SIDES, ("row_left", "row_right", "column_top", "column_bottom"), strict=True):
        for line, resistance in enumerate(getattr(network, name)):
            at = {
                "left": node(0, line, 0), "right": node(0, line, columns - 1),
                "top": node(1, 0, line), "bottom": node(1, rows - 1, line),
            }[side]  # fmt: skip
            g = conductance(resistance)
            matrix[at, at] += g
            into[at] += g * decimals(getattr(sources, side)[line])
            anchored[at] |= g > zero
            ends[side, line] = (at, g)
    while (reached := joined[:, anchored].any(axis=1) & ~anchored).any():
        anchored |= reached
    kept = np.flatnonzero(anchored)
    left, right = matrix[np.ix_(kept, kept)], into[kept]
    for k in range(kept.size):
        below = k + 1 + np.flatnonzero(left[k + 1 :, k])
        factor = left[below, k] / left[k, k]
        left[below] -= factor[:, None] * left[k]
        right[below] -= factor[:, None] * right[k]
    voltage = np.full(into.shape, zero, dtype=object)
    for k in reversed(range(kept.size)):
        later = kept[k + 1 :]
        voltage[kept[k]] = (right[k] - (left[k, k + 1 :] @ voltage[later] if later.size else zero)) / left[k, k]
    flows = [
        np.array(
            [
                [
                    float(ends[side, line][1] * (v - x))
                    for v, x in zip(decimals(source), voltage[ends[side, line][0]], strict=True)
                ]
                for line, source in enumerate(getattr(sources, side))
            ]
        )
        for side in SIDES
    ]
    return flows, voltage.astype(float).reshape(2, rows, columns, -1), anchored.reshape(2, rows, columns)


shares = st.sampled_from([0.0, 0.3, 1.0])


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 6),
    columns=st.integers(1, 6),
    kind=st.sampled_from(sorted(RANGES)),
    opened=st.sampled_from([0.0, 0.0, 0.2]),
    dead=st.sampled_from([0.0, 0.2, 0.6]),
    floating=st.tuples(shares, shares, shares, shares),
)
def test_any_small_network_is_solved_as_by_exact_elimination(seed, rows, columns, kind, opened, dead, floating):
    network, sources = random_network(seed, rows, columns, kind, opened, dead, floating)
    with localcontext() as context:
        context.prec = 60
        flows, voltage, determined = exact(network, sources)
    scale = max(np.abs(side).max() for side in flows)
    solution = solve_lines(network, sources, tolerance=1e-12)
    assert np.all(np.isfinite(solution.row_voltage))
    assert np.all(np.isfinite(solution.column_voltage))
    if scale < 1e-25:  # nothing flows: what is left is the decimals' rounding, and ours
        assert max(np.abs(side).max() for side in currents(solution)) < 1e-12 * max(network.conductance.max(), 1e-6)
        return
    assert solution.outcome.converged
    assert solution.outcome.residual <= 1e-12
    bound = 2 * rows * columns * 1e-12
    for ours, theirs in zip(currents(solution), flows, strict=True):
        assert np.abs(ours - theirs).max() <= bound * scale
    if kind == "mild":  # elsewhere nodes may hang on cells so weak that the tolerance says nothing of their voltages
        ours = np.stack([solution.row_voltage, solution.column_voltage])
        # 72 nodes x 1e-12 x largest current (at most 11 x 2 V / 1 Ohm) over the weakest cell, 1e-6 S, is 1.6e-3 V at
        # worst; what hangs on a cell carries so little that far less is seen.
        assert np.abs(ours - voltage)[determined].max() < 1e-6


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 40),
    columns=st.integers(1, 40),
    opened=st.sampled_from([0.0, 0.05]),
    floating=st.tuples(shares, shares, shares, shares),
)
def test_kirchhoff_holds_at_every_node(seed, rows, columns, opened, floating):
    network, sources = random_network(seed, rows, columns, "mild", opened, 0.1, floating)
    solution = solve_lines(network, sources).checked()
    u, v = solution.row_voltage, solution.column_voltage
    cell = network.conductance[:, :, None] * (u - v)
    row, column = -cell, cell.copy()
    along = np.diff(u, axis=1) / network.row_segments[:, :, None]
    row[:, :-1] += along
    row[:, 1:] -= along
    along = np.diff(v, axis=0) / network.column_segments[:, :, None]
    column[:-1] += along
    column[1:] -= along
    row[:, 0] += solution.left_current
    row[:, -1] += solution.right_current
    column[0] += solution.top_current
    column[-1] += solution.bottom_current
    off = np.maximum(np.abs(row).max(axis=(0, 1)), np.abs(column).max(axis=(0, 1)))
    scale = np.max([np.abs(side).max(axis=0) for side in currents(solution)], axis=0)
    # Rounding of voltages of up to 1 V across segments of 1 Ohm: a few 1e-16 A.
    assert np.all(off <= 1e-10 * scale + 2e-15)
    # What the ends carry is what their resistances carry.
    assert np.allclose((sources.left - u[:, 0]) / network.row_left[:, None], solution.left_current, rtol=0, atol=1e-15)
    assert np.allclose(
        (sources.bottom - v[-1]) / network.column_bottom[:, None], solution.bottom_current, rtol=0, atol=1e-15
    )


@pytest.mark.parametrize(("rows", "columns"), [(64, 64), (64, 17), (5, 64)])
@pytest.mark.parametrize("segment", [1.0, 10.0])
@pytest.mark.parametrize("batch", [1, 3])
def test_harsh_arrays_agree_with_a_sparse_factorisation(rows, columns, segment, batch):
    rng = np.random.default_rng(7)
    cells = 10.0 ** rng.uniform(-5.0, -4.0, (rows, columns))
    network = uniform_network(cells, row_segment=segment, column_segment=segment, row_right=2.0 * segment)
    sources = drive(network, left=rng.uniform(0.0, 0.2, (rows, batch)), right=0.1)
    g, size = 1.0 / segment, rows * columns
    at = np.arange(2 * size).reshape(2, rows, columns)
    pairs = [
        (at[0].ravel(), at[1].ravel(), cells.ravel()),
        (at[0, :, :-1].ravel(), at[0, :, 1:].ravel(), np.full(rows * (columns - 1), g)),
        (at[1, :-1].ravel(), at[1, 1:].ravel(), np.full((rows - 1) * columns, g)),
    ]
    a, b, value = (np.concatenate(part) for part in zip(*pairs, strict=True))
    diagonal = np.bincount(a, value, 2 * size) + np.bincount(b, value, 2 * size)
    diagonal[at[0, :, 0]] += g
    diagonal[at[0, :, -1]] += g / 2.0
    diagonal[at[1, -1]] += g
    every = at.ravel()
    matrix = csc_array(
        (np.concatenate([-value, -value, diagonal]), (np.concatenate([a, b, every]), np.concatenate([b, a, every])))
    )
    into = np.zeros((2 * size, batch))
    into[at[0, :, 0]] += g * sources.left
    into[at[0, :, -1]] += g / 2.0 * sources.right
    voltage = spsolve(matrix, into).reshape(2, rows, columns, batch)
    solution = solve_lines(network, sources).checked()
    assert np.abs(-solution.bottom_current / (g * voltage[1, -1]) - 1.0).max() < 1e-9
    assert np.abs(solution.row_voltage - voltage[0]).max() < 1e-10
    assert np.abs(solution.column_voltage - voltage[1]).max() < 1e-10


def test_the_batch_may_be_divided_anywhere():
    network, sources = random_network(3, 20, 30, "mild", 0.02, 0.1, (0.0, 0.3, 1.0, 0.0))
    rng = np.random.default_rng(4)
    sources = drive(network, left=rng.uniform(0.0, 0.3, (20, 21)), bottom=rng.uniform(0.0, 0.1, (30, 21)))
    whole = solve_lines(network, sources)
    for which in (slice(0, 2), slice(5, 14), [20, 3, 11], slice(0, 21, 2)):
        some = solve_lines(network, part_of(sources, which))
        for one, other in zip(currents(whole), currents(some), strict=True):
            assert np.array_equal(one[:, which], other)
        assert np.array_equal(whole.column_voltage[:, :, which], some.column_voltage)
    # One vector alone has a kernel of its own, which adds up in another order: equal to rounding, which the conjugate
    # gradients may amplify to no more than the tolerance.
    alone = solve_lines(network, part_of(sources, slice(4, 5)))
    assert (
        np.abs(alone.bottom_current[:, 0] - whole.bottom_current[:, 4]).max()
        < 1e-9 * np.abs(alone.bottom_current).max()
    )


@pytest.mark.parametrize("batch", [1, 5])
def test_currents_do_not_depend_on_whether_nodes_are_wanted(batch):
    network, sources = random_network(8, 16, 9, "mild", 0.0, 0.1, (0.0, 0.5, 0.5, 0.0))
    sources = part_of(drive(network, left=np.linspace(0.0, 0.2, 16 * 5).reshape(16, 5)), slice(batch))
    with_nodes, without = solve_lines(network, sources), solve_lines(network, sources, nodes=False)
    assert without.row_voltage is None
    assert without.column_voltage is None
    for one, other in zip(currents(with_nodes), currents(without), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("batch", [1, 8])
def test_too_few_iterations_are_an_outcome(batch):
    rng = np.random.default_rng(1)
    network = uniform_network(10.0 ** rng.uniform(-5, -4, (64, 64)), row_segment=10.0, column_segment=10.0)
    sources = drive(network, left=rng.uniform(0.0, 0.2, (64, batch)))
    stopped = solve_lines(network, sources, max_iterations=1)
    assert not stopped.outcome.converged
    assert stopped.outcome.iterations == 1
    assert 1e-10 < stopped.outcome.residual < 1.0
    assert "max_iterations" in stopped.outcome.remedy
    assert np.all(np.isfinite(stopped.bottom_current))
    with pytest.raises(ConvergenceError, match="max_iterations"):
        stopped.checked()
    solved = solve_lines(network, sources)
    assert solved.outcome.converged
    assert solved.outcome.iterations > 1
    # A step of conjugate gradients never makes it worse: one iteration already gives most of the voltage drop.
    ideal = -(network.conductance.T @ sources.left)
    assert (
        np.abs(stopped.bottom_current - solved.bottom_current).max() < 0.2 * np.abs(ideal - solved.bottom_current).max()
    )


def test_a_tighter_tolerance_is_kept():
    rng = np.random.default_rng(2)
    network = uniform_network(10.0 ** rng.uniform(-5, -4, (48, 48)), row_segment=10.0, column_segment=10.0)
    sources = drive(network, left=rng.uniform(0.0, 0.2, (48, 2)))
    reference = solve_lines(network, sources, tolerance=1e-14)
    assert reference.outcome.converged
    errors = []
    for tolerance in (1e-4, 1e-7, 1e-10):
        solution = solve_lines(network, sources, tolerance=tolerance)
        assert solution.outcome.residual <= tolerance
        scale = np.abs(reference.bottom_current).max()
        errors.append(np.abs(solution.bottom_current - reference.bottom_current).max() / scale)
        assert errors[-1] < 20 * tolerance
    assert errors[0] > errors[1] > errors[2]


def test_a_ladder_has_its_closed_form():
    # One row over grounded columns: a ladder of equal rungs, whose input conductance is that of the recursion
    # Y <- 1 / (R + 1 / (Y + G)) started at 0.
    segment, cell, columns = 3.0, 2e-3, 25
    network = uniform_network(
        np.full((1, columns), cell), row_segment=segment, column_segment=1.0, column_bottom=1e-9, row_left=segment
    )
    seen = 0.0
    for _ in range(columns):
        seen = 1.0 / (segment + 1.0 / (seen + 1.0 / (1.0 / cell + 1e-9)))
    solution = solve_lines(network, drive(network, left=0.7), tolerance=1e-13)
    assert solution.left_current[0, 0] == pytest.approx(0.7 * seen, rel=1e-12)


def test_nothing_flows_where_all_sources_are_equal():
    rng = np.random.default_rng(0)
    network = uniform_network(10.0 ** rng.uniform(-6, -4, (9, 7)), row_segment=1.0, column_segment=1.0, row_right=1.0)
    for batch in (1, 4):
        level = np.full(batch, 0.3)
        solution = solve_lines(
            network,
            drive(network, left=np.tile(level, (9, 1)), right=np.tile(level, (9, 1)), bottom=np.tile(level, (7, 1))),
        )
        assert solution.outcome.converged
        assert max(np.abs(side).max() for side in currents(solution)) == 0.0
        assert np.all(solution.column_voltage == 0.3)


def test_nothing_flows_from_one_level_into_floating_lines():
    rng = np.random.default_rng(1)
    network = uniform_network(
        10.0 ** rng.uniform(-6, -4, (9, 7)), row_segment=1.0, column_segment=1.0, column_bottom=np.inf
    )
    solution = solve_lines(network, drive(network, left=0.3))
    assert solution.outcome.converged
    assert np.all(solution.left_current == 0.0)
    assert np.all(solution.column_voltage == 0.3)


def test_what_it_cannot_take_is_refused():
    plain = uniform_network(np.full((3, 2), 1e-5), row_segment=1.0, column_segment=1.0)
    sources = drive(plain, left=0.1)
    bridged = uniform_network(
        plain.conductance, row_segment=1.0, column_segment=1.0,
        bridges=(Bridge(("row", 0, 0), ("row", 1, 0), 1.0),),
    )  # fmt: skip
    with pytest.raises(ArgumentError, match=r"bridges.*direct"):
        solve_lines(bridged, sources)
    curved = uniform_network(plain.conductance, row_segment=1.0, column_segment=1.0, law=Sinh(0.1))
    with pytest.raises(ArgumentError, match="solve_newton"):
        solve_lines(curved, sources)
    with pytest.raises(ArgumentError, match="1e-30 Ohm"):
        solve_lines(uniform_network(plain.conductance, row_segment=1e-40, column_segment=1.0), sources)
    other = uniform_network(np.full((2, 3), 1e-5), row_segment=1.0, column_segment=1.0)
    with pytest.raises(ArgumentError, match="drive"):
        solve_lines(other, sources)
    with pytest.raises(ArgumentError, match="tolerance"):
        solve_lines(plain, sources, tolerance=0.0)
    with pytest.raises(ArgumentError, match="max_iterations"):
        solve_lines(plain, sources, max_iterations=0)
